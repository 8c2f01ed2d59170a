"""The songs of a library, held in memory so that what is typed is found and put in order in milliseconds."""

import operator
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import PurePath
from threading import Lock
from typing import Any
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from autotag.browse.asked import Asked, understood
from autotag.library.database import Library
from autotag.library.opening import plainly
from autotag.library.query import count, query
from autotag.library.rows import as_path, stored
from autotag.library.sql import Part, search
from autotag.library.tags import Vocabulary
from autotag.library.terms import DurationTerm, PathTerm, is_path
from autotag.meaning import meaning_of
from autotag.result import Tag
from autotag.system.text import printable

SHOWN = 5
"""Tags of a song that a list shows."""

REMEMBERED = 16
"""Searches whose songs are remembered, so that a list scrolls without asking again."""

Places = NDArray[np.intp]

SIGNS: dict[str, Callable[[Any, float], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes:
        ids: int64 [n], of the tracks, in order.
        scores: float32 [n], the geometric mean of the wanted tags' scores; empty where no tag is wanted.
        notes: what is to be said of how the words were read.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    notes: tuple[str, ...] = ()


class Held:
    """What each song of a library is found and ordered by, as it was when it was read.

    Attributes:
        ids: int64 [n], rising.
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
            self.durations = np.array([row[2] or 0 for row in rows], np.float32)
            self.modified = np.array([row[3] or 0 for row in rows], np.int64)
        self.root = _root(self.paths)
        self._folded = [normalize("NFC", path).casefold() for path in self.paths]
        by_path = np.array(sorted(range(len(rows)), key=self._folded.__getitem__), np.intp)
        self._ranks = {"path": np.empty(len(rows), np.intp)}
        self._ranks["path"][by_path] = np.arange(len(rows))
        for name, values in (("longest", -self.durations), ("newest", -self.modified)):
            order = np.lexsort((self._ranks["path"], values))
            self._ranks[name] = np.empty(len(rows), np.intp)
            self._ranks[name][order] = np.arange(len(rows))
        self._ranks |= {"shortest": -self._ranks["longest"], "oldest": -self._ranks["newest"]}

    def order(self, places: Places, sort: str) -> Places:
        """Places of songs in order: all of `asked.SORTS` but `"score"`."""
        return places[np.argsort(self._ranks[sort][places])]

    def places(self, ids: NDArray[np.int64]) -> tuple[Places, NDArray[np.bool_]]:
        """Where tracks stand that are held, and which of them are; failed files are not."""
        at = np.searchsorted(self.ids, ids)
        inside = at < len(self.ids)
        inside[inside] = self.ids[at[inside]] == ids[inside]
        return at[inside], inside

    def path(self, track: int) -> str | None:
        """The path of a song; None if there is none of that id."""
        place = int(np.searchsorted(self.ids, track))
        return self.paths[place] if place < len(self.ids) and self.ids[place] == track else None

    def having(self, term: PathTerm | DurationTerm) -> NDArray[np.bool_]:
        """Which songs a term is true of: [n]."""
        if isinstance(term, DurationTerm):
            found: NDArray[np.bool_] = SIGNS[term.sign](self.durations, term.seconds)
            return found
        part = normalize("NFC", term.pattern).casefold()
        if set("*?[").isdisjoint(part):
            return np.array([part in path for path in self._folded], np.bool_)
        return np.array([is_path(term.pattern, path) for path in self.paths], np.bool_)


class Songs:
    """A library to be asked again and again, by any thread; what another program writes into it is seen.

    Raises (in every method): as of `autotag.library.database.Library`.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self._lock = Lock()
        self._version: Any = None
        self._remembered: dict[Asked, Found] = {}
        self.held = Held(library)
        self.refresh()

    def refresh(self) -> Held:
        """The songs as they are now."""
        with self._lock:
            version = self.library.query("PRAGMA data_version")
            if version != self._version:
                if self._version is not None:
                    self.held = Held(self.library)
                self._version = version
                self._remembered.clear()
            return self.held

    def forget(self) -> None:
        """Search again, for tags have changed."""
        with self._lock:
            self._remembered.clear()

    def find(self, asked: Asked) -> Found:
        """The songs that are asked for: those that `autotag.library.query.find` finds.

        Raises:
            TagNotFound, LibraryError: as of `find`.
        """
        held = self.refresh()
        found = self._remembered.get(asked)
        if found is None:
            found = self._find(asked, held)
            with self._lock:
                while len(self._remembered) >= REMEMBERED:
                    del self._remembered[next(iter(self._remembered))]
                self._remembered[asked] = found
        return found

    def _find(self, asked: Asked, held: Held) -> Found:
        vocabulary = Vocabulary(self.library)
        terms = understood(asked, vocabulary)
        mask = np.ones(len(held.ids), np.bool_)
        for term, wanted in terms.rows:
            mask &= held.having(term) == wanted
        products, names = np.ones(len(held.ids), np.float64), 0
        for tags, wanted in terms.tags:
            by_tag = search(vocabulary, [tags] * wanted, [tags] * (not wanted), asked.minimum, asked.minimum)
            for source in by_tag.sources:
                having, each = self._scores(source, held)
                mask, products, names = mask & having, products * each, names + 1
            for where, part in by_tag.conditions:
                mask &= self._tracks(part, held) == (where == "IN")
        scores: NDArray[np.float32] = np.zeros(0, np.float32)
        if names:
            scores = (products ** (1 / names)).astype(np.float32)
        places = held.order(np.flatnonzero(mask), "path" if asked.sort == "score" else asked.sort)
        if len(scores) and asked.sort == "score":
            places = places[np.argsort(-scores[places], kind="stable")]
        return Found(held.ids[places], scores[places] if len(scores) else scores, terms.notes)

    def _scores(self, source: Part, held: Held) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Which songs a query for track and score finds, and the scores: [n] both."""
        rows = self.library.query(source.sql, *source.values)
        with plainly(self.library.path, "read"):
            ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
            scores = np.fromiter((row[1] for row in rows), np.float64, len(rows))
        places, inside = held.places(ids)
        having, found = np.zeros(len(held.ids), np.bool_), np.zeros(len(held.ids))
        having[places], found[places] = True, scores[inside]
        return having, found

    def _tracks(self, part: Part, held: Held) -> NDArray[np.bool_]:
        """Which songs a query for tracks finds: [n]."""
        # Half of all tracks may be in it, some of them several times: one text is read sooner than its rows.
        ((text,),) = self.library.query(f"SELECT group_concat(track) FROM ({part.sql})", *part.values)
        found = np.zeros(len(held.ids), np.bool_)
        if text:
            with plainly(self.library.path, "read"):
                found[held.places(np.fromstring(text, np.int64, sep=","))[0]] = True
        return found

    def rows(self, ids: Iterable[int], scores: Iterable[float] = ()) -> list[dict[str, Any]]:
        """What a list shows of songs: plain values."""
        held, each = self.held, dict(zip_longest(ids, scores))
        places, _ = held.places(np.array(list(each), np.int64))
        tags = self.tags(each)
        rows = []
        for place in places.tolist():
            track = int(held.ids[place])
            best = [[tag, round(score, 2)] for tag, score in tags[track][:SHOWN]]
            row = named(held.paths[place], held.root) | {
                "id": track,
                "seconds": round(float(held.durations[place]), 1),
                "modified": int(held.modified[place]) // 10**9,
                "tags": best,
            }
            rows.append(row if each[track] is None else row | {"score": round(float(each[track]), 2)})
        return rows

    def ids(self, paths: Iterable[str]) -> dict[str, int]:
        """The tracks that have some paths, by these."""
        sql = "SELECT id FROM tracks WHERE path = ?"
        return {path: track for path in paths for (track,) in self.library.query(sql, stored(path))}

    def counts(self) -> list[dict[str, Any]]:
        """Each tag by its name, its kind, and how many songs are likely to have it."""
        counts = {tag: count(self.library, query(self.library, [tag])) for tag in self.library.tags}
        return [{"tag": tag, "kind": meaning_of(tag).kind, "songs": counts[tag]} for tag in counts]

    def tags(self, ids: Iterable[int]) -> dict[int, list[Tag]]:
        """All tags of songs by their ids, the highest score first."""
        found: dict[int, list[Tag]] = {track: [] for track in ids}
        numbers = ", ".join(map(str, map(int, found)))
        sql = f"""SELECT track, tags.tag, score FROM tags CROSS JOIN scores
            ON scores.tag = tags.id AND track IN ({numbers}) ORDER BY score DESC"""
        with plainly(self.library.path, "read"):
            for track, tag, score in self.library.query(sql):
                found[track].append(Tag(str(tag), float(score)))
        return found


def _root(paths: Sequence[str]) -> str:
    """The folder that all paths are below: the first and the last one of the alphabet have it in common."""
    try:
        return (
            os.path.commonpath([PurePath(path).parent for path in (min(paths), max(paths))]) if paths else ""
        )
    except ValueError:  # other drives, or relative and absolute ones
        return ""


def named(path: str, root: str) -> dict[str, str]:
    """A path as it is shown: its name, and its folder, from the one on that all songs are below."""
    whole = PurePath(path)
    folder = whole.parent.relative_to(PurePath(root).parent) if root else whole.parent
    return {"name": printable(whole.name), "folder": printable(str(folder))}
