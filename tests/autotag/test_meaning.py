"""The table of meanings holds together, for all tags of all vocabularies."""

from itertools import combinations

import pytest

from autotag.meaning import MEANINGS, meaning_of
from autotag.models.registry import models
from autotag.request import Selection, implied_by

NAMES = [meaning.name for meaning in MEANINGS]
SPOKEN = sorted({output.tag for file in models().values() for output in file.metadata.outputs})


@pytest.mark.parametrize("tag", SPOKEN)
def test_every_tag_of_every_model_has_a_meaning_in_the_table(tag: str) -> None:
    assert meaning_of(tag).name in NAMES


def test_each_tag_stands_once_and_every_name_that_is_referred_to_is_one() -> None:
    tags = [tag for meaning in MEANINGS for tag in (meaning.name, *meaning.synonyms)]
    assert len(tags) == len(set(tags))
    for meaning in MEANINGS:
        assert set(meaning.implies) <= set(NAMES)
        assert set(meaning.yields_to) <= set(NAMES)
        assert meaning.name not in (*implied_by(meaning.name), *meaning.yields_to)
        assert not set(implied_by(meaning.name)) & set(meaning.yields_to), "it would hide itself"


def test_voices_are_vocals_and_what_has_none_excludes_them() -> None:
    for name in ("female vocal", "male vocal", "singing", "choir", "opera"):
        assert "vocals" in implied_by(name)
    assert meaning_of("female vocalists").name == meaning_of("female vocal").name
    assert meaning_of("electronica").name == "electronic"
    assert meaning_of("no voice").yields_to == ("vocals",)


def test_of_two_that_exclude_each_other_one_is_shown() -> None:
    pairs = [
        (a.name, b.name)
        for a, b in combinations(MEANINGS, 2)
        if b.name in a.yields_to and a.name in b.yields_to
    ]
    assert ("fast", "slow") in pairs
    for pair in pairs:
        for scores in ((0.6, 0.7), (0.7, 0.6)):
            shown = Selection().narrow(zip(pair, scores, strict=True))  # type: ignore[arg-type]
            assert [score for _, score in shown] == [0.7]


def test_a_genre_or_mood_has_the_name_that_players_show() -> None:
    genres = {meaning.name: meaning.genre for meaning in MEANINGS if meaning.genre}
    assert genres["rnb"] == "R&B"
    assert genres["opera"] == "Opera"
    assert meaning_of("opera").kind == "voice"
    assert {meaning.name for meaning in MEANINGS if meaning.kind == "genre"} <= set(genres)
    assert not any(meaning.genre and meaning.mood for meaning in MEANINGS)
