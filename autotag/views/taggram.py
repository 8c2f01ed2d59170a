"""Tags over time: what to draw of the scores of a file's segments, and the numbers in a file."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autotag.audio.mel import Array
from autotag.errors import VocabularyNotFound
from autotag.models.registry import ModelFile, auc
from autotag.request import ALL, Selection, imply, merge
from autotag.scores import Scores
from autotag.system.text import as_json

EVERY_OUTPUT = Selection(top=0, merge=False)
"""Each name once, whatever it means."""

PEAKS = 100
"""Peaks a second that an envelope is made of."""


class Cells(NamedTuple):
    """What is drawn of a taggram.

    Attributes:
        edges: float64 [n + 1], seconds from 0 to the end of the file.
        tags: of the rows.
        scores: float32 [n, tags], in 0..1.
    """

    edges: NDArray[np.float64]
    tags: tuple[str, ...]
    scores: Array


def preference(file: ModelFile, compared: bool = True) -> tuple[int, bool, float]:
    """The higher, the better a model suits for tags over time: short segments first, then ROC AUC.

    Args:
        compared: whether its ROC AUC is of the same data as that of others.
    """
    config = file.metadata.config
    return -round(config.segment_samples / config.sr), compared, auc(file)


def too_short(scores: Scores) -> bool:
    """Whether a file is less than two segments, so that there is nothing to see over time."""
    return scores.duration < 2 * scores.segment_seconds


def of_vocabulary(scores: Scores, vocabulary: str) -> Scores:
    """The scores of one vocabulary's outputs.

    Raises:
        VocabularyNotFound: there are none.
    """
    places = [n for n, output in enumerate(scores.outputs) if vocabulary in (ALL, output.vocabulary)]
    if not places:
        names = ", ".join(dict.fromkeys(output.vocabulary for output in scores.outputs))
        raise VocabularyNotFound(f"{scores.model} has no vocabulary {vocabulary!r}. Use {names}, or all.")
    outputs = tuple(scores.outputs[place] for place in places)
    return replace(scores, outputs=outputs, scores=scores.scores[:, places])


def cells(scores: Scores, most: int, top: int) -> Cells:
    """The tags that score highest anywhere, in that order; those of one meaning as one.

    A column reaches to the middle between its segment's centre and the next one's. If there are more
    than `most`, neighbours are averaged.

    Args:
        top: how many tags at most; 0 for all.
    """
    centres = scores.times + scores.segment_seconds / 2
    edges = np.concatenate([[0.0], (centres[1:] + centres[:-1]) / 2, [scores.duration]])
    together = -(-len(scores.scores) // most)
    starts = np.arange(0, len(scores.scores), together)
    counts = np.diff(starts, append=len(scores.scores))
    means = np.add.reduceat(scores.scores, starts, axis=0, dtype=np.float32) / counts[:, None]
    columns = [imply(merge(EVERY_OUTPUT.choose(scores.outputs, column))) for column in means.tolist()]
    best = sorted(columns[0], key=lambda name: -max(column[name] for column in columns))[: top or None]
    values = np.array([[column[name] for name in best] for column in columns], np.float32)
    return Cells(np.append(edges[starts], scores.duration), tuple(best), values)


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


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are some.

    >>> clock(61), clock(3600)
    ('1:01', '1:00:00')
    """
    minutes, rest = divmod(int(seconds + 1e-6), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def labels(scores: Scores) -> list[str]:
    """A name for each output: its tag, with the vocabulary where it stands in several."""
    counts = Counter(output.tag for output in scores.outputs)
    return [f"{tag} ({vocabulary})" if counts[tag] > 1 else tag for vocabulary, tag in scores.outputs]


def write_json(path: str, scores: Scores, out: Path) -> None:
    """An object of the fields of `numbers`, arrays as lists."""
    found = numbers(path, scores)
    found["scores"] = [[round(score, 4) for score in row] for row in scores.scores.tolist()]
    found["times"] = [round(time, 4) for time in scores.times.tolist()]
    out.write_text(as_json(found) + "\n", "utf-8")


def write_csv(path: str, scores: Scores, out: Path) -> None:
    """A row a segment: when it starts and ends, in seconds, and the score of each output."""
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["start", "end", *labels(scores)])
        for time, row in zip(scores.times.tolist(), scores.scores.tolist(), strict=True):
            end = min(time + scores.segment_seconds, scores.duration)
            writer.writerow([f"{time:.4f}", f"{end:.4f}", *(f"{score:.4f}" for score in row)])


def write_npz(path: str, scores: Scores, out: Path) -> None:
    """An array of the name of each field of `numbers`."""
    with out.open("wb") as file:
        np.savez_compressed(file, **numbers(path, scores))


def numbers(path: str, scores: Scores) -> dict[str, Any]:
    """All there is to know of the segments of a file, by name.

    `scores` [segments, outputs], `times` [segments] in seconds, `tags` and `vocabularies` of the outputs.
    """
    return {
        "path": path,
        "model": scores.model,
        "sha256": scores.sha256,
        "duration": round(scores.duration, 4),
        "segment_seconds": round(scores.segment_seconds, 4),
        "tags": [output.tag for output in scores.outputs],
        "vocabularies": [output.vocabulary for output in scores.outputs],
        "scores": scores.scores,
        "times": scores.times,
    }


WRITERS: dict[str, Callable[[str, Scores, Path], None]] = {
    ".json": write_json,
    ".csv": write_csv,
    ".npz": write_npz,
}
"""What writes the numbers, by the ending of the file."""
