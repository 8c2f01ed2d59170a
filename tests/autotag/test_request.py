from dataclasses import replace

import numpy as np
import pytest

from autotag.models.metadata import Metadata
from autotag.models.registry import find, models
from autotag.request import SYNONYMS, choose

TAGS = ("guitar", "woman", "female voice", "beats", "choral")
SCORES = np.array([0.5, 0.4, 0.45, 0.02, 0.3], np.float32)


@pytest.fixture(scope="module")
def metadata() -> Metadata:
    found = find("vgg-12k-48-x10-db").metadata
    return replace(found, tags=TAGS, thresholds=(0.6, 0.3, 0.5, 0.01, 0.31))


def names(metadata: Metadata, *arguments: object, **options: object) -> list[str]:
    return [tag for tag, _ in choose(SCORES, metadata, *arguments, **options)]  # type: ignore[arg-type]


def test_the_best_come_first(metadata: Metadata) -> None:
    assert names(metadata, 3) == ["guitar", "female voice", "woman"]
    assert names(metadata, 0) == ["guitar", "female voice", "woman", "choral", "beats"]
    assert choose(SCORES, metadata, 1)[0].score == pytest.approx(0.5)


def test_a_threshold_leaves_out_lower_scores(metadata: Metadata) -> None:
    assert names(metadata, threshold=0.4) == ["guitar", "female voice", "woman"]
    assert names(metadata, threshold=0.9) == []
    assert len(names(metadata, threshold=0.0)) == 5


def test_auto_takes_the_threshold_of_each_tag(metadata: Metadata) -> None:
    assert names(metadata, threshold="auto") == ["woman", "beats"]


def test_synonyms_are_one_tag_with_the_highest_score(metadata: Metadata) -> None:
    found = choose(SCORES, metadata, 3, merge_synonyms=True)
    assert [tag for tag, _ in found] == ["guitar", "female vocal", "choir"]
    assert found[1].score == pytest.approx(0.45)


def test_of_synonyms_one_over_its_threshold_is_enough(metadata: Metadata) -> None:
    found = choose(SCORES, metadata, threshold="auto", merge_synonyms=True)
    assert [tag for tag, _ in found] == ["female vocal", "beat"]
    assert found[0].score == pytest.approx(0.4), "the score of the one that counts"


def test_what_cannot_be(metadata: Metadata) -> None:
    with pytest.raises(ValueError, match="top is -1"):
        choose(SCORES, metadata, -1)
    for threshold in (1.5, -0.1, "high", float("nan")):
        with pytest.raises(ValueError, match="threshold is"):
            choose(SCORES, metadata, threshold=threshold)


def test_synonyms_are_tags_of_the_models_and_each_in_one_group() -> None:
    members = [tag for group in SYNONYMS for tag in group]
    assert len(members) == len(set(members))
    spoken = {tag for entry in models().values() for tag in entry.metadata.tags}
    vocabularies = {entry.metadata.vocabulary for entry in models().values()}
    if vocabularies == {"mtat", "msd"}:
        assert set(members) <= spoken
