"""Which models are as good as the best one."""

from dataclasses import replace
from typing import Any

import pytest

from autotag.models.registry import ModelFile, select
from autotag.speed.sensible import as_good

FIRST, *_ = select(["vgg-12k-48-x2-db"])


def made(name: str, roc_auc: float, resampled: list[float] | None = None) -> ModelFile:
    """A model that says so much of itself."""
    test: dict[str, Any] = {"roc_auc": roc_auc} | ({"resampled": {"roc_auc": resampled}} if resampled else {})
    return replace(FIRST, name=name, metadata=replace(FIRST.metadata, metrics={"int8": {"test": test}}))


BEST = made("best", 0.95, [0.94, 0.95, 0.96, 0.95])


@pytest.mark.parametrize(
    ("roc_auc", "resampled", "good"),
    [
        (0.946, [0.936, 0.946, 0.956, 0.946], True),  # it loses as much with any music
        (0.946, [0.96, 0.93, 0.94, 0.95], False),  # with some music it loses 0.02
        (0.944, [0.934, 0.944, 0.954, 0.944], False),
        (0.946, None, True),  # of an older export
        (0.946, [0.9], True),  # of resamples that are no pairs
    ],
)
def test_a_small_loss_that_is_small_with_other_music_too(
    roc_auc: float, resampled: list[float] | None, good: bool
) -> None:
    other = made("other", roc_auc, resampled)
    assert (other in as_good([BEST, other])) == good
    assert BEST in as_good([other, BEST])
