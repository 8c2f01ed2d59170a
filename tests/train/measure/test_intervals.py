import numpy as np

from train.measure.intervals import ends, interval, p_value, resampled
from train.measure.metrics import roc_auc


def test_groups_are_drawn_and_not_clips() -> None:
    """Clips of a group that are alike tell no more than one: the interval is that of as many groups."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=30)
    groups = np.arange(30).astype(str)
    low, high = interval(lambda rows: {"mean": values[rows].mean()}, groups)["mean"]
    copies = values.repeat(50)
    same = interval(lambda rows: {"mean": copies[rows].mean()}, groups.repeat(50))["mean"]
    np.testing.assert_allclose(same, (low, high))
    assert low < values.mean() < high
    deviation = values.std() / np.sqrt(30)
    assert 3 * deviation < high - low < 5 * deviation


def test_a_metric_that_some_samples_lack_is_that_of_the_others() -> None:
    found = interval(
        lambda rows: {"all": 1.0} | ({"some": 2.0} if 0 in rows else {}), np.array(["a", "b", "c"])
    )
    assert found == {"all": (1.0, 1.0), "some": (2.0, 2.0)}


def test_the_resamples_of_two_models_are_pairs() -> None:
    """The difference of two like models scatters less than either of them."""
    rng = np.random.default_rng(2)
    truth = (rng.random((120, 4)) < 0.3).astype(np.float32)
    groups = (np.arange(120) // 4).astype(str)
    one = (truth + rng.normal(size=truth.shape)).astype(np.float32)
    other = (one + 0.1 * rng.normal(size=truth.shape)).astype(np.float32)
    first, second = (resampled(truth, scores, groups, 300)["roc_auc"].mean(axis=1) for scores in (one, other))
    assert (first - second).std() < 0.5 * first.std()
    low, high = ends(first)
    assert low < np.mean(roc_auc(truth, one)) < high
    assert p_value(float(np.mean(roc_auc(truth, one) - roc_auc(truth, other))), first - second) > 0.05
    chance = rng.normal(size=truth.shape).astype(np.float32)
    worse = resampled(truth, chance, groups, 300)["roc_auc"].mean(axis=1)
    assert p_value(float(np.mean(roc_auc(truth, one) - roc_auc(truth, chance))), first - worse) < 0.01


def test_a_tag_that_is_not_drawn_is_nan_there() -> None:
    truth = np.zeros((12, 1), np.float32)
    truth[0] = 1
    found = resampled(truth, truth, np.arange(12).astype(str), 100)["pr_auc"]
    assert 0 < np.isnan(found).mean() < 1
    assert ends(found[:, 0]) == (1, 1)
