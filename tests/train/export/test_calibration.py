"""Calibrated scores come true as often as they say."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit

from autotag.config import Config
from train.export.calibration import Calibration, calibrate, calibration_error, left_out, reliability
from train.networks import build

CLIPS, TAGS = 4000, 3
VOCABULARIES = ["mtat", "mtat", "msd"]
FREE = np.zeros(TAGS, bool)


def shy(segments: int = 1) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Logits of half the size that would be right, and lower, and what is true: clips of a few segments."""
    rng = np.random.default_rng(0)
    right = rng.normal(-1, 2, (CLIPS, 1, TAGS)) + rng.normal(0, 1, (CLIPS, segments, TAGS))
    truth = (rng.random((CLIPS, TAGS)) < expit(right).mean(axis=1)).astype(np.float32)
    return 0.5 * right - 0.4, truth


@pytest.mark.parametrize("segments", [1, 8])
def test_scores_come_true_as_often_as_they_say(segments: int) -> None:
    """Of the mean over segments, which is not what one fitted on means of logits gives."""
    logits, truth = shy(segments)
    found = calibrate(logits, truth, VOCABULARIES, FREE)
    np.testing.assert_allclose(found.slope, 2, rtol=0.1)
    np.testing.assert_allclose(found.offset, 0.8, atol=0.15)
    assert (
        calibration_error(truth, found(logits)) < 0.02 < calibration_error(truth, expit(logits).mean(axis=1))
    )


def test_a_vocabulary_has_one_slope_and_a_tag_its_offset() -> None:
    logits, truth = shy()
    logits[:, :, 2] *= 0.5
    logits[:, :, 1] -= 1
    found = calibrate(logits, truth, VOCABULARIES, FREE)
    assert found.slope[0] == found.slope[1]
    assert found.slope[2] == pytest.approx(2 * found.slope[0], rel=0.15)
    assert found.offset[1] - found.offset[0] == pytest.approx(found.slope[0], abs=0.25)


def test_what_is_fixed_stays_as_it_is() -> None:
    logits, truth = shy()
    found = calibrate(logits, truth, VOCABULARIES, np.array([False, True, False]))
    assert (found.slope[1], found.offset[1]) == (1, 0)
    assert found.slope[0] != 1


def test_few_clips_move_a_tag_less_from_its_vocabulary() -> None:
    logits, truth = shy()
    logits[:, :, 0] -= 1  # so that this tag is to be moved further than the other one
    found = [calibrate(logits[:count], truth[:count], VOCABULARIES, FREE).offset for count in (80, 4000)]
    few, many = (offset[0] - offset[1] for offset in found)
    assert 0 <= few < 0.7 * many
    nobody = calibrate(logits, np.zeros_like(truth), VOCABULARIES, FREE)
    assert np.isfinite(nobody.offset).all(), "a tag that no clip has"


def test_a_source_is_scored_by_what_the_others_teach() -> None:
    logits, truth = shy()
    groups = np.where(np.arange(CLIPS) < CLIPS // 2, "a", "b")
    scores = left_out(logits, truth, VOCABULARIES, FREE, groups)
    by_b = calibrate(logits[groups == "b"], truth[groups == "b"], VOCABULARIES, FREE)
    np.testing.assert_allclose(scores[groups == "a"], by_b(logits[groups == "a"]))


def test_it_is_folded_into_the_last_layer() -> None:
    torch.manual_seed(0)
    network = build(Config(hop=10), TAGS).eval()
    mel = torch.randn(4, 1, 48, 137)
    calibration = Calibration(np.array([2.0, 1.0, 0.5]), np.array([0.1, 0.0, -1.0]))
    with torch.no_grad():
        before = network(mel)[0].sigmoid().double().numpy()
        calibration.fold(network)
        after = network(mel)[0].sigmoid().numpy()
    np.testing.assert_allclose(after, calibration(logit(before)[:, None]), rtol=1e-4)


def test_reliability_counts_what_comes_true() -> None:
    scores = np.array([[0.05, 0.31], [0.08, 0.39], [0.02, 1.0]], np.float32)
    truth = np.array([[0, 1], [0, 0], [0, 1]], np.float32)
    found = reliability(truth, scores)
    assert found == [(0.0, 3, 0.05, 0.0), (0.3, 2, 0.35, 0.5), (0.9, 1, 1.0, 1.0)]
    assert calibration_error(truth, scores) == pytest.approx((3 * 0.05 + 2 * 0.15) / 6)
