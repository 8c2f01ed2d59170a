"""How far a figure could be another with other music: resampled by source, whose clips are alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from train.measure.areas import Areas, Matrix

RESAMPLES = 200

COVERED = 0.95
"""Share of the resampled values that lie between the two ends."""

Values = NDArray[np.float64]


def draws(groups: NDArray[np.str_], resamples: int) -> Iterator[NDArray[np.intp]]:
    """Indices of clips, drawn group by group; the same ones for the same groups.

    Args:
        groups: of each clip [clips].
    """
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    for _ in range(resamples):
        drawn = rng.integers(len(members), size=len(members))
        yield np.concatenate([members[group] for group in drawn])


def interval(
    metric: Callable[[NDArray[np.intp]], Mapping[str, float]], groups: NDArray[np.str_]
) -> dict[str, tuple[float, float]]:
    """The bootstrap interval of each metric of a set of clips, drawn group by group.

    Args:
        metric: indices of clips, some of them several times, to values by name.
        groups: of each clip [clips].

    >>> values = np.array([0.0, 0.0, 1.0, 1.0])
    >>> interval(lambda rows: {"mean": values[rows].mean()}, np.array(["a", "a", "b", "b"]))
    {'mean': (0.0, 1.0)}
    """
    found: dict[str, list[float]] = {}
    for rows in draws(groups, RESAMPLES):
        for name, value in metric(rows).items():
            found.setdefault(name, []).append(value)
    return {name: ends(np.array(values)) for name, values in found.items()}


def ends(values: Values) -> tuple[float, float]:
    """What `COVERED` of the resampled values lie between."""
    low, high = np.nanquantile(values, ((1 - COVERED) / 2, (1 + COVERED) / 2))
    return float(low), float(high)


def resampled(
    truth: Matrix, scores: Matrix, groups: NDArray[np.str_], resamples: int = RESAMPLES
) -> dict[str, Values]:
    """ROC AUC and PR AUC of every tag in each resample, `roc_auc` and `pr_auc` [resamples, tags].

    The resamples of the same groups are the same, so that those of two models are pairs. A tag that no clip
    of a resample has, or each, is NaN there.
    """
    areas = Areas(truth, scores)
    found = [areas(np.bincount(rows, minlength=len(truth))) for rows in draws(groups, resamples)]
    roc, pr = (np.stack(values) for values in zip(*found, strict=True))
    return {"roc_auc": roc, "pr_auc": pr}


def p_value(found: float, drawn: Values) -> float:
    """How likely a difference as large as the one that was found is by chance, two-sided.

    Its standard error is the deviation of the resampled differences [resamples], which are about normal.

    >>> round(p_value(0.02, np.array([0.01, 0.03])), 2)
    0.05
    """
    return float(2 * norm.sf(abs(found) / max(float(np.nanstd(drawn)), 1e-12)))


def holm(values: Sequence[float]) -> list[float]:
    """The p-values of several tests, corrected for their number (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, place in enumerate(np.argsort(values, kind="stable")):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = highest
    return adjusted
