"""A search as SQL, in which every value is bound."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from autotag.errors import LibraryError
from autotag.library.schema import INDEXED
from autotag.library.tags import Vocabulary
from autotag.library.terms import DurationTerm, PathTerm, TagTerm, Term

ORDERS = {
    "score": "product DESC, tracks.id",
    "path": "path",
    "duration": "duration DESC, path",
    "newest": "modified DESC, path",
    "random": "random()",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of SQL, and its values."""

    sql: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for, with the names of tags resolved.

    Attributes:
        sources: for each wanted tag a query for track and score of the tracks that have it.
        names: what the wanted tags are called.
        conditions: queries for tracks that all must be `"IN"` or `"NOT IN"`.
        filters: conditions on the row of the track itself.
    """

    sources: list[Part] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    conditions: list[tuple[Literal["IN", "NOT IN"], Part]] = field(default_factory=list)
    filters: list[Part] = field(default_factory=list)

    def select(self, sort: str, limit: int) -> Part:
        """A query for path, duration, product of the wanted tags' scores, and each of these."""
        if sort not in ORDERS:
            raise LibraryError(f"sort is {sort!r}. Use {', '.join(ORDERS)}.")
        if not self.sources:
            order = ORDERS["path" if sort == "score" else sort]
            where = self._where("tracks.id", self.filters)
            sql = f"SELECT path, duration, 1.0 FROM tracks WHERE ok {where.sql} ORDER BY {order} LIMIT ?"
            return Part(sql, (*where.values, limit))
        scores = "".join(f", t{n}.score AS s{n}" for n in range(len(self.sources)))
        product = " * ".join(f"t{n}.score" for n in range(len(self.sources)))
        tables, where = self._tables(), self._where("t0.track", self.filters)
        best = f"SELECT t0.track AS track, {product} AS product{scores} FROM {tables.sql} WHERE 1 {where.sql}"
        values = tables.values + where.values
        if sort == "score":  # the best of many are chosen before their paths are looked up
            best += " ORDER BY product DESC, t0.track LIMIT ?"
            values = (*values, limit)
        each = "".join(f", s{n}" for n in range(len(self.sources)))
        sql = (
            f"SELECT path, duration, product{each} FROM ({best}) AS best "
            f"CROSS JOIN tracks ON tracks.id = track ORDER BY {ORDERS[sort]} LIMIT ?"
        )
        return Part(sql, (*values, limit))

    def count(self) -> Part:
        """A query for how many tracks there are."""
        if not self.sources:
            where = self._where("tracks.id", self.filters)
            return Part(f"SELECT count(*) FROM tracks WHERE ok {where.sql}", where.values)
        tables, where = self._tables(), self._where("t0.track", self.filters)
        return Part(f"SELECT count(*) FROM {tables.sql} WHERE 1 {where.sql}", tables.values + where.values)

    def _tables(self) -> Part:
        first, *others = [f"({source.sql}) AS t{n}" for n, source in enumerate(self.sources)]
        joins = "".join(f" CROSS JOIN {other} USING (track)" for other in others)
        rows = " CROSS JOIN tracks ON tracks.id = t0.track" if self.filters else ""
        return Part(f"{first}{joins}{rows}", _values(self.sources))

    def _where(self, track: str, filters: list[Part]) -> Part:
        conditions = [
            *(f"AND {track} {where} ({part.sql})" for where, part in self.conditions),
            *(f"AND {f.sql}" for f in filters),
        ]
        return Part(" ".join(conditions), _values(part for _, part in self.conditions) + _values(filters))


def search(
    vocabulary: Vocabulary,
    wanted: Iterable[Term],
    unwanted: Iterable[Term],
    minimum: float,
    unwanted_minimum: float,
) -> Search:
    """A search for terms.

    Args:
        minimum, unwanted_minimum: the score from which on a track has a wanted, an unwanted tag.

    Raises:
        TagNotFound: the library has no such tag.
        LibraryError: terms do not go together.
    """
    found = Search()
    for term, wants in [*((term, True) for term in wanted), *((term, False) for term in unwanted)]:
        if not isinstance(term, tuple):
            part = _of_path(term) if isinstance(term, PathTerm) else _of_duration(term)
            found.filters.append(part if wants else Part(f"NOT ({part.sql})", part.values))
        elif upper := [tag for tag in term if _is_upper(tag)]:
            if len(term) > 1:
                raise LibraryError(f"'{upper[0].name}' has only an upper bound, which does not go with 'or'.")
            part = _any_of(vocabulary, [_complement(tag) for tag in term], 0.0, special=wants, ranked=False)
            found.conditions.append(("NOT IN" if wants else "IN", _tracks(part)))
        elif wants:
            found.sources.append(_any_of(vocabulary, term, minimum, special=False, first=not found.sources))
            found.names.append(" or ".join(tag.name for tag in term))
        else:
            part = _any_of(vocabulary, term, unwanted_minimum, special=True, ranked=False)
            found.conditions.append(("NOT IN", _tracks(part)))
    return found


def _any_of(
    vocabulary: Vocabulary,
    tags: Iterable[TagTerm],
    minimum: float,
    special: bool,
    first: bool = True,
    ranked: bool = True,
) -> Part:
    """A query for the tracks that have one of some tags, with the highest score of these.

    Args:
        special: whether tags that imply one count as it.
        first: whether the tracks are found by this; else it is asked about track after track, by the key of
            the table and not by the index of scores.
        ranked: whether each track comes once, with its highest score.
    """
    parts = []
    tags = list(tags)
    for tag in tags:
        ids = vocabulary.ids_with_special(tag.name) if special else vocabulary.ids(tag.name)
        lower = [(sign, value) for sign, value in tag.bounds if sign[0] == ">"] or [(">=", minimum)]
        upper = [(sign, value) for sign, value in tag.bounds if sign[0] == "<"]
        indexed = first or len(ids) * len(tags) > 1
        part = _highest([_having(tag_id, lower, indexed) for tag_id in ids], ranked or bool(upper))
        if upper:
            limits = " AND ".join(f"score {sign} ?" for sign, _ in upper)
            values = part.values + tuple(value for _, value in upper)
            part = Part(f"SELECT track, score FROM ({part.sql}) WHERE {limits}", values)
        parts.append(part)
    return _highest(parts, ranked)


def _tracks(part: Part) -> Part:
    return Part(f"SELECT track FROM ({part.sql})", part.values)


def _highest(parts: list[Part], ranked: bool) -> Part:
    if len(parts) == 1:
        return parts[0]
    each = " UNION ALL ".join(f"SELECT track, score FROM ({part.sql})" for part in parts)
    if not ranked:
        return Part(each, _values(parts))
    return Part(f"SELECT track, max(score) AS score FROM ({each}) GROUP BY track", _values(parts))


def _having(tag: int, lower: list[tuple[Any, float]], indexed: bool) -> Part:
    """A query for track and score of the tracks with a tag, above some scores."""
    # An index of some rows may be used only where the query says that it asks for no others.
    index, likely = ("", "")
    if indexed and lower[0][1] >= INDEXED:
        index, likely = "INDEXED BY likely", f"AND score >= {INDEXED}"
    limits = " AND ".join(f"score {sign} ?" for sign, _ in lower)
    sql = f"SELECT track, score FROM scores {index} WHERE tag = ? AND {limits} {likely}"
    return Part(sql, (tag, *(value for _, value in lower)))


def _is_upper(tag: TagTerm) -> bool:
    """Whether a tag's range goes down to 0, where tracks have no score at all."""
    return bool(tag.bounds) and all(sign[0] == "<" for sign, _ in tag.bounds)


def _complement(tag: TagTerm) -> TagTerm:
    """The tag with the scores that are too high."""
    ((sign, value), *_) = tag.bounds
    return TagTerm(tag.name, ((">" if sign == "<=" else ">=", value),))


def _of_path(term: PathTerm) -> Part:
    return Part("autotag_path(?, path)", (term.pattern,))


def _of_duration(term: DurationTerm) -> Part:
    return Part(f"coalesce(duration, 0) {term.sign} ?", (term.seconds,))


def _values(parts: Iterable[Part]) -> tuple[Any, ...]:
    return tuple(value for part in parts for value in part.values)
