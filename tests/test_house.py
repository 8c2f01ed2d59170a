"""The rule of the house: a file imports only from smaller numbers, in its own freely, never in a circle."""

import ast

import pytest

from autotag.config import RESOLUTIONS
from tests.imports import circle, graph, modules, number_of, tree

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
    ("browse", "autotag.browse"),
    ("guests", "autotag.ray beetsplug"),
    ("commands", "autotag.cli autotag.__main__"),
)
"""Numbers 1 to 13, by the beginnings of modules' names; the longest one that fits counts."""

LENGTH = 300
"""Lines of a file, at most."""

NUMBER = {prefix: number for number, (_, prefixes) in enumerate(WINGS, 1) for prefix in prefixes.split()}


AUTOTAG = modules("autotag") | modules("beetsplug")
FACE = "autotag"
GRAPH = graph(AUTOTAG)


@pytest.mark.parametrize("name", sorted(AUTOTAG.keys() - {FACE}))
def test_no_import_points_upward(name: str) -> None:
    for target in GRAPH[name]:
        if target == FACE:
            assert name == "autotag.cli.main", f"{name} imports the face, as only the command line may"
        else:
            assert number_of(target, NUMBER) <= number_of(name, NUMBER), (
                f"{name} imports {target}, which stands above it"
            )


def test_there_is_no_circle() -> None:
    assert not circle({name: {*GRAPH[name]} - {FACE} for name in AUTOTAG if name != FACE})


@pytest.mark.parametrize("package", ["autotag", "beetsplug", "train"])
def test_a_file_holds_one_idea_and_no_more_lines_than_can_be_read(package: str) -> None:
    lengths = {name: len(path.read_text("utf-8").splitlines()) for name, path in modules(package).items()}
    assert {name: length for name, length in lengths.items() if length > LENGTH} == {}


def test_an_architecture_is_known_to_the_configuration_and_to_defaults_of_commands() -> None:
    """So that a third one takes no edit elsewhere; the sounds of a page are at the resolutions of one."""
    knowing = {"autotag.config", "autotag.cli.view", "autotag.views.sonify_page"}
    for name in AUTOTAG.keys() - knowing:
        strings = {node.value for node in ast.walk(tree(AUTOTAG[name])) if isinstance(node, ast.Constant)}
        assert not strings & set(RESOLUTIONS), f"{name} names an architecture"


def test_autotag_never_imports_what_only_training_needs() -> None:
    for name, path in AUTOTAG.items():
        for node in ast.walk(tree(path)):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            tops = {module.split(".")[0] for module in named}
            assert not tops & {"torch", "train", "tensorflow"}, name
            assert name == "autotag.views.sonify" or "librosa" not in tops, name
