import numpy as np
import pytest

from train.errors import DataError
from train.measure.metrics import evaluate, pr_auc, roc_auc, top_overlap


def test_by_hand() -> None:
    truth = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 0], [0, 0, 0]], np.float32)
    scores = np.array([[0.9, 0.1, 0.2], [0.8, 0.2, 0.8], [0.7, 0.3, 0.4], [0.1, 0.4, 0.6]], np.float32)
    # Tag 0: of the 4 pairs of a clip with it and one without, 0.7 against 0.8 is the wrong way round.
    # Tag 2: 0.2 loses both its pairs, 0.8 wins both.
    np.testing.assert_allclose(roc_auc(truth, scores), [3 / 4, np.nan, 2 / 4])
    # Tag 0: precision 1/1 and 2/3 where the recall rises; tag 2: 1/1 and 2/4.
    np.testing.assert_allclose(pr_auc(truth, scores), [5 / 6, np.nan, 3 / 4])
    found = evaluate(truth, truth, scores)
    assert found["roc_auc"] == pytest.approx(5 / 8)
    assert found["tags"] == 2
    assert found["clips"] == 4


def test_overlap_counts_shared_tags() -> None:
    target = np.array([[5, 4, 3, 2, 1], [1, 2, 3, 4, 5]], np.float32)
    scores = np.array([[5, 4, 3, 2, 1], [5, 4, 3, 2, 1]], np.float32)
    assert top_overlap(target, scores, 2) == pytest.approx((2 + 0) / 4)
    assert top_overlap(target, scores, 3) == pytest.approx((3 + 1) / 6)


def test_nothing_to_rank_is_said() -> None:
    with pytest.raises(DataError, match="none of 3 tags has both positive and negative clips among 2"):
        evaluate(np.ones((2, 3), np.float32), np.ones((2, 3), np.float32), np.ones((2, 3), np.float32))


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"truth \(2, 3\) and scores \(2, 4\) differ"):
        roc_auc(np.ones((2, 3), np.float32), np.ones((2, 4), np.float32))
