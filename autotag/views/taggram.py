"""Tags over time: what a network says of each segment of a file, as a value, and as numbers in a file."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotag.audio.mel import Array
from autotag.models.metadata import Metadata
from autotag.request import NAMES
from autotag.system.text import as_json
from autotag.tagger import Scores

PEAKS = 100
"""Peaks a second that an envelope is made of."""


@dataclass(frozen=True, slots=True)
class Taggram:
    """Scores of the segments of a file.

    Attributes:
        path: the file as it was named.
        model: name of the model.
        seconds: of audio in the file.
        length: seconds of a segment.
        tags: their names.
        scores: float32 [segments, tags], in 0..1.
        times: float64 [segments], seconds at which each segment starts.
    """

    path: str
    model: str
    seconds: float
    length: float
    tags: tuple[str, ...]
    scores: Array
    times: NDArray[np.float64]

    @classmethod
    def of(cls, path: str | Path, heard: Scores, metadata: Metadata) -> "Taggram":
        """What a model has heard in a whole file."""
        length = metadata.config.segment_samples / metadata.config.sr
        return cls(
            *(str(path), metadata.name, heard.seconds, length, metadata.tags, heard.scores, heard.times)
        )

    def shown(self, top: int) -> "Taggram":
        """The tags that score highest anywhere, in that order; those of one meaning as one.

        Args:
            top: how many at most; 0 for all.
        """
        names = [NAMES.get(tag, tag) for tag in self.tags]
        found = {name: self.scores[:, [name == other for other in names]].max(axis=1) for name in names}
        best = sorted(found, key=lambda name: -found[name].max())[: top or None]
        scores = np.stack([found[name] for name in best], axis=1)
        return Taggram(self.path, self.model, self.seconds, self.length, tuple(best), scores, self.times)

    def columns(self, most: int) -> tuple[NDArray[np.float64], Array]:
        """What to draw: edges [n + 1] in seconds from 0 to the end of the file, and scores [n, tags] between.

        A column reaches to the middle between its segment's centre and the next one's. If there are more
        than `most`, neighbours are averaged.
        """
        centres = self.times + self.length / 2
        edges = np.concatenate([[0.0], (centres[1:] + centres[:-1]) / 2, [self.seconds]])
        together = -(-len(self.scores) // most)
        starts = np.arange(0, len(self.scores), together)
        counts = np.diff(starts, append=len(self.scores))
        sums = np.add.reduceat(self.scores, starts, axis=0, dtype=np.float32)
        means: Array = (sums / counts[:, None]).astype(np.float32)
        return np.append(edges[starts], self.seconds), means


def envelope(blocks: Iterable[Array], sr: int, columns: int) -> Array:
    """The outline of a waveform that comes in blocks [n]: the highest peak in each of some spans, [columns].

    A file with fewer than `PEAKS` peaks a column has fewer columns.
    """
    size = sr // PEAKS
    peaks: list[Array] = []
    held = np.zeros(0, np.float32)
    for block in blocks:
        held = np.concatenate([held, np.abs(block)])
        whole = len(held) // size * size
        peaks.append(held[:whole].reshape(-1, size).max(axis=1))
        held = held[whole:]
    if len(held):
        peaks.append(held.max(keepdims=True))
    every = np.concatenate(peaks)
    starts = np.linspace(0, len(every), min(columns, len(every)), endpoint=False).astype(int)
    outline: Array = np.maximum.reduceat(every, starts)
    return outline


def write_json(taggram: Taggram, path: Path) -> None:
    """An object of the fields of `Taggram`, arrays as lists."""
    found = {name: getattr(taggram, name) for name in Taggram.__slots__}
    found |= {"seconds": round(taggram.seconds, 4), "length": round(taggram.length, 4)}
    found["scores"] = [[round(score, 4) for score in row] for row in taggram.scores.tolist()]
    found["times"] = [round(time, 4) for time in taggram.times.tolist()]
    path.write_text(as_json(found) + "\n", "utf-8")


def write_csv(taggram: Taggram, path: Path) -> None:
    """A row a segment: when it starts and ends, in seconds, and the score of each tag."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["start", "end", *taggram.tags])
        for time, scores in zip(taggram.times.tolist(), taggram.scores.tolist(), strict=True):
            end = min(time + taggram.length, taggram.seconds)
            writer.writerow([f"{time:.4f}", f"{end:.4f}", *(f"{score:.4f}" for score in scores)])


def write_npz(taggram: Taggram, path: Path) -> None:
    """An array of the name of each field of `Taggram`."""
    with path.open("wb") as file:
        arrays: dict[str, Any] = {name: getattr(taggram, name) for name in Taggram.__slots__}
        np.savez_compressed(file, **arrays)


WRITERS: dict[str, Callable[[Taggram, Path], None]] = {
    ".json": write_json,
    ".csv": write_csv,
    ".npz": write_npz,
}
"""What writes the numbers, by the ending of the file."""
