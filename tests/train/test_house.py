"""The rule of train: a file imports only from smaller numbers, in its own freely, never in a circle."""

import ast

import pytest

from autotag.config import RESOLUTIONS
from tests.conftest import ROOT
from tests.imports import circle, graph, modules, number_of, tree
from train.networks.network import Network

WINGS = (
    "train.errors train.console train.locks",
    "train.data",
    "train.networks",
    "train.measure",
    "train.fit",
    "train.export",
    "train.study train.family",
    "train.report",
    "train.options train.cli train.__main__",
)
"""By the beginnings of modules' names."""

NUMBER = {prefix: number for number, prefixes in enumerate(WINGS) for prefix in prefixes.split()}


MODULES = modules("train")
GRAPH = graph(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_no_import_points_upward(name: str) -> None:
    for target in GRAPH[name]:
        assert number_of(target, NUMBER) <= number_of(name, NUMBER), (
            f"{name} imports {target}, which stands above it"
        )


def test_there_is_no_circle() -> None:
    assert not circle(GRAPH)


def test_an_architecture_is_one_file() -> None:
    """Nothing but `train/networks/ARCH.py` knows it, and what the study itself says of it."""
    here = {path.stem for path in (ROOT / "train" / "networks").glob("*.py")}
    assert set(RESOLUTIONS) <= here
    of_the_study = (
        *("train.report", "train.family", "train.data.cache"),
        *("train.fit.teachers", "train.fit.scripts"),
    )
    for name, path in MODULES.items():
        if name.startswith(("train.networks", *of_the_study)):
            continue
        strings = {node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant)}
        assert not strings & set(RESOLUTIONS), f"{name} names an architecture"
    assert Network.__abstractmethods__ == {"__init__", "last", "shrunk"}
