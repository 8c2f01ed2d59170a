"""How well scores rank clips, tag by tag: the study's two metrics, and overlap with a label source."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from train.errors import DataError

# fmt: off
GROUPS = {
    "instruments": {
        "guitar", "strings", "drums", "piano", "violin", "synth", "harpsichord", "flute", "sitar", "harp",
        "cello", "acoustic", "instrumental",
    },
    "voices": {
        "vocal", "female", "male", "singing", "vocals", "no vocals", "woman", "male vocal", "no vocal", "man",
        "choir", "voice", "male voice", "female vocal", "no voice", "female voice", "choral", "opera",
        "female vocalists", "male vocalists", "female vocalist",
    },
    "genres": {
        "classical", "techno", "electronic", "rock", "ambient", "indian", "pop", "classic", "new age",
        "dance", "country", "metal", "alternative", "indie", "alternative rock", "jazz", "classic rock",
        "soul", "indie rock", "electronica", "folk", "punk", "blues", "hard rock", "experimental", "Hip-Hop",
        "funk", "electro", "heavy metal", "Progressive rock", "rnb", "indie pop", "House", "00s", "80s",
        "90s", "oldies", "70s", "60s",
    },
    "moods": {
        "slow", "fast", "beat", "loud", "quiet", "soft", "solo", "beats", "weird", "beautiful", "chillout",
        "Mellow", "chill", "party", "easy listening", "sexy", "catchy", "sad", "happy",
    },
}
# fmt: on
"""Both vocabularies by what their tags are about; tempo and level count as mood, decades as genre."""

Matrix = NDArray[np.float32]

LEAST = 3
"""Positive clips without which a tag has no AUC: of one or two it would tell little but chance."""


def roc_auc(truth: Matrix, scores: Matrix) -> NDArray[np.float64]:
    """Area under the ROC curve of every tag, [tags]; NaN for a tag of under `LEAST` clips or of all.

    Args:
        truth: 0 or 1, [clips, tags].
        scores: [clips, tags].
    """
    return _per_tag(roc_auc_score, truth, scores)


def pr_auc(truth: Matrix, scores: Matrix) -> NDArray[np.float64]:
    """Average precision of every tag, [tags]; NaN as in `roc_auc`."""
    return _per_tag(average_precision_score, truth, scores)


def undefined(truth: Matrix) -> NDArray[np.bool_]:
    """Which tags too few clips have, or all, [tags]: they have no AUC."""
    count = truth.sum(axis=0)
    return (count < LEAST) | (count == len(truth))


def top_overlap(target: Matrix, scores: Matrix, top: int = 5) -> float:
    """Share of the `top` tags of each clip that are also its `top` tags in `target`, mean over clips."""
    best, wanted = (np.argsort(-matrix, axis=1)[:, :top] for matrix in (scores, target))
    return float((best[:, :, None] == wanted[:, None, :]).any(axis=2).mean())


def by_group(tags: Sequence[str], per_tag: NDArray[np.float64]) -> dict[str, float]:
    """Mean of a metric over the tags of each of `GROUPS`, where any has it: `{"instruments": 0.97, …}`."""
    found = {}
    for group, members in GROUPS.items():
        values = [value for tag, value in zip(tags, per_tag, strict=True) if tag in members]
        if np.isfinite(values).any():
            found[group] = float(np.nanmean(values))
    return found


def evaluate(truth: Matrix, target: Matrix, scores: Matrix) -> dict[str, float]:
    """Macro ROC AUC and PR AUC against the annotations; to probabilities, top-5 overlap and mean difference.

    A tag of fewer than `LEAST` clips, or of all, has no AUC: `tags` says how many went into the mean.
    Annotations as the target have no five best tags.

    Raises:
        DataError: no tag has an AUC.
        ValueError: shapes differ.
    """
    per_tag = roc_auc(truth, scores)
    if np.isnan(per_tag).all():
        raise DataError(
            f"none of {truth.shape[1]} tags has {LEAST} positive clips and a negative one among {len(truth)}"
        )
    found = {
        "roc_auc": float(np.nanmean(per_tag)),
        "pr_auc": float(np.nanmean(pr_auc(truth, scores))),
        "tags": int(np.isfinite(per_tag).sum()),
        "clips": len(truth),
    }
    if not np.isin(target, (0, 1)).all():
        found["top5"] = top_overlap(target, scores)
        found["mean_abs_difference"] = float(np.abs(scores - target).mean())
    return found


def _per_tag(metric: Callable[[Matrix, Matrix], float], truth: Matrix, scores: Matrix) -> NDArray[np.float64]:
    if truth.shape != scores.shape:
        raise ValueError(f"truth {truth.shape} and scores {scores.shape} differ in shape")
    values = np.full(truth.shape[1], np.nan)
    for tag in np.flatnonzero(~undefined(truth)):
        values[tag] = metric(truth[:, tag], scores[:, tag])
    return values
