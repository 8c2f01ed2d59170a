"""The rule of train: a file imports only from smaller numbers, in its own freely, never in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from autotag.config import RESOLUTIONS
from tests.conftest import ROOT
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


def names() -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / "train").rglob("*.py")):
        if path.stat().st_size:
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


MODULES = dict(names())


def imports(name: str) -> set[str]:
    """The modules of train that a module imports: at the top, lazily or for its types."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            named = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= named or {node.module} & MODULES.keys()
    return found - {name}


def number_of(name: str) -> int:
    return next(number for prefix, number in NUMBER.items() if f"{name}.".startswith(f"{prefix}."))


@pytest.mark.parametrize("name", MODULES)
def test_no_import_points_upward(name: str) -> None:
    for target in imports(name):
        assert number_of(target) <= number_of(name), f"{name} imports {target}, which stands above it"


def test_there_is_no_circle() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle: {' -> '.join([*path, name])}"
        if name not in done:
            for target in imports(name):
                visit(target, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


def test_an_architecture_is_one_file() -> None:
    """Nothing but `train/networks/ARCH.py` knows it, and what the study itself says of it."""
    here = {path.stem for path in (ROOT / "train" / "networks").glob("*.py")}
    assert set(RESOLUTIONS) <= here
    of_the_study = ("train.report", "train.family", "train.fit.teachers", "train.data.cache")
    for name, path in MODULES.items():
        if name.startswith(("train.networks", *of_the_study)):
            continue
        strings = {
            n.value for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Constant)
        }
        assert not strings & set(RESOLUTIONS), f"{name} names an architecture"
    assert Network.__abstractmethods__ == {"__init__", "last", "shrunk"}
