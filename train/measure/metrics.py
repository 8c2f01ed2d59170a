"""How well scores rank clips, tag by tag: the study's two metrics, and overlap with a label source."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotag.meaning import meaning_of
from train.errors import DataError
from train.measure.areas import Areas, Matrix

LEAST = 3
"""Positive clips without which a tag has no AUC: of one or two it would tell little but chance."""


def roc_auc(truth: Matrix, scores: Matrix) -> NDArray[np.float64]:
    """Area under the ROC curve of every tag, [tags]; NaN for a tag of under `LEAST` clips or of all.

    Args:
        truth: 0 or 1, [clips, tags].
        scores: [clips, tags].
    """
    return aucs(truth, scores)[0]


def pr_auc(truth: Matrix, scores: Matrix) -> NDArray[np.float64]:
    """Average precision of every tag, [tags]; NaN as in `roc_auc`."""
    return aucs(truth, scores)[1]


def aucs(truth: Matrix, scores: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`roc_auc` and `pr_auc` at once: the clips are put in order once."""
    lacking = undefined(truth)
    roc, pr = Areas(truth, scores)()
    return np.where(lacking, np.nan, roc), np.where(lacking, np.nan, pr)


def undefined(truth: Matrix) -> NDArray[np.bool_]:
    """Which tags too few clips have, or all, [tags]: they have no AUC."""
    count = truth.sum(axis=0)
    return np.asarray((count < LEAST) | (count == len(truth)))


def top_overlap(target: Matrix, scores: Matrix, top: int = 5) -> float:
    """Share of the `top` tags of each clip that are also its `top` tags in `target`, mean over clips."""
    best, wanted = (np.argsort(-matrix, axis=1)[:, :top] for matrix in (scores, target))
    return float((best[:, :, None] == wanted[:, None, :]).any(axis=2).mean())


def in_top(wanted: NDArray[np.bool_], scores: Matrix, top: int = 3) -> NDArray[np.bool_]:
    """Whether one of the wanted tags [clips, tags] is among the `top` tags of each clip, [clips]."""
    best = np.argsort(-scores, axis=1)[:, :top]
    return np.asarray(np.take_along_axis(wanted, best, axis=1).any(axis=1))


def evaluate(
    truth: Matrix, target: Matrix, scores: Matrix, known: NDArray[np.bool_] | None = None
) -> dict[str, float]:
    """Macro ROC AUC and PR AUC against the truth, and what the scores have in common with probabilities.

    Where `target` holds probabilities: `top5`, the overlap of the five best tags; `first3`, the share of
    clips whose best tag in `target` is among our three; `mean_abs_difference`. Where `known` has any:
    `known3`, the share of clips with known tags that have one of those among our three. A tag of fewer than
    `LEAST` clips, or of all, has no AUC: `tags` says how many went into the mean.

    Args:
        known: tags that a clip is known to have, [clips, tags].

    Raises:
        DataError: no tag has an AUC.
        ValueError: shapes differ.
    """
    per_tag, precision = aucs(truth, scores)
    if np.isnan(per_tag).all():
        raise DataError(
            f"none of {truth.shape[1]} tags has {LEAST} positive clips and a negative one among "
            f"{len(truth)}. Use more clips."
        )
    found = {
        "roc_auc": float(np.nanmean(per_tag)),
        "pr_auc": float(np.nanmean(precision)),
        "tags": int(np.isfinite(per_tag).sum()),
        "clips": len(truth),
    }
    if not np.isin(target, (0, 1)).all():
        first = target == target.max(axis=1, keepdims=True)
        found["top5"] = top_overlap(target, scores)
        found["first3"] = float(in_top(first, scores).mean())
        found["mean_abs_difference"] = float(np.abs(scores - target).mean())
    if known is not None and known.any():
        some = known.any(axis=1)
        found["known3"] = float(in_top(known[some], scores[some]).mean())
        found["known_clips"] = int(some.sum())
    return found


def evaluate_outputs(
    outputs: Sequence[tuple[str, str]],
    truth: Matrix,
    target: Matrix,
    scores: Matrix,
    known: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """`evaluate` for the outputs of a network: of one vocabulary as it is, of several by vocabulary.

    With several, `roc_auc`, `pr_auc` and `tags` of all outputs stand beside them.
    """
    of = np.array([vocabulary for vocabulary, _ in outputs])
    vocabularies = list(dict.fromkeys(of.tolist()))
    if len(vocabularies) == 1:
        return evaluate(truth, target, scores, known)
    found: dict[str, Any] = dict(evaluate(truth, truth, scores))
    for vocabulary in vocabularies:
        own = of == vocabulary
        known_there = None if known is None else known[:, own]
        found[vocabulary] = evaluate(truth[:, own], target[:, own], scores[:, own], known_there)
    return found


def by_kind(outputs: Sequence[tuple[str, str]], per_tag: NDArray[np.float64]) -> dict[str, float]:
    """Mean of a metric over the tags of each kind (`autotag.meaning`) that has it: `{"instrument": 0.97}`."""
    kinds = np.array([meaning_of(tag).kind for _, tag in outputs])
    found = {}
    for kind in dict.fromkeys(kinds.tolist()):
        values = per_tag[kinds == kind]
        if np.isfinite(values).any():
            found[kind] = float(np.nanmean(values))
    return found
