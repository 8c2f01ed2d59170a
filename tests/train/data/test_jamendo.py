"""MTG-Jamendo's lists, written here in their published form, over songs made here."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import Run, music
from train.data import read
from train.data.jamendo import COLUMNS, ENDINGS
from train.errors import DataError
from train.measure.metrics import pr_auc, roc_auc

TAGS = ("genre---rock", "instrument---voice", "mood/theme---voice", "mood/theme---slow")
COUNTS = {"train": 12, "valid": 6, "test": 6}


def line(track: int, *tags: str) -> str:
    ids = f"track_{track:07}\tartist_{track // 2:06}\talbum_{track // 2:06}"
    return "\t".join([ids, f"{track % 100:02}/{track}.mp3", "4.0", *tags])


def write_lists(folder: Path) -> Path:
    """Three lists of a mood and theme split; returns the one to train on."""
    folder.mkdir(parents=True)
    track = 0
    for split, count in COUNTS.items():
        lines = ["\t".join(COLUMNS)]
        for _ in range(count):
            lines.append(line(track, *(tag for place, tag in enumerate(TAGS) if (track + place) % 2)))
            track += 1
        path = folder / f"autotagging_moodtheme-{ENDINGS[split]}.tsv"
        path.write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "autotagging_moodtheme-train.tsv"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lists as in the published repository, and songs of 4 s elsewhere."""
    folder = tmp_path_factory.mktemp("jamendo")
    write_lists(folder / "split-0")
    for track in range(sum(COUNTS.values())):
        path = folder / "audio" / f"{track % 100:02}" / f"{track}.low.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, music(4, 16000, track), 16000)
    return folder


def test_the_lists_are_read_wherever_the_audio_lies(folder: Path) -> None:
    name = folder / "split-0" / "autotagging_moodtheme-validation.tsv"
    dataset = read(name, audio="../audio/{path}.low.mp3")
    assert (dataset.name, dataset.vocabulary) == ("autotagging_moodtheme", "jamendo_moodtheme")
    shown = ("rock", "instrument---voice", "slow", "mood/theme---voice")
    assert dataset.outputs == tuple(("jamendo_moodtheme", tag) for tag in shown), "one name is not two tags"
    assert dataset.listed == COUNTS
    assert dataset.truth[0].tolist() == [0, 1, 1, 0]
    assert not dataset.left_out
    assert dataset.groups is not None
    assert dataset.groups[:3].tolist() == ["artist_000000", "artist_000000", "artist_000001"]
    assert read(**dataset.origin).paths == dataset.paths


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("track_0000002", "track_0000013", "track_0000013 is in .*-train.tsv too. Delete one of the two"),
        ("track_0000002", "track_0000001", "-train.tsv: line 4: track_0000001 has another line. Delete one"),
        ("genre---rock", "rock", "line 3: 'track_0000001.* is not a track with tags such as genre---rock"),
        (
            "TRACK_ID\tARTIST_ID",
            "TRACK_ID\tARTIST",
            r"line 1 is 'TRACK_ID\\tARTIST\\t.*not TRACK_ID ARTIST_ID",
        ),
    ],
)
def test_what_is_wrong_is_named(folder: Path, tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_lists(tmp_path / "split-0")
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(DataError, match=message):
        read(path, audio=f"{folder}/audio/{{path}}.low.mp3")


def test_a_list_without_the_others_and_one_of_no_split(tmp_path: Path) -> None:
    path = write_lists(tmp_path / "split-0")
    with pytest.raises(DataError, match=r"none of its 24 clips has a file, .* '00/0.mp3': see --audio"):
        read(path)
    path.with_name("autotagging_moodtheme-test.tsv").unlink()
    with pytest.raises(DataError, match=r"-test.tsv: no such file: it is part of the published split"):
        read(path)
    with pytest.raises(DataError, match=r"not a list of a split. Name one that ends in -train\.tsv"):
        read(path.rename(path.with_name("autotagging.tsv")))


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
def test_it_is_trained_and_measured_by_the_means_over_its_tags(
    folder: Path, here: Run, tmp_path: Path
) -> None:
    clips = ["--data", folder / "split-0" / "autotagging_moodtheme-train.tsv"]
    where = ["--audio", "../audio/{path}.low.mp3", "--cache", tmp_path / "cache", "--work", tmp_path / "runs"]
    done = here("fit", "vgg-12k-48-x10-db", *clips, *where, "--epochs", 2)
    assert done.returncode == 0, done.stderr
    run = Path(done.stdout.strip())
    metrics = json.loads((run / "result.json").read_text())["metrics"]["test"]
    found = np.load(run / "predictions.npz")
    test = found["split"] == "test"
    for name, area in (("roc_auc", roc_auc), ("pr_auc", pr_auc)):
        assert metrics[name] == pytest.approx(area(found["truth"][test], found["scores"][test]).mean())
    assert metrics["tags"] == len(TAGS)
    reported = here("report", tmp_path / "runs")
    assert (
        (tmp_path / "runs" / "report.md")
        .read_text("utf-8")
        .startswith("# `autotagging_moodtheme`, 12 / 6 / 6 clips\n")
    ), reported.stderr
