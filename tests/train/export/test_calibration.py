import numpy as np
import pytest

from train.export.calibration import reliability, thresholds


def test_a_threshold_parts_the_clips_with_a_tag_from_those_without() -> None:
    scores = np.array([[0.1, 0.2], [0.2, 0.9], [0.6, 0.3], [0.8, 0.4]], np.float32)
    truth = np.array([[0, 0], [0, 1], [1, 0], [1, 0]], np.float32)
    assert thresholds(truth, scores) == pytest.approx((0.4, 0.65))


def test_the_threshold_is_the_one_of_the_highest_f1() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((300, 1)) < 0.2).astype(np.float32)
    scores = np.clip(0.3 * truth + rng.random((300, 1)) * 0.6, 0, 1).astype(np.float32)

    def f1(limit: float) -> float:
        said = scores >= limit
        return float(2 * (said & (truth == 1)).sum() / (said.sum() + truth.sum()))

    (found,) = thresholds(truth, scores)
    assert f1(found) == pytest.approx(max(f1(limit) for limit in np.linspace(0, 0.95, 500)), abs=0.01)


def test_a_tag_that_no_clip_has_begins_at_its_highest_score() -> None:
    scores = np.array([[0.1], [0.3]], np.float32)
    assert thresholds(np.zeros((2, 1), np.float32), scores) == pytest.approx((0.3,))


def test_reliability_counts_what_comes_true() -> None:
    scores = np.array([[0.05, 0.31], [0.08, 0.39], [0.02, 1.0]], np.float32)
    truth = np.array([[0, 1], [0, 0], [0, 1]], np.float32)
    target = np.array([[0.1, 0.5], [0.0, 0.3], [0.2, 0.9]], np.float32)
    found = reliability(truth, target, scores)
    assert found == ((0.0, 3, 0.0, 0.1), (0.3, 2, 0.5, 0.4), (0.9, 1, 1.0, 0.9))
