"""Write the pages that follow from the code: `docs/commands.md` and `docs/api.md`.

python docs/generate.py            # both pages; a test compares them with what is committed
python docs/generate.py --examples # and run again every block of README.md and docs/ that begins with "$ "
"""

import ast
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 100
"""Columns of a page of help."""

RETURNED = ("library.keep.Tally", "library.scan.Scanned", "library.query.Found", "meaning.Output")
"""Classes of what the library returns that nobody makes."""

ALIASES = """## Names in signatures

| name | what it is |
|---|---|
| `AudioInput` | a path; bytes or a file object of an encoded file; `(samples, rate)`, [n] or [n, channels] |
| `ModelChoice` | a `Config`, the name of an installed model, or the path of an ONNX file |
| `Outcome` | `Result` or `Failure`; `ok` tells which |
| `PathInput` | `str` or `os.PathLike` |
| `Progress` | a function of how many files are done, how many there are, and the last outcome or None |
| `Array` | a NumPy array of float32 |"""

FOLDER = "/home/me"
"""What stands in documents in place of the folder in which their commands are run."""

CONSOLE = re.compile(r"```console\n(.*?)```", re.S)

CONFIGURATION = re.compile(r"```yaml\n(.*?)```", re.S)
"""What stands in a page as the configuration of beets."""


def write_pages(folder: Path) -> None:
    """Write both pages into a folder."""
    (folder / "commands.md").write_text(commands(), "utf-8", newline="\n")
    (folder / "api.md").write_text(api(), "utf-8", newline="\n")


def commands() -> str:
    """The page of `--help` of every command."""
    from typer.main import get_command

    parts = ["# The commands\n\nWritten by `python docs/generate.py` from what `--help` prints."]
    for program, app in apps().items():
        group: Any = get_command(app)
        listed = group.list_commands(group.make_context(program, [], resilient_parsing=True))
        parts += [_help(program, app, words) for words in ([], *([name] for name in listed))]
    return "\n\n".join(parts) + "\n"


def apps() -> dict[str, Any]:
    """Both programs, by what is typed."""
    from autotag.cli.main import app as autotag
    from train.cli import app as train

    return {"autotag": autotag, "python -m train": train}


def _help(program: str, app: Any, words: list[str]) -> str:
    from typer.testing import CliRunner

    environment = {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "TERM": "dumb", "TERMINAL_WIDTH": str(WIDTH)}
    result = CliRunner().invoke(app, [*words, "--help"], prog_name=program, env=environment)
    if result.exit_code:
        raise RuntimeError(f"{program} {words}: {result.output} {result.exception}")
    lines = [line.rstrip() for line in result.output.strip("\n").splitlines()]
    return f"## {' '.join([program, *words])}\n\n```text\n" + "\n".join(lines).strip("\n") + "\n```"


def api() -> str:
    """What `autotag.__all__` names: signatures and docstrings."""
    import autotag

    found = {name: getattr(autotag, name) for name in autotag.__all__ if name != "__version__"}
    errors = {name: value for name, value in found.items() if _is_error(value)}
    parts = [
        "# In Python\n\nWritten by `python docs/generate.py` from the docstrings of what `autotag.__all__` "
        "names. `import autotag` loads neither numpy nor onnxruntime: a name is imported at its first use.",
        *(_entry(name, value) for name, value in found.items() if name not in errors),
        *(_entry(name.rpartition(".")[2], _imported(name)) for name in RETURNED),
        ALIASES,
        "## Errors\n\nEach is also the builtin exception that a caller would expect.\n\n"
        "| error | is also | meaning |\n|---|---|---|\n"
        + "\n".join(
            f"| `{name}` | {', '.join(f'`{base.__name__}`' for base in error.__bases__)} "
            f"| {_one_line(inspect.getdoc(error))} |"
            for name, error in errors.items()
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _imported(name: str) -> Any:
    module, _, found = name.rpartition(".")
    return getattr(import_module(f"autotag.{module}"), found)


def _is_error(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def _entry(name: str, value: Any) -> str:
    parts = [f"## {name}", _signature(name, value), _document(value)]
    if isinstance(value, type):
        for method, function in _methods(value):
            kind = "" if callable(function) or isinstance(function, classmethod) else " (property)"
            target = getattr(function, "fget", None) or getattr(function, "__func__", function)
            parts += [f"### {name}.{method}{kind}"]
            parts += [] if kind else [_signature(f"{name}.{method}", target)]
            parts += [_document(target)]
    return "\n\n".join(part for part in parts if part)


def _methods(value: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that a class defines itself, and documents."""
    for name, found in vars(value).items():
        target = getattr(found, "fget", None) or getattr(found, "__func__", found)
        if not name.startswith("_") and inspect.isfunction(target) and target.__doc__:
            yield name, found


def _signature(name: str, value: Any) -> str:
    """The signature with its annotations as they are written."""
    target = value
    if isinstance(value, type):
        fields = getattr(value, "__dataclass_fields__", None)
        if fields or "__init__" not in vars(value):
            return _fence(name, list(_fields(value)), "")
        target = vars(value)["__init__"]
    node = ast.parse(textwrap.dedent(inspect.getsource(target))).body[0]
    assert isinstance(node, ast.FunctionDef)
    arguments = node.args
    for part in (arguments.posonlyargs, arguments.args):
        if part and part[0].arg in ("self", "cls"):
            del part[0]
            break
    returns = "" if isinstance(value, type) or node.returns is None else f" -> {_plain(node.returns)}"
    return _fence(name, _arguments(arguments), returns)


def _arguments(arguments: ast.arguments) -> list[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    found = [_argument(*each) for each in zip(positional, [*missing, *arguments.defaults], strict=True)]
    if arguments.kwonlyargs:
        found.append("*" if arguments.vararg is None else f"*{arguments.vararg.arg}")
    each = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return found + [_argument(argument, default) for argument, default in each]


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    kind = f": {_plain(argument.annotation)}" if argument.annotation else ""
    return argument.arg + kind + (f" = {ast.unparse(default)}" if default else "")


def _fields(value: type) -> Iterator[str]:
    """The fields of a dataclass or named tuple, as they are written in it and in its bases."""
    fields = getattr(value, "__dataclass_fields__", {}).values()
    if fields and all(field.kw_only for field in fields):
        yield "*"
    for each in reversed(value.__mro__[:-1]):
        if not each.__module__.startswith("autotag"):
            continue
        node = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0]
        for line in getattr(node, "body", ()):
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                kind = _plain(line.annotation)
                default = ast.unparse(line.value) if line.value else ""
                default = re.sub(r"^field\(.*\bdefault=([^,)]+).*$", r"\1", default)
                if not kind.startswith("ClassVar") and not line.target.id.startswith("_"):
                    yield f"{line.target.id}: {kind}" + (f" = {default}" if default else "")


def _plain(annotation: ast.expr) -> str:
    """An annotation without the quotes around names that are not imported at run time."""
    found = ast.unparse(annotation)
    return found[1:-1] if found[:1] in "\"'" else re.sub(r"'([A-Z]\w+(?:\[[^']*\])?)'", r"\1", found)


def _fence(name: str, arguments: list[str], returns: str) -> str:
    line = f"{name}({', '.join(arguments)}){returns}"
    if len(line) > WIDTH:
        line = f"{name}(\n" + "".join(f"    {argument},\n" for argument in arguments) + f"){returns}"
    return f"```python\n{line}\n```"


def _document(value: Any) -> str:
    """A docstring as Markdown: sections as lists, examples as code."""
    lines: list[str] = []
    code = inside = False
    text = inspect.getdoc(value) or ""
    for line in [] if text.startswith(f"{getattr(value, '__name__', '')}(") else text.splitlines():
        if code != ((code and bool(line)) or line.startswith(">>>")):
            code = not code
            lines.append("```python" if code else "```")
        if code or not line:
            lines.append(line)
        elif re.match(r"[A-Z][\w, ]*:$", line):
            inside = True
            lines += [f"**{line}**", ""]
        elif inside and line.startswith("    "):
            found = re.match(r"    (\w[\w, `*]*): (.*)", line)
            names = re.match(r"    (?=[A-Z])([\w, ]+)$", line)
            if found:
                lines.append(f"- `{found[1]}`: {found[2]}")
            else:
                lines.append(f"- {names[1]}" if names else f"  {line.strip()}")
        else:
            inside = False
            lines.append(line)
    return "\n".join([*lines, "```"] if code else lines)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split()).replace("|", "\\|")


def examples(text: str, folder: Path) -> str:
    """A document whose blocks of commands show what they print now, run in a folder with `examples/`."""
    if configuration := CONFIGURATION.search(text):
        (folder / "config.yaml").write_text(configuration[1], "utf-8")
        _run_block("$ beet stats", folder)  # makes the library of beets, which says so at length
    return CONSOLE.sub(lambda block: f"```console\n{_run_block(block[1], folder)}```", text)


def _run_block(block: str, folder: Path) -> str:
    shown = []
    for line in block.splitlines():
        if line.startswith("$ "):
            program, *words = shlex.split(line[2:])
            module = {"python": [], "beet": ["-m", "beets"]}.get(program, ["-m", program])
            command = [sys.executable, *module, *words]
            environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": str(WIDTH)}
            environment |= {"XDG_DATA_HOME": str(folder), "BEETSDIR": str(folder), "PYTHONUTF8": "1"}
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8"
            )
            if done.returncode > ("missing" in line):  # a file that cannot be tagged may be shown
                raise RuntimeError(f"{line}: exit code {done.returncode}: {done.stderr}")
            printed = (done.stdout + done.stderr).replace(str(folder), FOLDER)
            shown += [part.rstrip() for part in [line, *printed.splitlines()]]
    return "\n".join([*shown, ""])


def run_examples() -> None:
    """Write what the commands of the documents print into them."""
    for page in (ROOT / "README.md", *ROOT.glob("docs/*.md")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name).resolve()
            shutil.copytree(ROOT / "examples", folder / "examples")
            page.write_text(examples(page.read_text("utf-8"), folder), "utf-8", newline="\n")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    write_pages(ROOT / "docs")
    if "--examples" in sys.argv:
        run_examples()
