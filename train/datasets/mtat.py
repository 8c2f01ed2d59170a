"""MagnaTagATune's layout: `annotations_final.csv` and MP3s in folders 0 to f, split by folder.

Law et al., ISMIR 2009; the split by folder and the 50 most frequent tags are those of the study. A data
set of the same layout may add `soft_labels.csv`: probabilities instead of 0 and 1.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.errors import DataError

# fmt: off
TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano",
    "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing",
    "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal",
    "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice", "new age", "dance",
    "male voice", "female vocal", "beats", "harp", "cello", "no voice", "weird", "country", "metal",
    "female voice", "choral",
)
# fmt: on
"""The 50 most frequent of 188 tags, in order of their frequency, as people typed them."""

FOLDERS = {"train": "0123456789ab", "valid": "c", "test": "def"}

LABELS = {"annotations": "annotations_final.csv", "soft": "soft_labels.csv"}


@dataclass(frozen=True)
class Dataset:
    """Clips of a data set.

    Attributes:
        root: the folder that `paths` are relative to.
        paths: the MP3 of each clip.
        truth: annotations, 0 or 1, float32 [clips, 50].
        target: what training aims at, the annotations or probabilities, float32 [clips, 50].
        split: `"train"`, `"valid"` or `"test"`, [clips].
        tags: the names of the columns of `truth` and `target`.
    """

    root: Path
    paths: tuple[str, ...]
    truth: NDArray[np.float32]
    target: NDArray[np.float32]
    split: NDArray[np.str_]
    tags: tuple[str, ...] = TAGS


def read(root: Path, labels: str = "annotations") -> Dataset:
    """Read the clips listed under `root`, with `"annotations"` or `"soft"` labels as the target.

    Raises:
        DataError: a file is missing, or a row or column of it is not what it should be.
    """
    annotations = _rows(root / LABELS["annotations"])
    truth = _matrix(root / LABELS["annotations"], annotations)
    if not np.isin(truth, (0, 1)).all():
        raise DataError(f"{root / LABELS['annotations']}: annotations must be 0 or 1")
    target = truth
    if labels != "annotations":
        path = root / LABELS[labels]
        by_clip = {row["clip_id"]: row for row in _rows(path)}
        missing = [row["clip_id"] for row in annotations if row["clip_id"] not in by_clip]
        if missing:
            raise DataError(f"{path}: {len(missing)} annotated clips have no row, for example {missing[0]!r}")
        target = _matrix(path, [by_clip[row["clip_id"]] for row in annotations])
    paths = tuple(row["mp3_path"] for row in annotations)
    absent = [path for path in paths if not (root / path).is_file()]
    if absent:
        raise DataError(
            f"{root}: {len(absent)} of {len(paths)} clips have no file, for example {absent[0]!r}"
        )
    return Dataset(root, paths, truth, target, np.array([_split(root, path) for path in paths]))


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise DataError(
            f"{path}: no such file: --data names the folder that holds {path.name} and folders 0 to f"
        )
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a table in UTF-8: {error}") from error
    if not rows:
        raise DataError(f"{path}: no rows")
    columns = ("clip_id", *TAGS, *(("mp3_path",) if path.name == LABELS["annotations"] else ()))
    missing = [column for column in columns if column not in rows[0]]
    if missing:
        raise DataError(
            f"{path}: {len(missing)} columns are missing, for example {missing[0]!r} (tab separated?)"
        )
    for line, row in enumerate(rows, 2):
        short = [column for column in columns if row[column] is None]
        if short:
            raise DataError(f"{path}: line {line} has no value for {short[0]!r}")
    return rows


def _matrix(path: Path, rows: list[dict[str, str]]) -> NDArray[np.float32]:
    matrix = np.empty((len(rows), len(TAGS)), np.float32)
    for i, row in enumerate(rows):
        for j, tag in enumerate(TAGS):
            try:
                matrix[i, j] = float(row[tag])
            except ValueError as error:
                clip = row["clip_id"]
                raise DataError(f"{path}: clip {clip}, tag {tag!r}: {row[tag]!r} is not a number") from error
    if not ((matrix >= 0) & (matrix <= 1)).all():
        i, j = np.argwhere(~((matrix >= 0) & (matrix <= 1)))[0]
        raise DataError(f"{path}: clip {rows[i]['clip_id']}, tag {TAGS[j]!r}: {matrix[i, j]} is not in 0..1")
    return matrix


def _split(root: Path, path: str) -> str:
    for split, folders in FOLDERS.items():
        if path[:1] in folders and path[1:2] == "/":
            return split
    raise DataError(f"{root}: {path!r} does not lie in one of the folders 0 to f")
