import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from train.measure.areas import Areas


def test_they_are_scikit_learn_s_with_ties_and_counts() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((60, 9)) < 0.3).astype(np.float32)
    for scores in (rng.random((60, 9)), rng.integers(0, 6, (60, 9))):
        areas = Areas(truth, scores.astype(np.float32))
        for counts in (None, rng.integers(0, 4, 60)):
            rows = np.arange(60) if counts is None else np.repeat(np.arange(60), counts)
            for found, area in zip(areas(counts), (roc_auc_score, average_precision_score), strict=True):
                wanted = [area(truth[rows, tag], scores[rows, tag]) for tag in range(9)]
                np.testing.assert_allclose(found, wanted)


def test_a_tag_of_no_clip_or_of_all_has_no_area() -> None:
    truth = np.array([[0, 1], [0, 1]], np.float32)
    assert np.isnan(Areas(truth, truth)()).all()
    one = np.array([[1, 0], [0, 1]], np.float32)
    assert np.isnan(Areas(one, one)(np.array([1, 0]))).all(), "once the other clip is not drawn"
    with pytest.raises(ValueError, match=r"truth \(2, 2\) and scores \(2, 1\) differ"):
        Areas(one, one[:, :1])
