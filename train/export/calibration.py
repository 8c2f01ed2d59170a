"""What a score means: of the clips that get 0.7 for a tag, about 70 % are to have it.

A network learns the probabilities of its label source, which are too low: a tag that a clip surely has may
get 0.3. Its logits are stretched by one slope for each vocabulary and moved by an offset for each tag, near
to one of the vocabulary, found on clips that it has not learned from. Both are folded into its last layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from train.networks.network import Network

LOWEST = 0.1
"""A tag whose 0/1 label begins below this probability of the label source is left as it is."""

SPREAD = 0.25
"""Standard deviation of a tag's offset from its vocabulary's, in logits: few clips do not lead it far.

More of it makes single tags truer and moves the best tags of a clip away from the label source's: the card
has what was tried.
"""

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """What makes probabilities of logits: `slope * logit + offset`, each [outputs]."""

    slope: NDArray[np.float64]
    offset: NDArray[np.float64]

    def __call__(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Mean score over segments [clips, segments, outputs]: [clips, outputs]."""
        means: NDArray[np.float64] = expit(self.slope * logits + self.offset).mean(axis=1)
        return means

    def fold(self, network: Network) -> None:
        """Let the last layer of a network give calibrated logits."""
        last = network.last
        slope, offset = (last.weight.new_tensor(values) for values in (self.slope, self.offset))
        last.weight.data *= slope[:, None]
        last.bias.data *= slope
        last.bias.data += offset


def calibrate(
    logits: NDArray[np.floating], truth: Matrix, vocabularies: Sequence[str], fixed: NDArray[np.bool_]
) -> Calibration:
    """The calibration under which the mean score over a clip's segments predicts the truth best.

    The cross-entropy is least, and a normal prior holds the offset of each tag near that of its vocabulary.

    Args:
        logits: of clips that were not learned from [clips, segments, outputs].
        truth: 0 or 1, [clips, outputs].
        vocabularies: of each output, [outputs].
        fixed: outputs that stay as they are, [outputs].
    """
    slope, offset = np.ones(logits.shape[2]), np.zeros(logits.shape[2])
    of = np.array(vocabularies)
    for vocabulary in np.unique(of):
        chosen = (of == vocabulary) & ~fixed
        if chosen.any():
            slope[chosen], offset[chosen] = _fit(logits[:, :, chosen].astype(np.float64), truth[:, chosen])
    return Calibration(slope, offset)


def _fit(logits: NDArray[np.float64], truth: Matrix) -> tuple[float, NDArray[np.float64]]:
    """One slope, and an offset for each tag: a common one, and its own that the prior holds near zero."""

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope, common, own = np.exp(values[0]), values[1], values[2:]
        each = expit(slope * logits + common + own)  # [clips, segments, tags]
        mean = np.clip(each.mean(axis=1), 1e-7, 1 - 1e-7)
        error = -(truth * np.log(mean) + (1 - truth) * np.log(1 - mean)).sum()
        by_mean = (mean - truth) / (mean * (1 - mean))
        by_logit = by_mean[:, None, :] * each * (1 - each) / logits.shape[1]
        by_tag = by_logit.sum(axis=(0, 1))
        gradient = [[slope * (by_logit * logits).sum()], [by_tag.sum()], by_tag + own / SPREAD**2]
        return float(error + 0.5 * (own**2).sum() / SPREAD**2), np.concatenate(gradient)

    found = minimize(loss, np.zeros(2 + logits.shape[2]), jac=True, method="L-BFGS-B").x
    return float(np.exp(found[0])), found[1] + found[2:]


def left_out(
    logits: NDArray[np.floating],
    truth: Matrix,
    vocabularies: Sequence[str],
    fixed: NDArray[np.bool_],
    groups: NDArray[np.str_],
) -> NDArray[np.float64]:
    """Calibrated scores of each clip by what the clips of the other groups teach: [clips, outputs]."""
    scores = np.empty(truth.shape)
    for group in np.unique(groups):
        own = groups == group
        others = calibrate(logits[~own], truth[~own], vocabularies, fixed)
        scores[own] = others(logits[own])
    return scores


def reliability(truth: Matrix, scores: NDArray[np.floating]) -> list[tuple[float, int, float, float]]:
    """Tenths of 0..1 that hold scores: where one begins, how many it holds, their mean, how often true."""
    tenth = np.minimum((10 * scores).astype(int), 9)
    rows = []
    for i in np.unique(tenth):
        here = tenth == i
        share, mean = float(truth[here].mean()), float(scores[here].mean())
        rows.append((i / 10, int(here.sum()), round(mean, 4), round(share, 4)))
    return rows


def calibration_error(truth: Matrix, scores: NDArray[np.floating]) -> float:
    """Mean distance of score and share over the tenths of `reliability`, weighed by what they hold."""
    rows = reliability(truth, scores)
    return sum(count * abs(mean - share) for _, count, mean, share in rows) / truth.size
