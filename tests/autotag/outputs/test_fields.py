"""What fields of music files hold: plain tags, names of one's own, so many genres; and the report of it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from autotag.outputs.containers import AUTOTAG, COMMENT, GENRE, GROUPING, MOOD, PLAIN
from autotag.outputs.fields import FieldRequest, read_names, unknown_names
from autotag.outputs.filetags import Change, undo_tags, write_tags
from autotag.outputs.kinds import read_tags
from autotag.result import Tag
from tests.autotag.outputs.test_filetags import FORMATS, SMALL, edit, id3, make, mutagen
from tests.conftest import SONG, Run

TAGS = (
    Tag("rock", 0.9),
    Tag("heavy metal", 0.8),
    Tag("guitar", 0.75),
    Tag("Hip-Hop", 0.7),
    Tag("sad", 0.6),
    Tag("quiet", 0.55),
    Tag("jazz", 0.3),
)


def test_genres_and_moods_are_the_likeliest_whatever_the_top() -> None:
    found = FieldRequest(top=2, genres=2, moods=1).fields(TAGS)
    assert found == {
        AUTOTAG: ("rock=0.9000", "heavy metal=0.8000"),
        GENRE: ("Rock", "Heavy Metal"),
        MOOD: ("Sad",),
    }
    found = FieldRequest(top=2, genres=0, moods=0).fields(TAGS)
    assert (found[GENRE], found[MOOD]) == (("Rock", "Heavy Metal", "Hip-Hop"), ("Sad", "Quiet"))
    assert set(FieldRequest().fields(TAGS)) == {AUTOTAG}


def test_names_of_one_s_own_by_tag_and_by_genre_in_any_case() -> None:
    names = {"hip-hop": "Hip Hop", "heavy metal": "Metal", "rock": "Metal", "quiet": "", "guitar": "Guitars"}
    request = FieldRequest(genres=0, moods=0, plain="KEYWORDS", names=names)
    found = request.fields(TAGS)
    assert found[GENRE] == ("Metal", "Hip Hop"), "names that are one now stand once"
    assert found[MOOD] == ("Sad",)
    assert found["KEYWORDS"] == ("Metal", "Guitars", "Hip Hop", "sad", "jazz")
    assert found[AUTOTAG][0] == "rock=0.9000", "what programs read keeps the model's names"
    assert FieldRequest(genres=0, names={"r&b": "RnB"}).fields([Tag("rnb", 0.9)])[GENRE] == ("RnB",)


def test_a_cap_counts_what_is_written() -> None:
    names = {"rock": "", "heavy metal": "Metal"}
    assert FieldRequest(genres=1, names=names).fields(TAGS)[GENRE] == ("Metal",)


def test_only_fields_that_are_for_this() -> None:
    with pytest.raises(ValueError, match=r"'TITLE' is no field for tags without scores\. Use COMMENT, "):
        FieldRequest(plain="TITLE")


def shown(path: Path, field: str) -> list[str]:
    """A plain field as mutagen reads it, by the name that players look for."""
    file: Any = mutagen.File(path)
    if path.suffix == ".m4a":
        key = {COMMENT: "\xa9cmt", GROUPING: "\xa9grp"}.get(field, f"----:com.apple.iTunes:{field}")
        return [value if isinstance(value, str) else value.decode() for value in file[key]]
    if path.suffix in (".mp3", ".wav", ".aiff"):
        key = {COMMENT: "COMM::eng", GROUPING: "TIT1"}.get(field, f"TXXX:{field}")
        return list(file.tags[key].text)
    return list(file[field])


@pytest.mark.parametrize("field", PLAIN)
@pytest.mark.parametrize("suffix", FORMATS)
def test_plain_tags_go_into_a_field_of_every_container_and_out_again(
    tmp_path: Path, suffix: str, field: str
) -> None:
    path = make(tmp_path, suffix)
    before = path.read_bytes()
    wanted = FieldRequest(plain=field, names={"sad": "trüb"}).fields(TAGS[:5])
    plain = ("rock", "heavy metal", "guitar", "Hip-Hop", "trüb")
    assert wanted[field] == ((", ".join(plain),) if field in (COMMENT, GROUPING) else plain)
    assert Change(field, (), wanted[field]) in write_tags(path, wanted).changes
    assert shown(path, field) == list(wanted[field])
    assert write_tags(path, wanted).changes == ()
    undo_tags(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_person_s_comment_stays_or_comes_back(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path, suffix)
    edit(path, COMMENT, "bought in Łódź")
    before = path.read_bytes()
    wanted = FieldRequest(plain=COMMENT).fields(TAGS[:2])
    kept = write_tags(path, wanted).kept
    assert kept == (Change(COMMENT, ("bought in Łódź",), ("rock, heavy metal",)),)
    write_tags(path, wanted, force=True)
    assert shown(path, COMMENT) == ["rock, heavy metal"]
    undo_tags(path)
    assert path.read_bytes() == before

    write_tags(path, wanted, force=True)
    edit(path, COMMENT, "mine again")
    undo_tags(path)
    assert read_tags(path).get(COMMENT) == ("mine again",), "what was edited since is a person's"


@pytest.mark.parametrize("version", [3, 4])
def test_comments_with_a_description_are_of_other_programs(tmp_path: Path, version: int) -> None:
    path = make(tmp_path, "mp3")
    frames = id3.ID3(path)
    frames.add(id3.COMM(encoding=1, lang="eng", desc="iTunNORM", text=" 00000B3F"))
    frames.save(path, v2_version=version)
    write_tags(path, FieldRequest(plain=COMMENT, names={"rock": "Рок"}).fields(TAGS[:2]))
    found = id3.ID3(path)
    assert found["COMM:iTunNORM:eng"].text == [" 00000B3F"]
    assert found["COMM::eng"].text == ["Рок, heavy metal"]


def test_a_comment_that_stands_elsewhere_is_a_person_s_too(tmp_path: Path) -> None:
    from mutagen.apev2 import APEv2

    wanted = FieldRequest(plain=COMMENT).fields(TAGS[:1])
    ape = shutil.copy(SONG, tmp_path / "ape.mp3")
    tag = APEv2()
    tag["Comment"] = "from APE"
    tag.save(ape)
    v1 = tmp_path / "v1.mp3"
    end = b"TAG" + b"Title".ljust(94, b"\0") + b"from ID3v1".ljust(28, b"\0") + b"\0\1\xff"
    v1.write_bytes(SONG.read_bytes() + end)
    wav = make(tmp_path, "wav")
    facts = b"INFOICMT" + (11).to_bytes(4, "little") + b"from facts\0\0"
    data = wav.read_bytes() + b"LIST" + len(facts).to_bytes(4, "little") + facts
    wav.write_bytes(data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:])
    flac = make(tmp_path, "flac")
    file = mutagen.File(flac)
    file["description"] = "from a description"
    file.save()
    for path, old in (
        (ape, "from APE"),
        (v1, "from ID3v1"),
        (wav, "from facts"),
        (flac, "from a description"),
    ):
        assert write_tags(path, wanted).kept == (Change(COMMENT, (old,), ("rock",)),), path


def test_a_table_of_names(tmp_path: Path) -> None:
    table = tmp_path / "names.toml"
    table.write_text('Hip-Hop = "Hip Hop"\n"heavy metal" = "Metal"\noldies = ""\n', "utf-8")
    assert read_names(table) == {"hip-hop": "Hip Hop", "heavy metal": "Metal", "oldies": ""}
    assert unknown_names(["hip-hop", "heavy metal", "r&b", "female", "hiphop", "zydeco"]) == {
        "hiphop": "Hip-Hop",
        "zydeco": "",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"heavy metal = Metal", r"Expected '=' .*Write lines such as \"heavy metal\" = \"Metal\"\."),
        (b"pop = 3", "'pop' is 3, not a name"),
        (b'[genre]\npop = "Pop"', "'genre' is {'pop': 'Pop'}, not a name"),
        (b'pop = "two\\nlines"', "'pop' is 'two\\\\nlines', not a name"),
        (b"\xff", "can't decode byte 0xff"),
    ],
)
def test_what_is_no_table_of_names_is_said(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "names.toml").write_bytes(text)
    with pytest.raises(ValueError, match=message) as raised:
        read_names(tmp_path / "names.toml")
    assert str(raised.value).startswith(str(tmp_path / "names.toml"))


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """An earlier run of two songs, and one that could not be tagged."""
    named = [{"tag": tag, "score": score} for tag, score in TAGS]
    rows: list[dict[str, Any]] = []
    for name in ("a.mp3", "b.mp3"):
        shutil.copy(SONG, tmp_path / name)
        rows.append({"path": str(tmp_path / name), "ok": True, "model": SMALL, "tags": named})
    error = {"kind": "NotAudio", "message": f"{tmp_path / 'c.mp3'}: not audio"}
    rows.append({"path": str(tmp_path / "c.mp3"), "ok": False, "error": error})
    (tmp_path / "tags.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "tags.jsonl"


def test_the_command_writes_fields_of_choice_and_reports(autotag: Run, earlier: Path) -> None:
    folder = earlier.parent
    (folder / "names.toml").write_text('"heavy metal" = "Metal"\nhiphop = "Hip Hop"\n')
    edit(folder / "b.mp3", "GENRE", "Polka")
    options = ("--genres", 2, "--moods", 1, "--field", "comment", "--map", folder / "names.toml")
    arguments = ("write", "--from", earlier, "--top", 3, *options)
    dry = autotag(*arguments, "--dry-run", "--report", "-")
    assert "'hiphop' is no tag, genre or mood. Did you mean 'Hip-Hop'?" in dry.stderr
    assert dry.stderr.endswith("2 written, 0 unchanged, 1 failed (nothing: --dry-run)\n")
    assert read_tags(folder / "a.mp3").get(AUTOTAG) == ()

    run = autotag(*arguments, "--report", folder / "report.json")
    assert run.returncode == 1
    assert run.stdout == "", "what is in the report need not be shown"
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert report == json.loads(dry.stdout)
    first, second, third = report
    new = {change["field"]: change["new"] for change in first["changes"]}
    assert new[GENRE] == ["Rock", "Metal"]
    assert new[MOOD] == ["Sad"]
    assert new[COMMENT] == ["rock, Metal, guitar"]
    assert read_tags(folder / "a.mp3").get(COMMENT) == ("rock, Metal, guitar",)
    assert second["kept"] == [{"field": GENRE, "old": ["Polka"], "new": ["Rock", "Metal"]}]
    assert (third["path"], third["error"]["kind"]) == (str(folder / "c.mp3"), "NotAudio")

    again = json.loads(autotag(*arguments, "--report", "-").stdout)
    assert [row.get("changes") for row in again] == [[], [], None]
    undone = autotag("write", "--undo", folder / "a.mp3", "--report", "-")
    (row,) = json.loads(undone.stdout)
    assert {change["field"]: change["old"] for change in row["changes"]} == new
    assert (folder / "a.mp3").read_bytes() == SONG.read_bytes()


def test_quiet_writes_and_prints_nothing_but_errors(autotag: Run, earlier: Path) -> None:
    run = autotag("write", "--from", earlier, "-q")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == f"error: {earlier.parent / 'c.mp3'}: not audio\n"
    assert read_tags(earlier.parent / "a.mp3").get(AUTOTAG)


def test_hidden_files_are_written_where_they_are_asked_for(autotag: Run, tmp_path: Path) -> None:
    shutil.copy(SONG, tmp_path / ".hidden.mp3")
    assert autotag("write", tmp_path, "--undo").returncode == 1
    run = autotag("write", tmp_path, "--undo", "--hidden")
    assert run.stdout == f"{tmp_path / '.hidden.mp3'}  nothing to take back\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--field", "TITLE"], "'TITLE' is not allowed. Use COMMENT, GROUPING, KEYWORDS, STYLE."),
        (["--field", "genre"], "--genre sets the genre."),
        (["--map", "none.toml"], "none.toml: cannot be read: No such file or directory."),
        (["--genres", 0], "--genres"),
        (["--report", "report.csv"], "Use a name that ends in .json."),
        (["--undo", "--moods", 2], "Leave out --moods."),
    ],
)
def test_a_wrong_choice_of_fields_is_exit_2(
    autotag: Run, tmp_path: Path, arguments: list[object], message: str
) -> None:
    path = tmp_path / "a.mp3"
    shutil.copy(SONG, path)
    run = autotag("write", path, *arguments)
    assert run.returncode == 2
    assert message in run.stderr
    assert path.read_bytes() == SONG.read_bytes()
