"""Files beside the annotations: what is known of clips, where they come from, and where labels begin."""

import json
from pathlib import Path

import numpy as np
import pytest

from train.data import beside
from train.data.mtat import TAGS_OF
from train.errors import DataError

IDS = ("7", "8", "9")
OUTPUTS = (("mtat", "piano"), ("mtat", "rock"), ("msd", "rock"))


def test_known_tags_are_those_of_the_outputs(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    assert beside.known(path, IDS, OUTPUTS, TAGS_OF) is None
    path.write_text("clip_id,acceptable\n9,mtat:rock|msd:rock|msd:blues\n7,mtat:piano\n")
    found = beside.known(path, IDS, OUTPUTS, TAGS_OF)
    assert found is not None
    assert found.tolist() == [[True, False, False], [False, False, False], [False, True, True]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("5,mtat:rock", "line 2 is .*'5'.*not one of the clips"),
        ("8", "line 2 is .*not one of the clips and its tags"),
        ("8,mtat:zydeco", "line 2: 'mtat:zydeco' is not a tag"),
    ],
)
def test_a_row_of_known_tags_that_is_wrong_is_named(row: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    path.write_text(f"clip_id,acceptable\n{row}\n")
    with pytest.raises(DataError, match=rf"known\.csv: {message}"):
        beside.known(path, IDS, OUTPUTS, TAGS_OF)


def test_every_clip_has_a_source(tmp_path: Path) -> None:
    path = tmp_path / "sources.csv"
    assert beside.sources(path, IDS) is None
    path.write_text("clip_id,group,kind\n7,a,real\n9,b,game\n8,a,real\n")
    found = beside.sources(path, IDS)
    assert found is not None
    assert [column.tolist() for column in found] == [["a", "a", "b"], ["real", "real", "game"]]
    with pytest.raises(DataError, match=r"sources\.csv: clip 10 has no row with a group and a kind"):
        beside.sources(path, (*IDS, "10"))


def test_labels_begin_where_the_file_says_or_at_the_highest_tenth(tmp_path: Path) -> None:
    frequent = np.array([0.1, 0.2, 0.3])
    path = tmp_path / "thresholds.json"
    assert beside.begins(path, OUTPUTS, frequent).tolist() == [0.1, 0.2, 0.3]
    path.write_text(json.dumps({"piano": {"threshold": 0.4}, "rock": {"threshold": 0.05}}))
    assert beside.begins(path, OUTPUTS, frequent).tolist() == [0.4, 0.05, 0.3]
    path.write_text(json.dumps({"piano": {"threshold": 0.4}}))
    with pytest.raises(
        DataError, match=r"thresholds\.json: not a threshold for each tag: KeyError\('rock'\)"
    ):
        beside.begins(path, OUTPUTS, frequent)
