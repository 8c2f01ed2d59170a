"""How help and documents are written.

Every option stands in a table of the documents; help is a sentence that begins with a verb; some words that
are hard to read occur nowhere.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from autotag.cli.main import app as autotag
from autotag.cli.options import PANELS
from tests.conftest import ROOT
from train.cli import app as train

GENERATED = ("api.md", "commands.md", "report.md")
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]

PAGES = {
    **dict.fromkeys(("tag", "models"), "tagging folders speed"),
    "write": "tagging folders tags-in-files",
    **dict.fromkeys(("bench", "choose"), "tagging folders speed"),
    **dict.fromkeys(("taggram", "sonify", "embed", "report"), "tagging folders speed see-and-hear"),
    "browse": "browse",
    "": "tagging",
}
"""Pages that have the options of a command; all others are about a library."""

FORBIDDEN = re.compile(r"\b(?:likewise|anew|otherwise|at hand|shy|what comes of|in turn)\b", re.IGNORECASE)
"""Words that a reader stumbles over."""

VERBS = """
    add aim allow analyse answer ask begin check choose compare compute copy correct count draw drop evaluate
    export find follow give go group hide ignore install keep label leave limit list look make mark measure
    merge move name narrow order play plot print put read refuse remove rename repeat replace report run say
    score scan search set show skip sort split start stop tag take time train treat try turn undo update use
    write
"""


def options(command: Any) -> Iterator[tuple[Any, list[str]]]:
    """The options of a command, each with all its names."""
    for parameter in command.params:
        if parameter.param_type_name == "option":
            yield parameter, [*parameter.opts, *parameter.secondary_opts]


def commands(app: Any) -> dict[str, Any]:
    group: Any = get_command(app)
    context = group.make_context("", [], resilient_parsing=True)
    return {"": group} | {name: group.get_command(context, name) for name in group.list_commands(context)}


AUTOTAG, TRAIN = commands(autotag), commands(train)
HELP = [
    *(pytest.param(command, id=f"autotag {name}") for name, command in AUTOTAG.items()),
    *(pytest.param(command, id=f"train {name}") for name, command in TRAIN.items()),
]


def page(names: str) -> str:
    files = (ROOT / "docs" / f"{name}.md" for name in names.split())
    return "\n".join(file.read_text("utf-8") for file in files if file.exists())


@pytest.mark.parametrize("name", AUTOTAG)
def test_every_option_stands_in_the_documents(name: str) -> None:
    text = page(PAGES.get(name, "tagging folders library"))
    for _, names in options(AUTOTAG[name]):
        for option in names:
            assert re.search(rf"`{re.escape(option)}(?![\w-])", text), f"autotag {name} {option}"


@pytest.mark.parametrize("name", TRAIN)
def test_every_option_of_training_stands_in_the_documents(name: str) -> None:
    for _, names in options(TRAIN[name]):
        for option in names:
            assert re.search(rf"`{re.escape(option)}(?![\w-])", page("training")), f"train {name} {option}"


@pytest.mark.parametrize("command", HELP)
def test_help_is_a_sentence_that_begins_with_a_verb(command: Any) -> None:
    texts = [command.help.strip().split("\n\n")[0], *(option.help for option, _ in options(command))]
    for text in texts:
        first = re.match(r"[A-Z][a-z]*\b", text)
        assert first, f"no capital: {text!r}"
        assert first[0].lower() in VERBS.split(), f"no verb of the list: {text!r}"
        assert text.endswith("."), f"no full stop: {text!r}"
        assert not FORBIDDEN.search(text), text


@pytest.mark.parametrize("name", AUTOTAG)
def test_help_shows_what_to_tag_before_how_and_output_last(name: str) -> None:
    panels = [option.rich_help_panel for option, _ in options(AUTOTAG[name])]
    places = [PANELS.index(panel) for panel in panels if panel in PANELS]
    assert places == sorted(places), panels


@pytest.mark.parametrize("command", HELP)
def test_help_of_arguments_ends_with_a_full_stop(command: Any) -> None:
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            assert parameter.help and parameter.help.endswith("."), parameter.name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_do_without_words_that_are_hard_to_read(path: Path) -> None:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        assert not FORBIDDEN.search(line), f"{path.name}:{number}: {line}"


def messages(path: Path) -> Iterator[str]:
    """The texts in a file that are no docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    documents = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.value


@pytest.mark.parametrize("package", ["autotag", "beetsplug", "train"])
def test_messages_do_without_words_that_are_hard_to_read(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        for text in messages(path):
            hard = FORBIDDEN.search(text) or text.startswith(("Of ", "As "))
            assert not hard, f"{path.relative_to(ROOT)}: {text}"


@pytest.mark.parametrize("package", ["autotag", "beetsplug", "train"])
def test_docstrings_do_without_words_that_are_hard_to_read(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                text = str(node.value.value)
                hard = FORBIDDEN.search(text) or text.startswith(("Of ", "As "))
                assert not hard, f"{path.relative_to(ROOT)}:{node.lineno}: {text[:80]}"
