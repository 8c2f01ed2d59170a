"""The songs of a library, searched in milliseconds while somebody types."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotag.browse.asked import Asked, understood
from autotag.browse.held import Held
from autotag.library.database import Library
from autotag.library.opening import plainly
from autotag.library.query import count, query
from autotag.library.rows import stored
from autotag.library.sql import Part, search
from autotag.library.tags import Vocabulary
from autotag.meaning import meaning_of
from autotag.result import Tag

SHOWN = 5
"""Tags of a song that a list shows."""

REMEMBERED = 16
"""Searches, and parts of searches, that are remembered: a list scrolls, and more words are typed."""

UNIT = 10**9
"""Steps of scores that are read as whole numbers."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes:
        ids: int64 [n], of the tracks, in order.
        scores: float64 [n], the geometric mean of the wanted tags' scores; empty where no tag is wanted.
        notes: what is to be said of how the words were read.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """The songs as they are now, and what was searched since they are so."""

    held: Held
    version: int
    found: dict[Asked, Found] = field(default_factory=dict)
    scores: dict[Part, NDArray[np.float64]] = field(default_factory=dict)


class Songs:
    """A library to be asked again and again, by any thread; what another program writes into it is seen.

    Raises (in every method): as of `autotag.library.database.Library`.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self._lock = Lock()
        self._state = State(Held(library), self._version())

    @property
    def held(self) -> Held:
        """The songs as they are now."""
        return self._now().held

    def forget(self) -> None:
        """Search again, for tags have changed."""
        with self._lock:
            self._state = State(self._state.held, self._state.version)

    def _now(self) -> State:
        with self._lock:
            version = self._version()
            if version != self._state.version:
                self._state = State(Held(self.library), version)
            return self._state

    def _version(self) -> int:
        """Another number after another program has written into the library."""
        ((version,),) = self.library.query("PRAGMA data_version")
        return int(version)

    def find(self, asked: Asked) -> Found:
        """The songs that are asked for: those that `autotag.library.query.find` finds.

        Raises:
            TagNotFound, LibraryError: as of `find`.
        """
        now = self._now()
        if asked not in now.found:
            _remember(now.found, asked, self._find(asked, now))
        return now.found.get(asked) or self._find(asked, now)

    def _find(self, asked: Asked, now: State) -> Found:
        vocabulary = Vocabulary(self.library)
        terms = understood(asked, vocabulary)
        mask = np.ones(len(now.held.ids), np.bool_)
        for term, wanted in terms.rows:
            mask &= now.held.having(term) == wanted
        ranked = []
        for tags, wanted in terms.tags:
            by_tag = search(vocabulary, [tags] * wanted, [tags] * (not wanted), asked.minimum, asked.minimum)
            for part in by_tag.sources:
                ranked.append(self._scores(part, "score", now))
                mask &= ranked[-1] >= 0
            for where, part in by_tag.conditions:
                mask &= (self._scores(part, "NULL", now) >= 0) == (where == "IN")
        places = now.held.ordered(mask, "path" if asked.sort == "score" else asked.sort)
        scores = np.zeros(0)
        if ranked:
            scores = np.prod([each[places] for each in ranked], axis=0) ** (1 / len(ranked))
        if ranked and asked.sort == "score":
            best = np.argsort(-scores, kind="stable")
            places, scores = places[best], scores[best]
        return Found(now.held.ids[places], scores, terms.notes)

    def _scores(self, part: Part, score: str, now: State) -> NDArray[np.float64]:
        """The score of each song by a query for tracks: [n], -1 where it is not found.

        Args:
            score: what the query has as it; NULL for nothing.
        """
        found = now.scores.get(part)
        if found is None:
            # Whole numbers in two texts: a tag may be that of half of all tracks, and their rows take longer.
            columns = f"group_concat(track), group_concat(CAST({score} * {UNIT} AS INTEGER))"
            ((ids, scores),) = self.library.query(f"SELECT {columns} FROM ({part.sql})", *part.values)
            found = np.full(len(now.held.ids), -1.0)
            with plainly(self.library.path, "read"):
                places, inside = now.held.places(np.fromstring(ids or "", np.int64, sep=","))
                found[places] = np.fromstring(scores, np.int64, sep=",")[inside] / UNIT if scores else 0
            _remember(now.scores, part, found)
        return found

    def rows(self, ids: Iterable[int], scores: Iterable[float] = ()) -> list[dict[str, Any]]:
        """What a list shows of songs: plain values."""
        held, each = self.held, dict(zip_longest(ids, scores))
        places, _ = held.places(np.array(list(each), np.int64))
        tags = self.tags(each)
        rows = []
        for place in places.tolist():
            track = int(held.ids[place])
            row = held.named(place) | {
                "id": track,
                "seconds": round(float(held.durations[place]), 1),
                "modified": int(held.modified[place]) // 10**9,
                "tags": [[tag, round(score, 2)] for tag, score in tags[track][:SHOWN]],
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


def _remember(where: dict[Any, Any], what: Any, value: Any) -> None:
    while len(where) >= REMEMBERED:
        where.pop(next(iter(where)), None)
    where[what] = value
