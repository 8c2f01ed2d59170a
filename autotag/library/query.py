"""Ask a library: which tracks have these tags, which sound like this one, what is in it."""

import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from autotag.errors import TagNotFound
from autotag.library.database import Library, as_path
from autotag.library.schema import INDEXED
from autotag.request import NAMES


@dataclass(frozen=True, slots=True)
class Found:
    """A track that was found.

    Attributes:
        path: as the library has it.
        duration: seconds.
        score: what the tracks are ranked by, at most 1, the best first.
        tags: the score of each tag that was asked for.
    """

    path: str
    duration: float
    score: float
    tags: tuple[tuple[str, float], ...] = ()


def find(
    library: Library,
    wanted: Sequence[str],
    unwanted: Sequence[str] = (),
    minimum: float | None = None,
    limit: int = 50,
) -> list[Found]:
    """The tracks that have all of the wanted tags and none of the unwanted ones.

    A track has a tag if its score is at least `minimum`, by default the tag's own threshold. Tags of one
    meaning are one tag, with the highest score of those that count.

    Tracks are ranked by the geometric mean of the wanted tags' scores: all of them must be high, and a tag
    whose scores are low in every track weighs no less than another. Without a wanted tag, by path.

    Raises:
        TagNotFound: naming the nearest tags.
        LibraryError: the library cannot be read.
    """

    def having(tag: str) -> str:
        """A query for track and score of the tracks that have a tag, or another one of its meaning."""
        queries = []
        for name in synonyms(library, tag):
            least = library.thresholds[name] if minimum is None else minimum
            # An index of some rows may be used only where the query says that it asks for no others.
            index, likely = ("INDEXED BY likely", f"AND score >= {INDEXED}") if least >= INDEXED else ("", "")
            queries.append(
                f"SELECT track, score FROM scores {index}"
                f" WHERE tag = {library.ids[name]} AND score >= {least!r} {likely}"
            )
        return " UNION ALL ".join(queries)

    without = [f"NOT IN (SELECT track FROM ({having(tag)}))" for tag in unwanted]
    if wanted:
        each = [
            f"(SELECT track, max(score) AS score FROM ({having(tag)}) GROUP BY track) AS t{n}"
            for n, tag in enumerate(wanted)
        ]
        scores = [f"t{n}.score" for n in range(len(wanted))]
        sql = f"""
            SELECT path, duration, best.* FROM (
                SELECT {" * ".join(scores)} AS product, t0.track, {", ".join(scores)}
                FROM {each[0]} {" ".join(f"CROSS JOIN {other} USING (track)" for other in each[1:])}
                WHERE {" AND ".join(["1", *(f"t0.track {condition}" for condition in without)])}
                ORDER BY product DESC, t0.track LIMIT ?
            ) AS best JOIN tracks ON tracks.id = best.track ORDER BY product DESC, best.track
        """
    else:
        conditions = " AND ".join(["ok", *(f"id {condition}" for condition in without)])
        sql = f"SELECT path, duration, 1.0, id FROM tracks WHERE {conditions} ORDER BY path LIMIT ?"
    return [
        Found(
            as_path(path), duration, product ** (1 / max(1, len(each))), tuple(zip(wanted, each, strict=True))
        )
        for path, duration, product, _, *each in library.rows(sql, limit)
    ]


def similar(library: Library, embedding: bytes, limit: int = 20, but: Collection[str] = ()) -> list[Found]:
    """The tracks whose embeddings have the highest cosine with a compact one, without the paths `but`."""
    import numpy as np

    from autotag.library.vectors import cosines

    ids: list[int] = []
    parts = [np.zeros(0, np.float32)]
    for rows in library.batches("SELECT track, embedding FROM embeddings"):
        ids += (track for track, _ in rows)
        parts.append(cosines(b"".join(vector for _, vector in rows), embedding))
    cosine = np.concatenate(parts)
    nearest = heapq.nsmallest(limit + len(but), zip((-cosine).tolist(), ids, strict=True))
    found: list[Found] = []
    for distance, track in nearest:
        for path, duration in library.rows("SELECT path, duration FROM tracks WHERE id = ?", track):
            found.append(Found(as_path(path), duration, -distance))
    return [track for track in found if track.path not in but][:limit]


def stats(library: Library) -> dict[str, Any]:
    """What is in a library, as plain values.

    `tracks` that have tags and their `hours`, `failures` by kind, and for each of the `tags` its `threshold`,
    how many `tracks` are above it, and the `mean` score; the most frequent tag first.
    """
    ((tracks, seconds),) = library.rows("SELECT count(*), total(duration) FROM tracks WHERE ok")
    failures = library.rows(
        "SELECT error_kind, count(*) FROM tracks WHERE NOT ok GROUP BY error_kind ORDER BY 2 DESC, 1"
    )
    tags = library.rows(
        "SELECT tags.tag, threshold, total(score >= threshold), avg(score)"
        " FROM tags LEFT JOIN scores ON scores.tag = tags.id GROUP BY id ORDER BY 3 DESC, 4 DESC, id"
    )
    return {
        "model": library.model,
        "tracks": tracks,
        "hours": seconds / 3600,
        "failures": dict(failures),
        "tags": [
            {"tag": tag, "threshold": threshold, "tracks": int(above), "mean": mean or 0.0}
            for tag, threshold, above, mean in tags
        ],
    }


def synonyms(library: Library, tag: str) -> list[str]:
    """The tags of a library that mean what a tag means, which may be written in any case."""
    known = {name.casefold(): name for name in (*NAMES, *library.thresholds)}
    name = known.get(tag.casefold(), tag)
    meant = [other for other in library.thresholds if NAMES.get(other, other) == NAMES.get(name, name)]
    if not meant:
        spoken = {name.casefold(): name for name in library.thresholds}
        near = [spoken[name] for name in get_close_matches(tag.casefold(), spoken, 3)]
        raise TagNotFound(
            f"{library.model} has no tag {tag!r}: "
            + (f"did you mean {' or '.join(map(repr, near))}? " if near else "")
            + "'autotag stats' lists its tags"
        )
    return meant
