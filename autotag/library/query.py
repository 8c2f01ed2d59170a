"""Ask a library: which tracks have these tags, which sound like this one, what is in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autotag.errors import LibraryError
from autotag.library.database import Library
from autotag.library.opening import plainly
from autotag.library.rows import as_path, as_seconds
from autotag.library.sql import Search, search
from autotag.library.tags import Vocabulary
from autotag.library.terms import parse
from autotag.request import LIKELY
from autotag.result import Failure

FAINT = 0.25
"""The score down to which tracks are counted that a search leaves out."""

Sort = Literal["score", "path", "duration", "newest", "random"]


@dataclass(frozen=True, slots=True)
class Found:
    """A track that was found.

    Attributes:
        path: as the library has it.
        duration: seconds.
        score: what the tracks are ranked by, at most 1, the best first.
        tags: the score of each tag that was asked for.
        copies: paths of other files of the same recording, which `similar` leaves out.
    """

    path: str
    duration: float
    score: float
    tags: tuple[tuple[str, float], ...] = ()
    copies: tuple[str, ...] = ()


def find(
    library: Library,
    wanted: Sequence[str] | str,
    unwanted: Sequence[str] | str = (),
    minimum: float = LIKELY,
    limit: int | None = 50,
    *,
    sort: Sort = "score",
) -> list[Found]:
    """The tracks that have all of the wanted tags and none of the unwanted ones.

    A track has a tag if its score is at least `minimum`. Scores are those of `Selection.choose`: tags of one
    meaning are one, a tag has at least the score of those that imply it, and one that is excluded is none. A
    track of which a tag is not wanted has none either that implies it.

    Tracks are ranked by the geometric mean of the wanted tags' scores: all of them must be high, and a tag
    whose scores are low in every track weighs no less than another. Without a wanted tag, by path.

    Args:
        wanted, unwanted: tags, or other terms of `autotag.library.terms`.
        minimum: a score from 0 to 1.
        limit: how many tracks at most; None or 0 for all.
        sort: what comes first: the highest `"score"`, `"path"`, `"duration"` (the longest), the `"newest"`
            file, or any (`"random"`).

    Raises:
        TagNotFound: naming the nearest tags, or the vocabulary that has it.
        LibraryError: a term or number is none, or the library cannot be read.
    """
    asked = query(library, wanted, unwanted, minimum)
    return rows_of(library, asked, limit, sort)


def query(
    library: Library,
    wanted: Sequence[str] | str,
    unwanted: Sequence[str] | str = (),
    minimum: float = LIKELY,
    unwanted_minimum: float | None = None,
) -> Search:
    """The search that `find` makes; see there.

    Args:
        unwanted_minimum: the score from which on a track has an unwanted tag; by default `minimum`.
    """
    vocabulary = Vocabulary(library)
    has, has_not = (
        [parse(text, vocabulary.knows) for text in ([texts] if isinstance(texts, str) else texts)]
        for texts in (wanted, unwanted)
    )
    least = _score(minimum)
    return search(
        vocabulary, has, has_not, least, least if unwanted_minimum is None else _score(unwanted_minimum)
    )


def rows_of(library: Library, asked: Search, limit: int | None = 50, sort: Sort = "score") -> list[Found]:
    """The tracks that a search finds."""
    part = asked.select(sort, (_number(limit) if limit is not None else 0) or -1)
    found = []
    with plainly(library.path, "read"):
        for path, duration, product, *each in library.query(part.sql, *part.values):
            tags = tuple(zip(asked.names, map(float, each), strict=True))
            if not all(0 <= score <= 1 for _, score in tags):
                raise ValueError(f"scores {each}, which are from 0 to 1")
            score = float(product) ** (1 / max(1, len(each)))
            found.append(Found(as_path(path), as_seconds(duration), score, tags))
    return found


def count(library: Library, asked: Search) -> int:
    """How many tracks a search finds."""
    part = asked.count()
    ((number,),) = library.query(part.sql, *part.values)
    return int(number)


def stats(library: Library, minimum: float = LIKELY) -> dict[str, Any]:
    """What is in a library, as plain values.

    `tracks` that have tags and their `hours`, `failures` by kind, how many tracks are of an earlier model
    (`outdated`), how many have how many `tags` set by hand (`corrected`), and for each of the `tags` how many
    `tracks` have it, as `find` counts them, and the `mean` score; the most frequent tag first.
    """
    ((tracks, seconds, outdated),) = library.query(
        "SELECT count(*), total(duration), total(coalesce(sha256, '') <> ?) FROM tracks WHERE ok",
        library.sha256,
    )
    with plainly(library.path, "read"):
        hours = as_seconds(seconds) / 3600
    failures = library.query(
        "SELECT error_kind, count(*) FROM tracks WHERE NOT ok GROUP BY error_kind ORDER BY 2 DESC, 1"
    )
    ((corrected, corrections),) = library.query("SELECT count(DISTINCT track), count(*) FROM corrections")
    tags = []
    for tag in library.tags:
        number = count(library, query(library, [tag], (), minimum))
        tags.append({"tag": tag, "tracks": number, "mean": _total(library, tag) / max(1, tracks)})
    return {
        "model": library.model,
        "tracks": tracks,
        "outdated": int(outdated),
        "hours": hours,
        "corrected": {"tracks": corrected, "tags": corrections},
        "failures": {str(kind): number for kind, number in failures},
        "minimum": float(minimum),
        "tags": sorted(tags, key=lambda tag: (-tag["tracks"], -tag["mean"], tag["tag"])),
    }


def failures(library: Library) -> list[Failure]:
    """The files that cannot be tagged, by path, each with the reason."""
    sql = "SELECT path, error_kind, error_message, size, modified FROM tracks WHERE NOT ok ORDER BY path"
    with plainly(library.path, "read"):
        return [
            Failure(as_path(path), str(kind), str(message), size, modified)
            for path, kind, message, size, modified in library.query(sql)
        ]


def _total(library: Library, tag: str) -> float:
    """The sum of a tag's scores."""
    ((total, lowest, highest),) = library.query(
        "SELECT total(score), min(score), max(score) FROM scores WHERE tag = ?", library.tags[tag]
    )
    with plainly(library.path, "read"):
        if lowest is not None and not 0 <= lowest <= highest <= 1:
            raise ValueError(f"scores from {lowest} to {highest} of {tag}, which are from 0 to 1")
    return float(total)


def _score(value: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, str | bool) or not 0 <= number <= 1:
        raise LibraryError(f"minimum is {value!r}. Use a score from 0 to 1.")
    return number


def _number(value: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 0:
        raise LibraryError(f"limit is {value!r}. Use a number of tracks, or 0 for all.")
    return value.__index__()
