"""ROC AUC and average precision of all tags at once, of clips that may count several times.

The order of the clips is found once, so that a bootstrap of many resamples costs a few cumulative sums each.
"""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


class Areas:
    """The areas under both curves of each tag.

    Args:
        truth: 0 or 1, [clips, tags].
        scores: [clips, tags].

    >>> Areas(np.array([[1], [0], [1]]), np.array([[0.9], [0.5], [0.1]]))()
    (array([0.5]), array([0.83333333]))
    """

    def __init__(self, truth: Matrix, scores: Matrix) -> None:
        if truth.shape != scores.shape:
            raise ValueError(f"truth {truth.shape} and scores {scores.shape} differ in shape")
        clips, tags = truth.shape
        self._order = np.argsort(-scores, axis=0, kind="stable")
        self._truth = np.take_along_axis(truth, self._order, 0).astype(np.float64)
        ordered = np.take_along_axis(scores, self._order, 0)
        place = np.arange(clips)[:, None]
        begins = np.vstack([np.ones((1, tags), bool), ordered[1:] != ordered[:-1]])
        ends = np.vstack([begins[1:], np.ones((1, tags), bool)])
        # Of each clip in order, the first and the last one with the same score.
        self._first = np.maximum.accumulate(np.where(begins, place, 0), axis=0)
        self._last = np.minimum.accumulate(np.where(ends, place, clips)[::-1], axis=0)[::-1]

    def __call__(
        self, counts: NDArray[np.integer] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """ROC AUC and average precision, each [tags]; NaN for a tag of no clip or of all.

        Clips with the same score count as one step of either curve.

        Args:
            counts: how often each clip counts, [clips]; by default once.
        """
        weight = np.ones_like(self._truth) if counts is None else counts[self._order].astype(np.float64)
        positive = weight * self._truth
        negative = weight - positive
        above = np.cumsum(negative, axis=0)
        at_last = np.take_along_axis(above, self._last, 0)
        before = np.take_along_axis(above - negative, self._first, 0)
        found = np.take_along_axis(np.cumsum(positive, axis=0), self._last, 0)
        positives, negatives = positive.sum(axis=0), negative.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            lost = (positive * (before + at_last)).sum(axis=0) / (2 * positives * negatives)
            precision = np.where(positive > 0, found / (found + at_last), 0)
            mean = (positive * precision).sum(axis=0) / positives
        return 1 - lost, np.where(negatives == 0, np.nan, mean)
