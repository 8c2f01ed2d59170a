import numpy as np

from train.measure.intervals import interval


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
