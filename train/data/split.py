"""Splits that keep together what belongs together, so that no song is measured by its neighbours."""

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from train.errors import DataError

SPLITS = ("train", "valid", "test")

SHARES = (0.8, 0.1, 0.1)
"""The share of the clips, about, in each split."""

MEASURED = 3
"""Clips that a tag should have in a split for its AUC to be measured there."""

TRIES = 200
"""Orders of the groups that are tried."""

FOLDER, RANDOM = "folder", "random"
"""Rules that are no column of a table: by the folder that a file lies in, and every file on its own."""


def groups_of(paths: Sequence[str], rule: str, column: Sequence[str] | None) -> NDArray[np.str_]:
    """What each clip belongs to, [clips]: its folder, itself, or its value in a column of the table."""
    if column is not None:
        return np.array(column)
    return np.array(paths if rule == RANDOM else [str(PurePath(path).parent) for path in paths])


def split_by(groups: NDArray[np.str_], truth: NDArray[np.float32], source: str) -> NDArray[np.str_]:
    """The split of each clip, [clips]; all clips of a group are in one.

    Of some orders of the groups the one is taken that leaves fewest tags without a clip in a split, then
    with fewer than `MEASURED`, and then comes nearest to `SHARES`. It is the same one each time.

    Args:
        groups: of each clip [clips].
        truth: 0 or 1, [clips, tags].
        source: what is split, for errors.

    Raises:
        DataError: there are fewer groups than splits.
    """
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < len(SPLITS):
        raise DataError(
            f"{source}: {len(names)} groups of songs, for example {str(names[0])!r}, cannot be split in "
            "three. Add songs of others, or split by something else: --split-by."
        )
    sizes = np.bincount(group)
    tags = np.zeros((len(names), truth.shape[1]))
    np.add.at(tags, group, truth)
    best: tuple[tuple[float, ...], NDArray[np.intp]] | None = None
    for seed in range(TRIES):
        order = np.random.default_rng(seed).permutation(len(names))
        # A group goes where its middle falls on the way from the first clip to the last.
        middle = (np.cumsum(sizes[order]) - sizes[order] / 2) / len(groups)
        of = np.empty(len(names), np.intp)
        of[order] = np.searchsorted(np.cumsum(SHARES)[:-1], middle)
        there = [of == number for number in range(len(SPLITS))]
        shares = [sizes[here].sum() / len(groups) for here in there]
        counts = np.stack([tags[here].sum(axis=0) for here in there])
        off = float(np.abs(np.subtract(shares, SHARES)).max())
        score = (min(shares) == 0, int((counts == 0).sum()), int((counts < MEASURED).sum()), off)
        if best is None or score < best[0]:
            best = score, of
    assert best is not None
    return np.array(SPLITS)[best[1][group]]
