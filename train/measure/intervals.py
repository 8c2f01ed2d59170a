"""How far a figure could be another with other music: resampled by source, whose clips are alike."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 200

COVERED = 0.95
"""Share of the resampled values that lie between the two ends."""


def interval(
    metric: Callable[[NDArray[np.intp]], dict[str, float]], groups: NDArray[np.str_]
) -> dict[str, tuple[float, float]]:
    """The bootstrap interval of each metric of a set of clips, drawn group by group.

    Args:
        metric: indices of clips, some of them several times, to values by name.
        groups: of each clip [clips].

    >>> values = np.array([0.0, 0.0, 1.0, 1.0])
    >>> interval(lambda rows: {"mean": values[rows].mean()}, np.array(["a", "a", "b", "b"]))
    {'mean': (0.0, 1.0)}
    """
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    found: dict[str, list[float]] = {}
    for _ in range(RESAMPLES):
        drawn = rng.integers(len(members), size=len(members))
        for name, value in metric(np.concatenate([members[group] for group in drawn])).items():
            found.setdefault(name, []).append(value)
    ends = ((1 - COVERED) / 2, (1 + COVERED) / 2)
    return {
        name: (float(low), float(high))
        for name, values in found.items()
        for low, high in [np.quantile(values, ends)]
    }
