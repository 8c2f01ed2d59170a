"""What the songs of a library are found and put in order by, in memory."""

import operator
import os
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from autotag.library.database import Library
from autotag.library.opening import plainly
from autotag.library.rows import as_path, as_seconds
from autotag.library.terms import DurationTerm, PathTerm, is_path
from autotag.system.text import printable

SIGNS: dict[str, Callable[[Any, float], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Places = NDArray[np.intp]

SPARSE = 100
"""How many times as high as their number the ids of tracks may be for a table of them."""


class Held:
    """The songs of a library as they were when it was read.

    Attributes:
        ids: int64 [n], of the tracks, rising.
        paths: as the library has them.
        durations: float32 [n], seconds.
        modified: int64 [n], nanoseconds since 1970.
        root: the folder that all songs are below; empty if there is none.
    """

    def __init__(self, library: Library) -> None:
        rows = library.query("SELECT id, path, duration, modified FROM tracks WHERE ok ORDER BY id")
        with plainly(library.path, "read"):
            self.ids = np.array([row[0] for row in rows], np.int64)
            self.paths = [as_path(row[1]) for row in rows]
            self.durations = np.array([as_seconds(row[2]) for row in rows], np.float32)
            self.modified = np.array([row[3] or 0 for row in rows], np.int64)
        self.root = _root(self.paths)
        self._above = len(self.root.rstrip(os.sep)) + 1 if self.root else 0
        self._folded = [normalize("NFC", path).casefold() for path in self.paths]
        by_path = np.array(sorted(range(len(rows)), key=self._folded.__getitem__), np.intp)
        longest, newest = (
            by_path[np.argsort(-values[by_path], kind="stable")] for values in (self.durations, self.modified)
        )
        self._orders = {"path": by_path, "longest": longest, "newest": newest}
        self._orders |= {"shortest": longest[::-1], "oldest": newest[::-1]}
        self._table: Places | None = None  # of the place of each id; a search takes ten times as long
        last = int(self.ids[-1]) if rows else 0
        if not rows or (self.ids[0] > 0 and last < SPARSE * len(rows)):
            self._table = np.full(last + 2, -1, np.intp)
            self._table[self.ids] = np.arange(len(rows))

    def ordered(self, mask: NDArray[np.bool_], sort: str) -> Places:
        """Places of the songs of a mask [n], in order: any of `asked.SORTS` but `"score"`."""
        order = self._orders[sort]
        return order[mask[order]]

    def places(self, ids: NDArray[np.int64]) -> tuple[Places, NDArray[np.bool_]]:
        """Where tracks stand that are held, and which of them are; failed files are not."""
        if self._table is not None:
            at = self._table.take(ids, mode="clip")
        else:
            at = np.searchsorted(self.ids, ids)
            at[self.ids.take(at, mode="clip") != ids] = -1
        return at[at >= 0], at >= 0

    def path(self, track: int) -> str | None:
        """The path of a song; None if there is none of that id."""
        places, _ = self.places(np.array([track], np.int64))
        return next((self.paths[place] for place in places.tolist()), None)

    def having(self, term: PathTerm | DurationTerm) -> NDArray[np.bool_]:
        """Which songs a term is true of: [n]."""
        if isinstance(term, DurationTerm):
            found: NDArray[np.bool_] = SIGNS[term.sign](self.durations, term.seconds)
            return found
        part = normalize("NFC", term.pattern).casefold()
        if set("*?[").isdisjoint(part):
            return np.array([part in path for path in self._folded], np.bool_)
        return np.array([is_path(term.pattern, path) for path in self.paths], np.bool_)

    def named(self, place: int) -> dict[str, str]:
        """The name of a song, and its folder below the one that all songs have in common."""
        folder, _, name = self.paths[place].rpartition(os.sep)
        return {"name": printable(name), "folder": printable(folder[self._above :])}


def _root(paths: Sequence[str]) -> str:
    """The folder that all paths are below: the first and the last one of the alphabet have it in common."""
    try:
        return (
            os.path.commonpath([PurePath(path).parent for path in (min(paths), max(paths))]) if paths else ""
        )
    except ValueError:  # other drives, or relative and absolute ones
        return ""
