"""The metrics on numbers small enough to count by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from train.errors import DataError
from train.measure.metrics import (
    by_kind,
    evaluate,
    evaluate_outputs,
    in_top,
    pr_auc,
    roc_auc,
    top_overlap,
    undefined,
)


def test_by_hand() -> None:
    truth = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 0], [0, 0, 0]], np.float32)
    scores = np.array([[0.9, 0.1, 0.2], [0.8, 0.2, 0.8], [0.7, 0.3, 0.4], [0.1, 0.4, 0.6]], np.float32)
    truth, scores = np.tile(truth, (2, 1)), np.tile(scores, (2, 1))  # each clip twice: 4 have tag 0
    # Tag 0: of the 4 pairs of a clip with it and one without, 0.7 against 0.8 is the wrong way round.
    # Tag 2: 0.2 loses both its pairs, 0.8 wins both.
    np.testing.assert_allclose(roc_auc(truth, scores), [3 / 4, np.nan, 2 / 4])
    # Tag 0: precision 1/1 and 2/3 where the recall rises; tag 2: 1/1 and 2/4.
    np.testing.assert_allclose(pr_auc(truth, scores), [5 / 6, np.nan, 3 / 4])
    found = evaluate(truth, truth, scores)
    assert found["roc_auc"] == pytest.approx(5 / 8)
    assert found["tags"] == 2
    assert found["clips"] == 8


def test_the_area_is_scikit_learn_s_and_ties_count_half() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((60, 9)) < 0.3).astype(np.float32)
    scores = rng.integers(0, 6, (60, 9)).astype(np.float32)
    wanted = [roc_auc_score(truth[:, tag], scores[:, tag]) for tag in range(9)]
    np.testing.assert_allclose(roc_auc(truth, scores), wanted)


def test_a_tag_of_one_or_two_clips_has_no_auc() -> None:
    truth = np.zeros((9, 4), np.float32)
    for tag, count in enumerate((0, 2, 3, 9)):
        truth[:count, tag] = 1
    assert undefined(truth).tolist() == [True, True, False, True]


def test_overlap_counts_shared_tags() -> None:
    target = np.array([[5, 4, 3, 2, 1], [1, 2, 3, 4, 5]], np.float32)
    scores = np.array([[5, 4, 3, 2, 1], [5, 4, 3, 2, 1]], np.float32)
    assert top_overlap(target, scores, 2) == pytest.approx((2 + 0) / 4)
    assert top_overlap(target, scores, 3) == pytest.approx((3 + 1) / 6)


def test_first_and_known_tags_in_our_three() -> None:
    target = np.array([[0.9, 0.1, 0.2, 0.3, 0.0], [0.1, 0.2, 0.3, 0.4, 0.8]], np.float32)
    scores = np.array([[0.1, 0.2, 0.3, 0.4, 0.0], [0.0, 0.0, 0.3, 0.4, 0.5]], np.float32)
    known = np.array([[False] * 5, [True, False, False, True, False]])
    assert in_top(known, scores).tolist() == [False, True]
    truth = np.array([[1], [0]], np.float32).repeat(5, axis=1)
    target, scores, known, truth = (np.tile(matrix, (3, 1)) for matrix in (target, scores, known, truth))
    found = evaluate(truth, target, scores, known)
    assert found["first3"] == pytest.approx(0.5)
    assert (found["known3"], found["known_clips"]) == (1.0, 3), "of clips of which a tag is known"


def test_two_vocabularies_are_measured_apart() -> None:
    rng = np.random.default_rng(0)
    outputs = [("mtat", "rock"), ("mtat", "pop"), ("msd", "rock"), ("msd", "jazz"), ("msd", "pop")]
    truth = (rng.random((40, 5)) < 0.5).astype(np.float32)
    target, scores = rng.random((2, 40, 5)).astype(np.float32)
    found = evaluate_outputs(outputs, truth, target, scores)
    assert found["msd"] == pytest.approx(evaluate(truth[:, 2:], target[:, 2:], scores[:, 2:]))
    alone = evaluate_outputs(outputs[:2], truth[:, :2], target[:, :2], scores[:, :2])
    assert found["mtat"] == pytest.approx(alone)
    assert found["roc_auc"] == pytest.approx(np.mean(roc_auc(truth, scores)))
    assert "top5" not in found, "of 100 tags it would say something else"


def test_tags_are_counted_by_what_they_are_about() -> None:
    outputs = [("mtat", "guitar"), ("msd", "guitar"), ("mtat", "flute"), ("mtat", "sitar"), ("msd", "80s")]
    found = by_kind(outputs, np.array([0.9, 0.8, 0.7, np.nan, np.nan]))
    assert found == {"instrument": pytest.approx(0.8)}


def test_nothing_to_rank_is_said() -> None:
    with pytest.raises(DataError, match="none of 3 tags has 3 positive clips and a negative one among 2"):
        evaluate(np.ones((2, 3), np.float32), np.ones((2, 3), np.float32), np.ones((2, 3), np.float32))


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"truth \(2, 3\) and scores \(2, 4\) differ"):
        roc_auc(np.ones((2, 3), np.float32), np.ones((2, 4), np.float32))
