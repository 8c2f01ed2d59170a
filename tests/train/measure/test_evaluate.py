import numpy as np
import pytest

from autotag.audio.mel import Array
from autotag.config import Config
from train.measure.evaluate import AT_ONCE, clip_scores, segment_scores

CONFIG = Config("musicnn", mels=48, hop=1)


def test_large_batches_that_are_read_ahead_score_the_same() -> None:
    power = np.random.default_rng(0).exponential(0.01, (9, 48, 1366)).astype(np.float32)
    sizes: list[int] = []

    def score(cut: Array) -> Array:
        sizes.append(len(cut))
        return np.stack([cut.mean(axis=(1, 2)), cut.max(axis=(1, 2))], axis=1)

    rows = np.array([8, 0, 3, 1, 2, 7])
    small = segment_scores(score, CONFIG, power, rows)
    assert small.shape == (6, 10, 2)
    assert max(sizes) <= AT_ONCE + 10
    sizes.clear()
    np.testing.assert_array_equal(segment_scores(score, CONFIG, power, rows, 30), small)
    assert sizes == [30, 30]
    np.testing.assert_array_equal(clip_scores(score, CONFIG, power, rows, 64), small.mean(axis=1))


def test_what_fails_while_it_is_read_ahead_is_raised() -> None:
    power = np.zeros((2, 48, 1366), np.float32)
    with pytest.raises(IndexError):
        segment_scores(lambda cut: cut, CONFIG, power, np.array([0, 1, 5]), 64)
