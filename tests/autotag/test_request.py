"""From scores to tags: each step, and their order."""

import numpy as np
import pytest

from autotag.errors import VocabularyNotFound
from autotag.meaning import Output
from autotag.request import LIKELY, Selection, TagRequest
from autotag.result import Tag

OUTPUTS = (
    *(Output("mtat", tag) for tag in ("guitar", "woman", "female voice", "vocals", "no vocals", "rock")),
    *(Output("msd", tag) for tag in ("rock", "female vocalists", "jazz")),
)
SCORES = np.array([0.5, 0.4, 0.45, 0.1, 0.2, 0.6, 0.3, 0.41, 0.05], np.float32)


def chosen(**options: object) -> dict[str, float]:
    tags = Selection(**{"top": 0, **options}).choose(OUTPUTS, SCORES)  # type: ignore[arg-type]
    assert list(tags) == sorted(tags, key=lambda tag: -tag.score)
    return {tag: round(score, 4) for tag, score in tags}


def test_a_name_in_both_vocabularies_is_one_tag_with_the_mean_of_its_scores() -> None:
    assert chosen()["rock"] == 0.45
    assert chosen(vocabulary="mtat")["rock"] == 0.6
    assert chosen(vocabulary="msd")["rock"] == 0.3
    assert set(chosen(vocabulary="msd", merge=False)) == {"rock", "female vocalists", "jazz"}


def test_synonyms_are_one_tag_with_the_highest_score_across_vocabularies() -> None:
    assert chosen()["female vocal"] == 0.45
    assert not {"woman", "female voice", "female vocalists"} & set(chosen())
    assert chosen(merge=False)["woman"] == 0.4


def test_what_a_tag_implies_scores_at_least_as_high_before_exclusion() -> None:
    found = chosen()
    assert found["vocals"] == found["female vocal"], "singing women are vocals"
    assert "no vocals" not in found, "which vocals, implied, excludes"
    assert chosen(merge=False)["vocals"] == 0.1
    assert chosen(merge=False)["no vocals"] == 0.2
    assert "vocals" not in chosen(vocabulary="msd"), "nothing is shown that the vocabulary lacks"


def test_a_genre_gives_way_to_a_stronger_sign_of_other_music() -> None:
    outputs = (Output("msd", "jazz"), Output("mtat", "classical"))
    selection = Selection(top=0)
    assert [tag for tag, _ in selection.choose(outputs, [0.51, 0.6])] == ["classical"]
    assert [tag for tag, _ in selection.choose(outputs, [0.6, 0.51])] == ["jazz", "classical"]


def test_threshold_then_top() -> None:
    assert list(chosen(threshold=0.44)) == ["guitar", "rock", "female vocal", "vocals"]
    assert list(chosen(threshold=0.44, top=2)) == ["guitar", "rock"]
    assert list(chosen(threshold="auto")) == [tag for tag, score in chosen().items() if score >= LIKELY]
    assert chosen(threshold=0.9) == {}


def test_tags_of_an_earlier_result_are_narrowed_in_the_same_way() -> None:
    tags = [Tag("woman", 0.4), Tag("vocals", 0.1), Tag("no vocals", 0.3)]
    assert Selection().narrow(tags) == (Tag("female vocal", 0.4), Tag("vocals", 0.4))
    assert Selection(merge=False, top=1).narrow(tags) == (Tag("woman", 0.4),)


def test_a_vocabulary_that_the_model_lacks_names_those_it_has() -> None:
    with pytest.raises(
        VocabularyNotFound, match=r"vocabulary 'lastfm' is none of the model's\. Use mtat, msd, or all\."
    ):
        Selection(vocabulary="lastfm").choose(OUTPUTS, SCORES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": -1}, "top is -1"),
        ({"top": 2.5}, "top is 2.5"),
        ({"top": True}, "top is True"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": "high"}, "threshold is 'high'"),
        ({"vocabulary": ""}, "vocabulary is ''"),
        ({"merge": "yes"}, "merge is 'yes'"),
        ({"excerpt": 0}, "excerpt is 0"),
        ({"excerpt": "long"}, "excerpt is 'long'"),
        ({"embed": "segment"}, "embed is 'segment'. Use 'mean', 'segments' or None"),
    ],
)
def test_what_cannot_be_is_said_with_its_value(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        TagRequest(**options)  # type: ignore[arg-type]


def test_numbers_of_numpy_are_numbers() -> None:
    request = TagRequest(threshold=np.float32(0.5), top=np.int64(3), excerpt=np.float64(29.1))  # type: ignore[arg-type]
    assert request == TagRequest(threshold=0.5, top=3, excerpt=29.1)
    assert type(request.threshold) is float
    assert type(request.top) is int
