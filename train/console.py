"""Where progress and warnings go, so that results alone are on stdout."""

import os
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")

_stderr = Console(stderr=True, quiet=os.environ.get("RANK", "0") != "0")
"""Speaks in the first one of the processes that torchrun starts."""

_details = False


def show_details() -> None:
    """Let `say` show details from now on."""
    global _details
    _details = True


def progress(items: Iterable[Item], description: str, total: int | None = None) -> Iterable[Item]:
    """The items, with a progress bar where stderr is a terminal."""
    return track(items, description, total, console=_stderr, disable=not _stderr.is_terminal)


def say(line: str, detail: bool = False) -> None:
    """A line on stderr, as it is; a detail only if details are to be shown."""
    if _details or not detail:
        _stderr.print(line, markup=False, highlight=False, soft_wrap=True)
