"""Metrics of one split with what one may believe of them: intervals, tag by tag, and resamples to pair."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotag.audio.mel import Array
from train.data.dataset import Dataset
from train.errors import DataError
from train.measure.intervals import ends, interval, resampled
from train.measure.metrics import aucs, evaluate, roc_auc

COUNTS = ("tags", "clips", "known_clips")
"""What `evaluate` gives beside the metrics."""


def by_vocabulary(dataset: Dataset) -> dict[str, NDArray[np.bool_]]:
    """The outputs of each vocabulary, [outputs]."""
    of = np.array([vocabulary for vocabulary, _ in dataset.outputs])
    return {vocabulary: of == vocabulary for vocabulary in dict.fromkeys(of.tolist())}


def evaluated(dataset: Dataset, rows: NDArray[np.intp], scores: Array) -> dict[str, dict[str, float]]:
    """`evaluate` by vocabulary, for the clips `rows` and their scores [rows, outputs]."""
    return {
        vocabulary: evaluate(
            dataset.truth[rows][:, own],
            dataset.target[rows][:, own],
            scores[:, own],
            None if dataset.known is None else dataset.known[rows][:, own],
        )
        for vocabulary, own in by_vocabulary(dataset).items()
    }


def drawn_of(dataset: Dataset, rows: NDArray[np.intp]) -> NDArray[np.str_]:
    """What each of the clips `rows` is drawn with in a resample: its group, or itself alone."""
    return np.array(dataset.ids)[rows] if dataset.groups is None else dataset.groups[rows]


def drawn_are(dataset: Dataset, rows: NDArray[np.intp]) -> str:
    """The same in words: `"46 groups of 357 clips"`."""
    if dataset.groups is None:
        return f"{len(rows)} clips"
    return f"{len(np.unique(drawn_of(dataset, rows)))} groups of {len(rows)} clips"


def intervals(dataset: Dataset, rows: NDArray[np.intp], scores: Array) -> dict[str, dict[str, list[float]]]:
    """By vocabulary, the ends of the interval of each metric."""

    def metrics(drawn: NDArray[np.intp]) -> dict[str, float]:
        try:
            found = evaluated(dataset, rows[drawn], scores[drawn])
        except DataError:  # a sample in which no tag has an AUC
            return {}
        return {f"{v}/{name}": value for v, values in found.items() for name, value in values.items()}

    found: dict[str, dict[str, list[float]]] = {}
    for name, both in interval(metrics, drawn_of(dataset, rows)).items():
        vocabulary, metric = name.split("/")
        if metric not in COUNTS:
            found.setdefault(vocabulary, {})[metric] = [round(end, 4) for end in both]
    return found


def by_tag(dataset: Dataset, rows: NDArray[np.intp], scores: Array) -> list[list[Any]]:
    """Vocabulary, tag, clips that have it, ROC AUC, PR AUC and the interval of each; None for no AUC."""
    truth = dataset.truth[rows]
    drawn = resampled(truth, scores, drawn_of(dataset, rows))
    found = []
    areas = zip(*aucs(truth, scores), strict=True)
    for tag, (output, values) in enumerate(zip(dataset.outputs, areas, strict=True)):
        measured = not np.isnan(values[0])
        both = [[round(end, 4) for end in ends(drawn[name][:, tag])] for name in drawn] if measured else []
        rounded = [round(float(value), 4) if measured else None for value in values]
        found.append([*output, int(truth[:, tag].sum()), *rounded, *(both or (None, None))])
    return found


def means(dataset: Dataset, rows: NDArray[np.intp], scores: Array) -> dict[str, list[float]]:
    """ROC AUC and PR AUC over all outputs in each resample: to be paired with those of another model.

    Tags that have no AUC are left out, as in `evaluate`, and resamples in which none has.
    """
    truth = dataset.truth[rows]
    measured = ~np.isnan(roc_auc(truth, scores))
    drawn = resampled(truth[:, measured], scores[:, measured], drawn_of(dataset, rows))
    some = np.isfinite(drawn["roc_auc"]).any(axis=1)  # by truth alone, so that pairs stay pairs
    return {
        name: [round(value, 4) for value in np.nanmean(values[some], axis=1).tolist()]
        for name, values in drawn.items()
    }
