"""The Million Song Dataset with its 50 most frequent Last.fm tags, split as published.

Bertin-Mahieux et al., ISMIR 2011; the lists and labels are those of Choi et al., ISMIR 2016, with 201,680
clips to train on, 12,634 to validate and 28,540 to test. As in the study, tracks with less than 29.1 s of
audio are left out, and of what remains of the first two lists the first 201,680 are to train on (Lee and Nam,
IEEE SPL 2017), which leaves 11,774 to validate and 28,435 to test.

A folder holds for each split `{split}_x_msd_id.txt` (a track a line), `{split}_y.npy` ([tracks, 50] of 0
and 1) and perhaps `{split}_x_filename.txt` (the 7digital file of each track, such as `3/9/3974574.npy`).
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.data.dataset import Dataset, fill_in
from train.errors import DataError

INDEX = "train_x_msd_id.txt"

AUDIO = "{id[2]}/{id[3]}/{id[4]}/{id}.mp3"
"""Where a clip lies: `{id}` is its track, `{path}` its 7digital file without the ending."""

# fmt: off
TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul",
    "indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies",
    "blues", "hard rock", "ambient", "acoustic", "experimental", "female vocalist", "guitar", "Hip-Hop",
    "70s", "party", "country", "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal",
    "Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy",
)
# fmt: on
"""The 50 most frequent tags of Last.fm on these tracks, in the order of the labels' columns."""

SPLITS = ("train", "valid", "test")

TRAIN = 201680
"""Clips to train on, in the published list and in the study."""


def read(root: Path, labels: str, audio: str) -> Dataset:
    """Read the tracks of the three lists under `root`.

    Raises:
        DataError: a file is missing or malformed, the lists overlap, or other labels than
            `"annotations"` are asked for.
    """
    if labels != "annotations":
        raise DataError(f"{root}: the Million Song Dataset has annotations only, not the labels {labels!r}")
    tracks: list[str] = []
    paths: list[str] = []
    matrices = []
    for name in SPLITS:
        ids = _lines(root / f"{name}_x_msd_id.txt", r"TR[A-Z]{5}[0-9A-F]{11}", "TRAAAAK128F9318786")
        matrices.append(_matrix(root / f"{name}_y.npy", len(ids)))
        names = root / f"{name}_x_filename.txt"
        files = _lines(names, r".+\.\w+", "3/9/3974574.npy") if names.is_file() else None
        if files is not None and len(files) != len(ids):
            raise DataError(f"{names}: {len(files)} lines for {len(ids)} tracks")
        for i, track in enumerate(ids):
            named = {"path": files[i].rsplit(".", 1)[0]} if files is not None else {}
            paths.append(fill_in(audio, root, id=track, **named))
        tracks += ids
    twice = [track for track, count in Counter(tracks).items() if count > 1]
    if twice:
        raise DataError(f"{root}: {len(twice)} tracks are listed twice, for example {twice[0]}")
    truth = np.concatenate(matrices)
    split = np.repeat(SPLITS, [len(matrix) for matrix in matrices])
    return Dataset(
        "msd",
        "msd",
        root,
        {"root": str(root.resolve()), "labels": labels, "audio": audio},
        tuple(tracks),
        tuple(paths),
        truth,
        truth,
        split,
        tuple(("msd", tag) for tag in TAGS),
        {"by": "published list", **{split: f"{split}_x_msd_id.txt" for split in SPLITS}},
        repeat=False,
        cut=TRAIN if len(matrices[0]) == TRAIN else None,
    ).with_files()


def _lines(path: Path, pattern: str, example: str) -> list[str]:
    try:
        lines = path.read_text("utf-8").split()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file: it is part of the published split") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a list in UTF-8: {error}") from error
    for number, line in enumerate(lines, 1):
        if not re.fullmatch(pattern, line):
            raise DataError(f"{path}: line {number}: {line!r} is not of the form {example}")
    return lines


def _matrix(path: Path, clips: int) -> NDArray[np.float32]:
    try:
        matrix: NDArray[np.generic] = np.load(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file: it is part of the published split") from error
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: not an array of NumPy: {error}") from error
    if not isinstance(matrix, np.ndarray):
        raise DataError(f"{path}: several arrays, where one is wanted")
    if matrix.shape != (clips, len(TAGS)):
        raise DataError(f"{path}: labels of shape {matrix.shape}, where {(clips, len(TAGS))} are listed")
    if not np.isin(matrix, (0, 1)).all():
        i, j = np.argwhere(~np.isin(matrix, (0, 1)))[0]
        raise DataError(f"{path}: row {i}, tag {TAGS[j]!r}: annotations must be 0 or 1, not {matrix[i, j]}")
    return matrix.astype(np.float32)
