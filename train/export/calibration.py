"""What a score means: the threshold of every tag, and how often scores of a size come true."""

import numpy as np
from sklearn.metrics import precision_recall_curve

from train.measure.metrics import Matrix


def thresholds(truth: Matrix, scores: Matrix) -> tuple[float, ...]:
    """For each tag the score from which on its F1 is highest, [tags].

    It lies halfway to the next lower score. A tag that no clip has begins at its highest score.

    Args:
        truth: 0 or 1, [clips, tags].
        scores: [clips, tags].
    """
    found = []
    for column, score in zip(truth.T, scores.T, strict=True):
        limit = float(score.max())
        if column.any():
            precision, recall, limits = precision_recall_curve(column, score)
            best = int(np.argmax((precision * recall / np.maximum(precision + recall, 1e-9))[:-1]))
            limit = float(limits[max(best - 1, 0) : best + 1].mean())
        found.append(round(limit, 4))
    return tuple(found)


def reliability(truth: Matrix, target: Matrix, scores: Matrix) -> tuple[tuple[float, int, float, float], ...]:
    """By tenths of 0..1: where one begins, how many scores it holds, share with the tag, mean target."""
    tenth = np.minimum((10 * scores).astype(int), 9)
    rows = []
    for i in np.unique(tenth):
        here = tenth == i
        share, mean = float(truth[here].mean()), float(target[here].mean())
        rows.append((i / 10, int(here.sum()), round(share, 4), round(mean, 4)))
    return tuple(rows)
