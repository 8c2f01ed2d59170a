"""How well scores rank clips, tag by tag: the study's two metrics, and overlap with a label source."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from train.errors import DataError

Matrix = NDArray[np.float32]


def roc_auc(truth: Matrix, scores: Matrix) -> NDArray[np.float64]:
    """Area under the ROC curve of every tag, [tags]; NaN for a tag that all clips or none have.

    Args:
        truth: 0 or 1, [clips, tags].
        scores: [clips, tags].
    """
    return _per_tag(roc_auc_score, truth, scores)


def pr_auc(truth: Matrix, scores: Matrix) -> NDArray[np.float64]:
    """Average precision of every tag, [tags]; NaN as in `roc_auc`."""
    return _per_tag(average_precision_score, truth, scores)


def top_overlap(target: Matrix, scores: Matrix, top: int = 5) -> float:
    """Share of the `top` tags of each clip that are also its `top` tags in `target`, mean over clips."""
    best, wanted = (np.argsort(-matrix, axis=1)[:, :top] for matrix in (scores, target))
    return float((best[:, :, None] == wanted[:, None, :]).any(axis=2).mean())


def evaluate(truth: Matrix, target: Matrix, scores: Matrix) -> dict[str, float]:
    """Macro ROC AUC and PR AUC against the annotations, top-5 overlap and mean difference to the target.

    A tag without both positive and negative clips has no AUC: `tags` says how many went into the mean.

    Raises:
        DataError: no tag has an AUC.
        ValueError: shapes differ.
    """
    per_tag = roc_auc(truth, scores)
    if np.isnan(per_tag).all():
        raise DataError(
            f"none of {truth.shape[1]} tags has both positive and negative clips among {len(truth)}"
        )
    return {
        "roc_auc": float(np.nanmean(per_tag)),
        "pr_auc": float(np.nanmean(pr_auc(truth, scores))),
        "top5": top_overlap(target, scores),
        "mean_abs_difference": float(np.abs(scores - target).mean()),
        "tags": int(np.isfinite(per_tag).sum()),
        "clips": len(truth),
    }


def _per_tag(metric: Callable[[Matrix, Matrix], float], truth: Matrix, scores: Matrix) -> NDArray[np.float64]:
    if truth.shape != scores.shape:
        raise ValueError(f"truth {truth.shape} and scores {scores.shape} differ in shape")
    values = np.full(truth.shape[1], np.nan)
    for tag, (column, score) in enumerate(zip(truth.T, scores.T, strict=True)):
        if 0 < column.sum() < len(column):
            values[tag] = metric(column, score)
    return values
