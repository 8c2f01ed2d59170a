"""AUTOTAG_BEFORE can be anybody's: nothing of it is used that autotag would not have written."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from autotag.errors import TagsUnreadable
from autotag.outputs.containers import AUTOTAG, BEFORE, GENRE, patched
from autotag.outputs.fields import FieldRequest
from autotag.outputs.filetags import attempt, undo_tags, write_tags
from autotag.outputs.kinds import read_tags
from autotag.result import Failure, Tag
from tests.conftest import SONG, Run, encode, music

mutagen = pytest.importorskip("mutagen", reason="mutagen, which writes tags, is not installed")

ROCK = FieldRequest(genres=0).fields([Tag("rock", 0.5)])
KINDS = ("mp3", "flac", "m4a", "wav")


def make(folder: Path, suffix: str) -> Path:
    path = folder / f"song.{suffix}"
    if suffix == "m4a":
        return encode(path, music(1, 44100), 44100, "aac")
    soundfile.write(path, music(1, 44100), 44100)
    return path


def set_before(path: Path, text: str) -> None:
    """Write the field as a hostile program would."""
    container = read_tags(path)
    container.take(BEFORE)
    container.put(BEFORE, [text])
    with path.open("rb") as file:
        data = b"".join(patched(file, container.patches()))
    path.write_bytes(data)


def item(field: str, value: str, path: Path) -> str:
    """An item of a file's own format, which stands for any field."""
    container = read_tags(path)
    (made,) = container.encode(field, [value])
    return base64.b64encode(made).decode()


def title(path: Path) -> str:
    """A title in a file's own format."""
    made = base64.b64decode(item(GENRE, "Another", path))
    for ours, theirs in ((b"TCON", b"TIT2"), (b"GENRE=", b"TITLE="), (b"\xa9gen", b"\xa9nam")):
        made = made.replace(ours, theirs)
    return base64.b64encode(made).decode()


def two(path: Path) -> str:
    """A genre and a title as one item; to Vorbis, whose comments end where they are said to, a title."""
    genre = b"" if path.suffix == ".flac" else base64.b64decode(item(GENRE, "x", path))
    return base64.b64encode(genre + base64.b64decode(title(path))).decode()


Spoil = Callable[[dict[str, Any], Path], Any]

SPOILT: dict[str, Spoil] = {
    "no JSON": lambda found, path: "edited",
    "a list": lambda found, path: [found],
    "a number": lambda found, path: 7,
    "nothing": lambda found, path: {},
    "deep": lambda found, path: "[" * 30_000 + "]" * 30_000,
    "deeper": lambda found, path: "[" * 500_000 + "]" * 500_000,
    "huge": lambda found, path: {**found, "was": {GENRE: {"values": ["x" * 100_000], "items": []}}},
    "a huge number": lambda found, path: '{"version": ' + "9" * 10_000 + "}",
    "another version": lambda found, path: {**found, "version": 3},
    "a field more": lambda found, path: {**found, "more": 1},
    "a foreign field": lambda found, path: {**found, "was": {"TITLE": {"values": ["Another"], "items": []}}},
    "a foreign field as written": lambda found, path: {**found, "wrote": {"TITLE": ["Another"]}},
    "itself": lambda found, path: {**found, "was": {BEFORE: {"values": ["x"], "items": []}}},
    "a title as genre": lambda found, path: {
        **found,
        "was": {GENRE: {"values": ["Another"], "items": [[0, title(path)]]}},
    },
    "two items in one": lambda found, path: {
        **found,
        "was": {GENRE: {"values": ["x"], "items": [[0, two(path)]]}},
    },
    "no base64": lambda found, path: {**found, "was": {GENRE: {"values": [], "items": [[0, "é"]]}}},
    "a place that is none": lambda found, path: {
        **found,
        "was": {GENRE: {"values": [], "items": [[-1, item(GENRE, "x", path)]]}},
    },
    "a place that no list has": lambda found, path: {
        **found,
        "was": {GENRE: {"values": [], "items": [[1 << 70, item(GENRE, "x", path)]]}},
    },
    "values that are no list": lambda found, path: {**found, "was": {GENRE: {"values": "Ska", "items": []}}},
    "values that are no text": lambda found, path: {**found, "was": {GENRE: {"values": [[]], "items": []}}},
    "an item that is no pair": lambda found, path: {**found, "was": {GENRE: {"values": [], "items": [7]}}},
    "was that is a list": lambda found, path: {**found, "was": []},
    "made that is a list": lambda found, path: {**found, "made": ["udta"]},
    "a long format": lambda found, path: {**found, "format": "x" * 1000},
    "a state of text": lambda found, path: {**found, "states": [["1", 2]]},
    "a state of three": lambda found, path: {**found, "states": [[1, 2, 3]]},
    "a huge state": lambda found, path: {**found, "states": [[1, 1 << 70]]},
    "many states": lambda found, path: {**found, "states": [[1, 1]] * 100},
    "foreign fields of the first version": lambda found, path: {
        "existed": True,
        "was": {AUTOTAG: [], "TITLE": ["Another"]},
        "wrote": {},
    },
    "the first version with a foreign type": lambda found, path: {"existed": 1, "was": {}, "wrote": {}},
    "the first version with a number": lambda found, path: {
        "existed": True,
        "was": {GENRE: [7]},
        "wrote": {},
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_autotag_would_not_have_written_is_refused(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind)
    write_tags(path, ROCK)
    good = json.loads(read_tags(path).get(BEFORE)[0])
    for name, spoil in SPOILT.items():
        bad = spoil(good, path)
        set_before(path, bad if isinstance(bad, str) else json.dumps(bad))
        before = path.read_bytes()
        for wanted in ({}, ROCK):
            outcome = attempt(path, wanted, force=True)
            assert isinstance(outcome, Failure), name
            assert outcome.message == f"{path}: its field {BEFORE} is not what autotag wrote. Delete it.", (
                name
            )
        assert path.read_bytes() == before, name
    set_before(path, json.dumps(good))
    undo_tags(path)
    assert read_tags(path).get(GENRE) == ()


def test_two_of_them_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path, "flac")
    write_tags(path, ROCK)
    file = mutagen.File(path)
    file[BEFORE] = [file[BEFORE][0], "{}"]
    file.save()
    with pytest.raises(TagsUnreadable):
        undo_tags(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_that_the_field_never_had_can_only_be_of_that_field(tmp_path: Path, kind: str) -> None:
    """What is indistinguishable from autotag's own is taken, and reaches no other field."""
    path = make(tmp_path, kind)
    write_tags(path, ROCK)
    others = read_tags(path).others()
    good = json.loads(read_tags(path).get(BEFORE)[0])
    good["was"][GENRE] = {"values": ["Ska"], "items": [[99_999, item(GENRE, "Ska", path)]]}
    good["made"] = "anything"
    set_before(path, json.dumps(good))
    undo_tags(path)
    assert read_tags(path).get(GENRE) == ("Ska",)
    assert read_tags(path).others() == others


def test_tags_that_another_program_wrote_in_another_version(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    shutil.copy(SONG, path)
    tags = mutagen.id3.ID3()
    tags.add(mutagen.id3.TCON(encoding=1, text="Ska"))
    tags.save(path, v2_version=3)
    write_tags(path, ROCK, force=True)
    mutagen.id3.ID3(path).save(path, v2_version=4)
    undo_tags(path)
    found = mutagen.id3.ID3(path)
    assert found["TCON"].text == ["Ska"]
    assert list(found) == ["TCON"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_first_version_wrote_is_taken_back(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind)
    before = read_tags(path).others()
    container = read_tags(path)
    container.put(AUTOTAG, ["rock=0.5000"])
    container.put(GENRE, ["Rock"])
    with path.open("rb") as file:
        data = b"".join(patched(file, container.patches()))
    path.write_bytes(data)
    was = {"existed": True, "was": {AUTOTAG: [], GENRE: ["Ska", "Dub"]}, "wrote": {GENRE: ["Rock"]}}
    set_before(path, json.dumps(was))
    undo_tags(path)
    found = read_tags(path)
    assert (found.get(AUTOTAG), found.get(GENRE), found.get(BEFORE)) == ((), ("Ska", "Dub"), ())
    assert found.others() == before


def test_one_bad_field_does_not_end_the_run_over_a_folder(autotag: Run, tmp_path: Path) -> None:
    paths = [tmp_path / f"{letter}.mp3" for letter in "abc"]
    for path in paths:
        shutil.copy(SONG, path)
        write_tags(path, ROCK)
    set_before(paths[1], "[" * 50_000 + "]" * 50_000)
    before = paths[1].read_bytes()
    run = autotag("write", "--undo", tmp_path)
    assert run.returncode == 1
    assert run.stderr == f"error: {paths[1]}: its field {BEFORE} is not what autotag wrote. Delete it.\n" + (
        "2 written, 0 unchanged, 1 failed\n"
    )
    assert [path.read_bytes() for path in paths] == [SONG.read_bytes(), before, SONG.read_bytes()]
