"""MagnaTagATune's layout, read and refused."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from train.data import read
from train.data.mtat import BROKEN, TAGS, top_tags
from train.errors import DataError
from train.report.published import LISTED, USED

STUDY = Path(__file__).parents[4] / "shared" / "study" / "mtat"


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
        ("annotations_final.csv", '"0"\t', '"0"\t"0"\t', "line 2 has more values than there are columns"),
        ("annotations_final.csv", '\n"1"\t', '\n"0"\t', "clip 0 has 2 rows"),
        (
            "annotations_final.csv",
            "0/clip-0.mp3",
            "1/clip-1.mp3",
            "2 clips are said to lie in '1/clip-1.mp3'",
        ),
        ("soft_labels.csv", '"harp"', '"harp"\t"harp"', "two columns are named 'harp'"),
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


def test_missing_clips_are_counted_and_listed(broken: Path) -> None:
    (broken / "0" / "clip-0.mp3").unlink()
    (broken / "c" / "clip-13.mp3").unlink()
    dataset = read(broken, "soft")
    assert dataset.left_out == {"0/clip-0.mp3": "missing", "c/clip-13.mp3": "missing"}
    assert dataset.listed == {"train": 12, "valid": 5, "test": 7}
    assert np.flatnonzero(~dataset.present).tolist() == [0, 13]
    np.testing.assert_array_equal(dataset.truth, read_all(broken))


def read_all(root: Path) -> np.ndarray:
    """The annotations, read another way."""
    cells = np.genfromtxt(root / "annotations_final.csv", dtype=str, delimiter="\t", skip_header=1)
    return np.asarray(cells[:, 1:51] == '"1"')


def test_audio_may_lie_elsewhere(data: Path, tmp_path: Path) -> None:
    for name in ("annotations_final.csv", "soft_labels.csv"):
        shutil.copy(data / name, tmp_path)
    dataset = read(tmp_path, audio=f"{data.as_posix()}/{{path}}")
    assert dataset.present.all()
    with pytest.raises(DataError, match="none of its 24 clips has a file"):
        read(tmp_path)


def write_magnatagatune(root: Path, truth: dict[str, list[float]]) -> None:
    """The official file's 188 columns and 25,863 rows, as far as they are known, and empty MP3s."""
    others = [f"other {i}" for i in range(138)]
    columns = [*others[:70], *sorted(TAGS), *others[70:]]
    with (root / "annotations_final.csv").open("w") as file:
        file.write("\t".join(f'"{name}"' for name in ("clip_id", *columns, "mp3_path")) + "\n")
        for line in (STUDY / "index_mtt.tsv").read_text().splitlines():
            clip, path = line.split("\t")
            labels = dict(zip(TAGS, truth.get(clip, [0.0] * 50), strict=True))
            cells = "\t".join(f'"{int(labels.get(name, 0))}"' for name in columns)
            file.write(f'"{clip}"\t{cells}\t"{path}"\n')
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).touch()


@pytest.mark.skipif(not STUDY.is_dir(), reason="MagnaTagATune's index is not here")
def test_the_real_index(tmp_path: Path) -> None:
    """The annotations of the training split are not here: they stand as 0."""
    truth: dict[str, list[float]] = {}
    for name in ("val_gt_mtt.tsv", "test_gt_mtt.tsv"):
        for line in (STUDY / name).read_text().splitlines():
            clip, labels = line.split("\t")
            truth[clip] = json.loads(labels)
    write_magnatagatune(tmp_path, truth)
    dataset = read(tmp_path)
    assert dataset.listed == LISTED["mtat"]
    assert dataset.left_out == dict.fromkeys(BROKEN, "known to be broken")
    assert Counter(dataset.split[dataset.present].tolist()) == USED["mtat"]
    count = dict(zip(TAGS, dataset.truth[dataset.split == "test"].sum(axis=0).tolist(), strict=True))
    assert (count["guitar"], count["classical"], count["choral"]) == (875, 699, 131)
    everything = dataset.truth[dataset.split != "train"].sum(axis=0)
    np.testing.assert_array_equal(everything, np.sum(list(truth.values()), axis=0))


def test_the_most_frequent_tags_are_derived() -> None:
    """In the official file they come out as the known list, in its order, wherever their columns stand."""
    columns = [*sorted(TAGS), *(f"other {i}" for i in range(138))]
    annotations = np.zeros((400, 188), np.float32)
    for rank, tag in enumerate(TAGS):
        annotations[: 300 - 5 * rank, columns.index(tag)] = 1
    annotations[:40, 50:] = 1
    assert top_tags(columns, annotations) == TAGS


def test_other_frequent_tags_are_said(broken: Path) -> None:
    path = broken / "annotations_final.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f'{header}\t"bagpipe"', *(f'{row}\t"1"' for row in rows)]))
    dataset = read(broken)
    assert "its most frequent tags are not those of MagnaTagATune: number 1 is 'bagpipe'" in dataset.notes[0]
    assert dataset.tags == TAGS
    np.testing.assert_array_equal(dataset.truth, read_all(broken))


def test_a_line_that_breaks_off_before_another_tag(broken: Path) -> None:
    path = broken / "annotations_final.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f'{header}\t"bagpipe"', *rows]))
    with pytest.raises(DataError, match="line 2 has no value for 'bagpipe'"):
        read(broken)
