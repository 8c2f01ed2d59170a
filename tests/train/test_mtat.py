import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from train.datasets import read
from train.datasets.mtat import TAGS
from train.errors import DataError


def test_clips_are_split_by_folder(data: Path) -> None:
    dataset = read(data)
    assert Counter(dataset.split.tolist()) == {"train": 12, "valid": 5, "test": 7}
    assert dataset.truth.shape == dataset.target.shape == (24, 50)
    assert np.isin(dataset.truth, (0, 1)).all()
    np.testing.assert_array_equal(dataset.truth, dataset.target)


def test_soft_labels_are_the_target_and_annotations_stay_the_truth(data: Path) -> None:
    dataset = read(data, "soft")
    assert ((dataset.target > 0) & (dataset.target < 1)).all()
    np.testing.assert_array_equal(dataset.truth, dataset.target > 0.5)


def test_the_vocabulary() -> None:
    assert len(TAGS) == len(set(TAGS)) == 50
    assert (TAGS[0], TAGS[-1]) == ("guitar", "choral")


@pytest.fixture
def broken(data: Path, tmp_path: Path) -> Path:
    """A copy of the data set for a test to break."""
    return Path(shutil.copytree(data, tmp_path / "broken"))


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("annotations_final.csv", '"harp"', '"hrap"', "1 columns are missing, for example 'harp'"),
        ("annotations_final.csv", '"mp3_path"', '"path"', "for example 'mp3_path'"),
        ("annotations_final.csv", '"0"\t"1"', '"0"\t"2"', "tag 'guitar': 2.0 is not in 0..1"),
        ("annotations_final.csv", '"0"\t"1"', '"0"\t"yes"', "clip 0, tag 'guitar': 'yes' is not a number"),
        ("annotations_final.csv", '"0"\t"1"', '"0"\t"0.5"', "'guitar': annotations must be 0 or 1, not 0.5"),
        ("annotations_final.csv", "0/clip-0.mp3", "x/clip-0.mp3", "'x/clip-0.mp3' does not lie in one of"),
        ("soft_labels.csv", "\n23\t", "\n99\t", "1 annotated clips have no row, for example '23'"),
    ],
)
def test_what_is_wrong_is_named(broken: Path, file: str, old: str, new: str, message: str) -> None:
    _edit(broken / file, old, new)
    with pytest.raises(DataError) as error:
        read(broken, "soft")
    assert message in str(error.value)
    assert str(broken) in str(error.value)


def test_a_line_that_breaks_off(broken: Path) -> None:
    path = broken / "annotations_final.csv"
    path.write_text(path.read_text().rsplit("\t", 1)[0])
    with pytest.raises(DataError, match="line 25 has no value for 'mp3_path'"):
        read(broken)


def test_a_file_that_is_no_table(broken: Path) -> None:
    (broken / "annotations_final.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a table in UTF-8"):
        read(broken)


def test_a_clip_outside_the_folders(broken: Path) -> None:
    (broken / "g").mkdir()
    shutil.move(broken / "0" / "clip-0.mp3", broken / "g" / "clip-0.mp3")
    _edit(broken / "annotations_final.csv", "0/clip-0.mp3", "g/clip-0.mp3")
    with pytest.raises(DataError, match=r"'g/clip-0\.mp3' does not lie in one of the folders 0 to f"):
        read(broken)


def test_no_data_set_at_all(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no data set: it should hold annotations_final\.csv and MP3 folders 0 to f"
    ):
        read(tmp_path)
