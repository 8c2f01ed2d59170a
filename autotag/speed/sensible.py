"""Which models are as good as the best one, by what was measured of them when they were exported."""

from collections.abc import Sequence

import numpy as np

from autotag.models.registry import ModelFile, auc

MARGIN = 0.005
"""ROC AUC that is not worth waiting for."""

LOSS = 0.01
"""ROC AUC that a model must not lose against the best one with any other music, as far as resamples tell."""

COVERED = 0.95
"""Share of the resampled differences that lie within their interval."""


def as_good(files: Sequence[ModelFile]) -> list[ModelFile]:
    """Those within `MARGIN` of the best, whose interval of the difference excludes a loss of over `LOSS`.

    Where the resamples of a model or of the best one are not stored, the first counts alone.

    Args:
        files: models that were measured on the same data: `autotag.models.registry.comparable`.
    """
    best = max(files, key=auc)
    return [file for file in files if auc(file) >= auc(best) - MARGIN and _highest_loss(file, best) <= LOSS]


def _highest_loss(file: ModelFile, best: ModelFile) -> float:
    """The upper end of the interval of what a model loses against the best one."""
    own, others = (each.metadata.resampled_roc_auc for each in (file, best))
    if not own or len(own) != len(others):
        return 0.0
    return float(np.quantile(np.subtract(others, own), (1 + COVERED) / 2))
