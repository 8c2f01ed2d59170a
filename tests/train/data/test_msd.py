"""The Million Song Dataset's layout: the published lists and a template of where the audio lies."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autotag.config import Config
from tests.train.conftest import MSD_CLIPS
from train.data import read
from train.data.cache import mel_power
from train.data.msd import TAGS
from train.errors import DataError
from train.report.published import LISTED, USED

STUDY = Path(__file__).parents[4] / "shared" / "study" / "msd"


def test_tracks_are_split_by_list(msd: Path) -> None:
    dataset = read(msd)
    assert Counter(dataset.split.tolist()) == dataset.listed == MSD_CLIPS
    assert dataset.tags == TAGS
    assert dataset.truth.shape == (sum(MSD_CLIPS.values()), 50)
    np.testing.assert_array_equal(dataset.truth[dataset.split == "valid"], np.load(msd / "valid_y.npy"))
    assert dataset.paths[0] == "A/A/A/TRAAAAA128F93187A0.mp3"
    assert dataset.model_name(Config()) == "msd-vgg-12k-48-x2-db"


def test_audio_lies_where_the_template_says(msd: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(msd, tmp_path / "copy"))
    for split, count in MSD_CLIPS.items():
        tracks = (copy / f"{split}_x_msd_id.txt").read_text().split()
        names = [f"{i % 10}/{i % 7}/{split}{i}" for i in range(count)]
        (copy / f"{split}_x_filename.txt").write_text("\n".join(f"{name}.npy" for name in names))
        for track, name in zip(tracks, names, strict=True):
            new = copy / "clips" / f"{name}.clip.mp3"
            new.parent.mkdir(parents=True, exist_ok=True)
            (copy / "/".join(track[2:5]) / f"{track}.mp3").rename(new)
    dataset = read(copy, audio="clips/{path}.clip.mp3")
    assert dataset.present.all()
    assert dataset.paths[1] == "clips/1/1/train1.clip.mp3"
    with pytest.raises(DataError, match=r"none of its 16 clips has a file, for example 'A/A/A/TR.*--audio"):
        read(copy)


def test_tracks_without_audio_are_counted_and_listed(msd: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(msd, tmp_path / "copy"))
    gone = read(msd).paths[9]
    (copy / gone).unlink()
    dataset = read(copy)
    assert dataset.left_out == {gone: "missing"}
    assert np.flatnonzero(~dataset.present).tolist() == [9]
    assert dataset.listed == MSD_CLIPS


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("valid_x_msd_id.txt", "TRAAAAA128F93187A0\nnobody", "line 2: 'nobody' is not of the form TR"),
        (
            "valid_x_msd_id.txt",
            "TRAAAAA128F93187A0",
            r"valid_y.npy: labels of shape \(4, 50\), where \(1, 50\)",
        ),
        ("valid_x_filename.txt", "3/9/3974574.npy", "1 lines for 4 tracks"),
        ("valid_y.npy", "nonsense", "valid_y.npy: not an array"),
        ("valid_y.npy", "", "valid_y.npy: not an array"),
        ("valid_y.npy", np.full((4, 50), 2), "row 0, tag 'rock': annotations must be 0 or 1, not 2"),
        ("valid_y.npy", None, "valid_y.npy: no such file: it is part of the published split"),
        ("test_x_msd_id.txt", None, "test_x_msd_id.txt: no such file"),
    ],
)
def test_what_is_wrong_is_named(
    msd: Path, tmp_path: Path, file: str, content: str | np.ndarray | None, message: str
) -> None:
    copy = Path(shutil.copytree(msd, tmp_path / "copy"))
    if content is None:
        (copy / file).unlink()
    elif isinstance(content, str):
        (copy / file).write_text(content)
    else:
        np.save(copy / file, content)
    with pytest.raises(DataError, match=message):
        read(copy)


def test_a_track_in_two_lists(msd: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(msd, tmp_path / "copy"))
    lines = (copy / "test_x_msd_id.txt").read_text().split()
    lines[0] = (copy / "train_x_msd_id.txt").read_text().split()[0]
    (copy / "test_x_msd_id.txt").write_text("\n".join(lines))
    with pytest.raises(DataError, match="1 tracks are listed twice, for example TRAAAAA"):
        read(copy)


@pytest.mark.parametrize("template", ["{path}.mp3", "{id[99]}.mp3", "{id", "{}"])
def test_a_template_that_cannot_be_filled_in(msd: Path, template: str) -> None:
    with pytest.raises(DataError, match=r"--audio .* cannot be filled in for"):
        read(msd, audio=template)


def test_soft_labels_are_not_to_be_had(msd: Path) -> None:
    with pytest.raises(DataError, match="has annotations only, not the labels 'soft'"):
        read(msd, "soft")


@pytest.mark.skipif(not STUDY.is_dir(), reason="the published lists are not here")
def test_the_published_lists(tmp_path: Path) -> None:
    """The labels to train on are not here, and no audio is: empty files stand for it."""
    for path in STUDY.iterdir():
        shutil.copy(path, tmp_path)
    np.save(tmp_path / "train_y.npy", np.zeros((LISTED["msd"]["train"], 50), bool))
    tracks = (tmp_path / "valid_x_msd_id.txt").read_text().split()[100:200]
    for track in tracks:
        (tmp_path / f"{track}.mp3").touch()
    dataset = read(tmp_path, audio="{id}.mp3")
    assert dataset.listed == LISTED["msd"]
    assert dataset.cut == USED["msd"]["train"]
    assert np.array(dataset.paths)[dataset.present].tolist() == [f"{track}.mp3" for track in tracks]
    np.testing.assert_array_equal(dataset.truth[dataset.present], np.load(STUDY / "valid_y.npy")[100:200])
    assert len(dataset.left_out) == sum(LISTED["msd"].values()) - 100
    count = dict(zip(TAGS, np.load(STUDY / "test_y.npy").sum(axis=0).tolist(), strict=True))
    assert [count[tag] for tag in ("rock", "jazz", "Hip-Hop", "happy")] == [4245, 2574, 1244, 94]


def test_short_tracks_are_left_out_as_in_the_study(msd: Path, cache: Path) -> None:
    dataset = read(msd)
    _, usable = mel_power(dataset, Config(), cache)
    assert [dataset.paths[clip] for clip in np.flatnonzero(~usable)] == ["A/A/A/TRAAACA128F93187A2.mp3"]


def test_what_remains_of_two_lists_is_cut_as_in_the_study(msd: Path, cache: Path) -> None:
    """There at 201,680, here at 6 of the 7 and 4 that have 29.1 s of audio."""
    dataset = replace(read(msd), cut=6)
    _, usable = mel_power(dataset, Config(), cache)
    assert dataset.rows("train", usable).tolist() == [0, 1, 3, 4, 5, 6]
    assert dataset.rows("valid", usable).tolist() == [7, 8, 9, 10, 11]
    assert dataset.rows("test", usable).tolist() == [12, 13, 14, 15]
    usable[:6] = False  # with part of the audio, the lists are what they are
    assert dataset.rows("train", usable).tolist() == [6, 7]
    assert dataset.rows("valid", usable).tolist() == [8, 9, 10, 11]
