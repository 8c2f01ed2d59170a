"""One's own songs and tags: from a folder with a table to a model that is used like any other."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from autotag.models.registry import ModelFile, manifest
from tests.conftest import Run, music
from train.data import read
from train.data.split import SHARES, SPLITS, split_by
from train.errors import DataError

MODEL = "mytags-vgg-12k-48-x10-db"
TAGS = ("sea shanty", "täglich", "slow")


def songs() -> list[dict[str, str]]:
    """Twelve artists with four songs each, and tags that do not follow from them."""
    return [
        {
            "path": f"{artist}/{song}.mp3",
            "tags": "|".join(tag for place, tag in enumerate(TAGS) if (artist + song + place) % 3 != 2),
            "artist": f"Artist {artist}",
            "title": "told, and no tag",
        }
        for artist in range(12)
        for song in range(4)
    ]


def write(path: Path, rows: list[dict[str, str]], mark: str = ",", encoding: str = "utf-8") -> Path:
    lines = [[*rows[0]], *([*row.values()] for row in rows)]
    quoted = (mark.join(f'"{value}"' for value in line) for line in lines)
    path.write_text("\n".join(quoted) + "\n", encoding)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs of 4 s, and the table."""
    folder = tmp_path_factory.mktemp("own")
    for number, row in enumerate(songs()):
        (folder / row["path"]).parent.mkdir(exist_ok=True)
        soundfile.write(folder / row["path"], music(4, 16000, number), 16000)
    write(folder / "mytags.csv", songs())
    return folder


def test_neighbours_stay_together_and_each_tag_is_everywhere(folder: Path) -> None:
    dataset = read(folder / "mytags.csv", split_by="artist")
    assert dataset.outputs == tuple(("mytags", tag) for tag in sorted(TAGS))
    assert dataset.groups is not None
    for artist in np.unique(dataset.groups):
        assert len({*dataset.split[dataset.groups == artist]}) == 1
    counts = {split: int((dataset.split == split).sum()) for split in SPLITS}
    assert counts["train"] > 2 * counts["valid"] > 0 < counts["test"]
    for split in SPLITS:
        assert (dataset.truth[dataset.split == split].sum(axis=0) > 0).all()
    by_folder = read(folder / "mytags.csv", split_by="folder")
    np.testing.assert_array_equal(by_folder.split, dataset.split, "a folder an artist")
    again = read(folder / "mytags.csv", split_by="artist")
    np.testing.assert_array_equal(again.split, dataset.split)
    assert again.rule == dataset.rule
    assert again.rule["by"] == "artist"


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_column_a_tag_and_a_column_for_the_split(folder: Path, mark: str) -> None:
    rows = [
        {
            "path": row["path"],
            "split": SPLITS[place % 3],
            "rock, loud": str(place % 2),
            "calm": str(place // 5 % 2),
        }
        for place, row in enumerate(songs())
    ]
    dataset = read(write(folder / "Two Columns.csv", rows, mark, "utf-8-sig"))
    assert dataset.outputs == (("two_columns", "rock, loud"), ("two_columns", "calm"))
    assert dataset.truth[1].tolist() == [1, 0]
    assert dataset.split[:3].tolist() == ["train", "valid", "test"]


def test_of_many_groups_each_split_has_its_share() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60, 1000).astype(str)
    truth = (rng.random((1000, 5)) < 0.02).astype(np.float32)
    split = split_by(groups, truth, "songs.csv")
    for name, share in zip(SPLITS, SHARES, strict=True):
        assert (split == name).mean() == pytest.approx(share, abs=0.03)
        assert truth[split == name].any(axis=0).all()


def changed(line: int, **values: str) -> list[dict[str, str]]:
    rows = songs()
    rows[line - 2] |= values
    return rows


def with_split(line: int, split: str, **values: str) -> list[dict[str, str]]:
    rows = [row | {"split": SPLITS[place % 3]} for place, row in enumerate(songs())]
    rows[line - 2] |= {"split": split} | values
    return rows


WRONG = {
    "a path that is not there": (changed(3, path="0/x.mp3"), "artist", "line 3: no file '0/x.mp3' in"),
    "a song twice": (changed(4, path="./0/1.mp3"), "artist", "line 4: './0/1.mp3' stands in line 3 too. Del"),
    "a song in two splits": (
        with_split(4, "test", path="0/1.mp3"),
        None,
        "line 4: '0/1.mp3' stands in line 3 too, in the splits test and valid. Delete one of the two.",
    ),
    "no rule": (songs(), None, "no column 'split', and .*: --split-by artist, folder or, .* random"),
    "no such rule": (songs(), "album", "no column 'album' for --split-by. Use artist, folder, random"),
    "a rule and a split": (with_split(2, "train"), "artist", "its column 'split' says the split. Leave out"),
    "another split": (with_split(2, "dev"), None, "line 2: the split is 'dev'. Write train, valid, test."),
    "no artist": (changed(5, artist=""), "artist", "line 5 has no artist"),
    "a tag that no split of a song has": (
        changed(3, tags="lone"),
        "artist",
        r"1 of 4 tags, split by artist, have no song in the split '\w+', for example 'lone' \(lines 3\)",
    ),
    "a column that is no tag": (
        [{"path": row["path"], "year": "1999"} for row in songs()],
        "folder",
        "line 2, column 'year': '1999' is neither 0 nor 1. Correct it; or delete the column",
    ),
    "one artist": (
        [row | {"artist": "x"} for row in songs()],
        "artist",
        "1 groups of songs, .* split in three",
    ),
    "no tags": ([row | {"tags": ""} for row in songs()], "artist", "no tags. Add a column 'tags'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(folder: Path, name: str) -> None:
    rows, rule, message = WRONG[name]
    table = write(folder / "wrong.csv", rows)
    with pytest.raises(DataError, match=message) as error:
        read(table, split_by=rule)
    assert str(error.value).startswith(str(table))


def test_a_table_in_another_encoding_and_a_name_that_is_taken(folder: Path) -> None:
    with pytest.raises(DataError, match=r"line 2 is not a table in UTF-8: byte 0xe4. Save it as UTF-8."):
        read(write(folder / "latin.csv", songs(), encoding="latin-1"), split_by="artist")
    with pytest.raises(DataError, match=r"called musicnn-vgg-12k and so on, as others are\. Rename"):
        read(write(folder / "MusiCNN.csv", songs()), split_by="artist")
    with pytest.raises(DataError, match=r"not the labels 'soft'\. Use --labels annotations"):
        read(folder / "mytags.csv", "soft", split_by="artist")
    with pytest.raises(DataError, match="no table of songs, so its split is given"):
        read(folder, split_by="artist")


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
def test_three_commands_from_a_folder_of_songs_to_their_tags(
    folder: Path, here: Run, autotag: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the documents print them: one file is no sound, which stops nothing and is said."""
    (folder / "broken.mp3").write_bytes(b"\xff\xfb\x90\x00" + bytes(2000))
    rows = [*songs(), songs()[0] | {"path": "broken.mp3"}]
    table = write(folder / "mytags.csv", rows)
    monkeypatch.chdir(tmp_path)
    fitted = here("fit", MODEL.removeprefix("mytags-"), "--data", table, "--split-by", "artist")
    assert fitted.returncode == 0, fitted.stderr
    assert f"left out: {folder / 'broken.mp3'}" in fitted.stderr
    exported = here("export", fitted.stdout.strip())
    assert exported.returncode == 0, exported.stderr
    assert Path(exported.stdout.strip()) == Path("runs/models", f"{MODEL}.onnx")
    own = {"AUTOTAG_MODELS": str(tmp_path / "runs" / "models")}
    song = folder / songs()[0]["path"]
    tagged = autotag(song, "--model", MODEL, "--top", 0, "--format", "json", **own)
    (found,) = json.loads(tagged.stdout)
    assert {tag["tag"] for tag in found["tags"]} <= {*TAGS}

    (model,) = manifest(tmp_path / "runs" / "models")
    assert isinstance(model, ModelFile)
    assert (model.name, model.metadata.dataset, model.bundled) == (MODEL, "mytags", False)
    assert model.metadata.split["by"] == "artist"
    default = autotag(song, "--format", "json", **own)
    assert json.loads(default.stdout)[0]["model"] == "vgg-12k-48-x2-db", "it shadows no bundled model"
    measured = here("evaluate", f"runs/models/{MODEL}.onnx", "--data", table, "--split-by", "artist")
    assert json.loads(measured.stdout)["roc_auc"] == model.metadata.metrics["int8"]["test"]["roc_auc"]
    reported = here("report", "runs")
    assert reported.returncode == 0, reported.stderr
    text = Path("runs/report.md").read_text("utf-8")
    assert text.startswith("# `mytags`, ")
    assert "MagnaTagATune" not in text
