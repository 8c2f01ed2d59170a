"""What the modules of a package import of each other: at the top, lazily or for types."""

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from tests.conftest import ROOT

Graph = Mapping[str, Collection[str]]
"""By module, the modules of the same package that it imports."""


def modules(package: str) -> dict[str, Path]:
    """The files of a package by the names of their modules, but for empty ones."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.stat().st_size
    }


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def graph(files: Mapping[str, Path]) -> Graph:
    """What the modules import of each other."""
    return {name: sorted({*_imports(path, files)} - {name}) for name, path in files.items()}


def _imports(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                target = full if full in known else node.module
                if target in known:
                    yield target
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def circle(imports: Graph) -> str:
    """One of the circles, as `a -> b -> a`, or nothing."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> str:
        if name in path:
            return " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for target in imports.get(name, ()):
                if found := visit(target, (*path, name)):
                    return found
            done.add(name)
        return ""

    return next((found for name in imports if (found := visit(name, ()))), "")


def number_of(name: str, numbers: Mapping[str, int]) -> int:
    """The number of the longest beginning of a module's name that has one."""
    fitting = [prefix for prefix in numbers if f"{name}.".startswith(f"{prefix}.")]
    assert fitting, f"{name} has no place in the house"
    return numbers[max(fitting, key=len)]
