"""The rule of the house: a file imports only from smaller numbers, in its own freely, never in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

WINGS = (
    ("autotag", "autotag.errors autotag.meaning autotag.config autotag.system.text"),
    ("values", "autotag.result autotag.request"),
    ("system", "autotag.system"),
    ("audio", "autotag.audio"),
    ("models", "autotag.models"),
    ("verbs", "autotag.scores autotag.tagger autotag.batch"),
    ("outputs", "autotag.outputs"),
    ("library", "autotag.library"),
    ("speed", "autotag.speed"),
    ("views", "autotag.views"),
    ("guests", "autotag.ray"),
    ("commands", "autotag.cli autotag.__main__"),
)
"""Numbers 1 to 12, by the beginnings of modules' names; the longest one that fits counts."""

LENGTH = 300
"""Lines of a file, at most."""

NUMBER = {prefix: number for number, (_, prefixes) in enumerate(WINGS, 1) for prefix in prefixes.split()}


def modules(package: str) -> dict[str, Path]:
    found = {}
    for path in (ROOT / package).rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that a module imports: at the top, lazily or for its types."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                target = full if full in known else node.module
                if target in known and target != name:
                    yield target
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def number_of(name: str) -> int:
    fitting = [p for p in NUMBER if name == p or name.startswith(f"{p}.")]
    assert fitting, f"{name} has no place in the house"
    return NUMBER[max(fitting, key=len)]


AUTOTAG = {name: path for name, path in modules("autotag").items() if path.stat().st_size}
FACE = "autotag"
GRAPH = {name: sorted(set(imports(name, path, AUTOTAG))) for name, path in AUTOTAG.items()}


@pytest.mark.parametrize("name", sorted(AUTOTAG.keys() - {FACE}))
def test_no_import_points_upward(name: str) -> None:
    for target in GRAPH[name]:
        if target == FACE:
            assert name == "autotag.cli.main", f"{name} imports the face, as only the command line may"
        else:
            assert number_of(target) <= number_of(name), f"{name} imports {target}, which stands above it"


def test_there_is_no_circle() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle: {' -> '.join([*path[path.index(name) :], name])}"
        if name not in done:
            for target in GRAPH[name]:
                if target != FACE:
                    visit(target, (*path, name))
            done.add(name)

    for name in AUTOTAG:
        if name != FACE:
            visit(name, ())


@pytest.mark.parametrize("package", ["autotag", "train"])
def test_a_file_holds_one_idea_and_no_more_lines_than_can_be_read(package: str) -> None:
    lengths = {name: len(path.read_text("utf-8").splitlines()) for name, path in modules(package).items()}
    assert {name: length for name, length in lengths.items() if length > LENGTH} == {}


def test_autotag_never_imports_what_only_training_needs() -> None:
    for name, path in AUTOTAG.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            tops = {module.split(".")[0] for module in modules}
            assert not tops & {"torch", "train", "tensorflow"}, name
            assert name == "autotag.views.sonify" or "librosa" not in tops, name
