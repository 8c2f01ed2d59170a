"""Which tracks sound alike, and which are the same recording."""

from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from autotag.errors import LibraryError
from autotag.library.database import Library
from autotag.library.opening import plainly
from autotag.library.query import Found
from autotag.library.rows import as_path, as_seconds, stored
from autotag.library.spelling import known_path

if TYPE_CHECKING:
    from autotag.audio.content import AudioInput

SAME = 0.98
"""The cosine from which on two tracks of one duration are the same recording.

Measured with `benchmarks/copies.py` and vgg-12k-48-x2-db. Of 40 clips of 29.1 s from different owners written
again all reach 0.98 as MP3 of good quality and as WAV at 22 kHz, 90 % as MP3 of middle quality, 72 % as Opus,
52 % as OGG of the worst quality, 17 % 12 dB softer, and one as MP3 of the worst quality. Of 180,116 pairs of
clips of 14.6 s from different sources none reaches 0.91. Of 2,594 pairs from one source 0.5 % reach 0.98:
there the durations decide. To be measured again for another default model.
"""

SAME_DURATION = 0.01
"""By how much, of the longer one, their durations differ at most."""

AT_ONCE = 256
"""Tracks that are compared at once with those of about their duration."""


class Near(NamedTuple):
    """A track that is near another one."""

    cosine: float
    path: str
    duration: float
    vector: bytes


def similar(library: Library, audio: "AudioInput", *, limit: int = 20, copies: bool = False) -> list[Found]:
    """The tracks whose embeddings have the highest cosine with that of a sound, without the sound itself.

    Args:
        audio: a path, in the library or not, or any other sound that `Tagger.tag` takes.
        limit: how many at most; 0 for all.
        copies: list each copy of a recording; else the first stands for all, which are in `Found.copies`,
            and copies of the sound are left out. Copies have durations within 1 % and a cosine of at least
            `SAME`.

    Raises:
        AudioError: the sound is not in the library and cannot be tagged.
        LibraryError: the library is of a model that is not installed in that version, or cannot be read.
    """
    path = known_path(library, audio) if isinstance(audio, str | PathLike) else None
    vector = None if path is None else library.embedding(path)
    duration = _duration(library, path) if vector is not None else None
    if vector is None:
        vector, duration = _heard(library, audio)
    found: list[tuple[Near, list[str]]] = []
    for near in _nearest(library, vector):
        if near.path == path:
            continue
        if not copies:
            if duration is not None and _is_copy(near.cosine, near.duration, duration):
                continue
            first = next((each for each, _ in found if _are_copies(each, near)), None)
            if first is not None:
                next(others for each, others in found if each is first).append(near.path)
                continue
        if limit and len(found) >= limit:
            break
        found.append((near, []))
    return [Found(near.path, near.duration, min(1.0, near.cosine), (), tuple(also)) for near, also in found]


def duplicates(library: Library) -> list[list[str]]:
    """Paths of the tracks that are the same recording, in each list in the order of the library."""
    import numpy as np

    from autotag.library.vectors import SIZE

    rows = library.query(
        "SELECT id, path, duration, embedding FROM embeddings JOIN tracks ON id = track ORDER BY duration, id"
    )
    with plainly(library.path, "read"):
        durations = np.array([as_seconds(row[2]) for row in rows])
        packed = b"".join(bytes(row[3]) for row in rows)
        vectors = np.frombuffer(packed, np.int8).reshape(len(rows), SIZE).astype(np.float32)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1)
        ends = np.searchsorted(durations, durations / (1 - SAME_DURATION), side="right")
        leader = list(range(len(rows)))
        for start in range(0, len(rows), AT_ONCE):
            stop = min(start + AT_ONCE, len(rows))
            last = int(ends[stop - 1])
            same = vectors[start:stop] @ vectors[start:last].T >= SAME
            for one, other in np.argwhere(np.triu(same, 1)).tolist():
                if start + other < ends[start + one]:
                    _join(leader, start + one, start + other)
        groups: dict[int, list[int]] = {}
        for number in range(len(rows)):
            groups.setdefault(_leader(leader, number), []).append(number)
        found = [sorted(group, key=lambda n: rows[n][0]) for group in groups.values() if len(group) > 1]
        return sorted([as_path(rows[number][1]) for number in group] for group in found)


def _nearest(library: Library, vector: bytes) -> Iterator[Near]:
    """All tracks, the nearest first."""
    import numpy as np

    from autotag.library.vectors import cosines

    ids: list[int] = []
    parts = [np.zeros(0, np.float32)]
    for rows in library.batches("SELECT track, embedding FROM embeddings"):
        with plainly(library.path, "read"):
            ids += (track for track, _ in rows)
            parts.append(cosines(b"".join(each for _, each in rows), vector))
    cosine = np.concatenate(parts)
    sql = "SELECT path, duration, embedding FROM tracks JOIN embeddings ON track = id WHERE id = ?"
    for number in np.argsort(-cosine, kind="stable").tolist():
        for path, duration, each in library.query(sql, ids[number]):
            with plainly(library.path, "read"):
                near = Near(float(cosine[number]), as_path(path), as_seconds(duration), each)
            yield near


def _are_copies(one: Near, other: Near) -> bool:
    from autotag.library.vectors import cosines

    if not _is_copy(1.0, one.duration, other.duration):
        return False
    return _is_copy(float(cosines(one.vector, other.vector)[0]), one.duration, other.duration)


def _is_copy(cosine: float, one: float, other: float) -> bool:
    return cosine >= SAME and abs(one - other) <= SAME_DURATION * max(one, other)


def _duration(library: Library, path: str | None) -> float | None:
    found = library.query("SELECT duration FROM tracks WHERE path = ?", stored(path or ""))
    with plainly(library.path, "read"):
        return next((as_seconds(duration) for (duration,) in found if duration is not None), None)


def _heard(library: Library, audio: Any) -> tuple[bytes, float]:
    """Compact embedding and duration of a sound that is not in the library, by the library's model."""
    from autotag.library.vectors import compact
    from autotag.models.registry import find
    from autotag.tagger import Tagger

    model = find(library.model)
    if model.sha256 != library.sha256:
        raise LibraryError(
            f"{library.path}: made with another version of {library.model} than is installed, whose "
            "embeddings do not compare. Run 'autotag scan' with --force, or name a file in the library."
        )
    scores = Tagger(library.model).scores(audio, library.excerpt)
    return compact(scores.embedding()), scores.duration


def _leader(leader: list[int], number: int) -> int:
    while leader[number] != number:
        leader[number] = leader[leader[number]]
        number = leader[number]
    return number


def _join(leader: list[int], one: int, other: int) -> None:
    first, second = sorted((_leader(leader, one), _leader(leader, other)))
    leader[second] = first
