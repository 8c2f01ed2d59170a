"""Tags in the files themselves: what is written, what stays, and that it can be taken back."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from autotag.errors import (
    AudioNotFound,
    TagsUnreadable,
    TagsUnwritable,
)
from autotag.outputs.containers import AUTOTAG, BEFORE, GENRE, MOOD, TagContainer, patched
from autotag.outputs.fields import FieldRequest
from autotag.outputs.filetags import Change, Written, attempt, undo_tags, write_tags
from autotag.outputs.kinds import read_tags
from autotag.result import Failure, Tag
from tests.conftest import ROOT, SONG, Run, encode, music

mutagen = pytest.importorskip("mutagen", reason="mutagen, which writes tags, is not installed")
id3 = pytest.importorskip("mutagen.id3")

SMALL = "vgg-12k-48-x10-db"
TAGS = (Tag("rock", 0.81234), Tag("jazz", 0.75), Tag("quiet", 0.5), Tag("guitar", 0.25), Tag("sad", 0.2))
ALL = FieldRequest(genres=0, moods=0).fields(TAGS)
FORMATS = ("mp3", "wav", "aiff", "flac", "ogg", "opus", "m4a")


def make(folder: Path, suffix: str) -> Path:
    """A song of 3 s with a title, a genre and, where it is easy, a cover."""
    path = folder / f"söng.{suffix}"
    if suffix == "m4a":
        encode(path, music(3, 44100), 44100, "aac")
    else:
        soundfile.write(path, music(3, 48000), 48000, format="OGG" if suffix == "opus" else None)
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if suffix in ("mp3", "wav", "aiff"):
        file.tags.add(id3.TIT2(encoding=3, text="Títle"))
        file.tags.add(id3.TCON(encoding=3, text=["Polka", "Waltz"]))
        file.tags.add(id3.APIC(encoding=0, mime="image/png", type=3, data=bytes(range(256)) * 100))
    elif suffix == "m4a":
        file["\xa9nam"], file["\xa9gen"] = ["Títle"], ["Polka", "Waltz"]
        file["covr"] = [mutagen.mp4.MP4Cover(b"\x89PNG" + bytes(20000))]
    else:
        file["title"], file["genre"] = ["Títle"], ["Polka", "Waltz"]
    file.save()
    return path


def payload(path: Path) -> str:
    """Hash of the encoded audio, packet by packet, as PyAV finds it."""
    av = pytest.importorskip("av", reason="PyAV, which takes containers apart, is not installed")
    found = hashlib.md5()
    with av.open(path) as file:
        for packet in file.demux(file.streams.audio[0]):
            found.update(bytes(packet))
    return found.hexdigest()


def samples(path: Path) -> str:
    """Hash of the decoded audio."""
    if path.suffix == ".m4a":
        from autotag.audio.decode import decode

        return hashlib.md5(decode(path, 44100).tobytes()).hexdigest()
    return hashlib.md5(soundfile.read(path)[0].tobytes()).hexdigest()


def tags(path: Path) -> dict[str, Any]:
    """All tags, as mutagen shows them."""
    found = mutagen.File(path).tags
    return {} if found is None else {key: repr(found[key]) for key in found.keys()}  # noqa: SIM118


def edit(path: Path, field: str, *values: str) -> None:
    """Set a field as another program does."""
    container = read_tags(path)
    container.take(field)
    container.put(field, values)
    save(path, container)


def save(path: Path, container: TagContainer) -> None:
    with path.open("rb") as file:
        data = b"".join(patched(file, container.patches()))
    path.write_bytes(data)


def values(path: Path) -> dict[str, tuple[str, ...]]:
    return {field: read_tags(path).get(field) for field in (AUTOTAG, GENRE, MOOD)}


@pytest.mark.parametrize("suffix", FORMATS)
def test_tags_are_written_and_taken_back_and_the_audio_stays(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path, suffix)
    path.chmod(0o640)
    os.utime(path, ns=(10**18, 10**18 + 12345600))
    before = tags(path), payload(path), samples(path)
    original = path.read_bytes()

    written = write_tags(path, ALL)
    assert written.changes == (
        Change(AUTOTAG, (), ALL[AUTOTAG]),
        Change(MOOD, (), ("Quiet",)),
    )
    assert written.kept == (Change(GENRE, ("Polka", "Waltz"), ("Rock", "Jazz")),)
    assert values(path) == {AUTOTAG: ALL[AUTOTAG], GENRE: ("Polka", "Waltz"), MOOD: ("Quiet",)}
    assert (payload(path), samples(path)) == before[1:]
    assert {key: value for key, value in tags(path).items() if key in before[0]} == before[0]
    assert len(tags(path)) == len(before[0]) + 3
    status = path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o640 or sys.platform == "win32"
    assert status.st_mtime_ns > 10**18 + 12345600, "backups see by size and time that it has changed"
    assert list(tmp_path.iterdir()) == [path], "no temporary file is left"

    assert write_tags(path, ALL).changes == ()
    assert path.stat().st_ino == status.st_ino, "what is as it should be is not written again"

    assert write_tags(path, ALL, force=True).changes == (Change(GENRE, ("Polka", "Waltz"), ("Rock", "Jazz")),)
    assert values(path) == ALL
    again = FieldRequest(genres=0).fields([Tag("pop", 0.5)])
    write_tags(path, again, force=True)
    assert values(path) == {**again, MOOD: ()}, "a later run replaces all of an earlier one"

    assert [change.field for change in write_tags(path, {}).changes] == [AUTOTAG, GENRE]
    assert (tags(path), payload(path), samples(path)) == before
    assert path.read_bytes() == original
    assert path.stat().st_mtime_ns == 10**18 + 12345600


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_without_tags_has_none_again(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path, suffix)
    mutagen.File(path).delete()
    before = path.read_bytes()
    assert write_tags(path, ALL, dry_run=True).changes == write_tags(path, ALL).changes != ()
    assert values(path) == ALL
    write_tags(path, {})
    assert path.read_bytes() == before


def test_bytes_of_an_mp3_after_its_tag_are_the_same(tmp_path: Path) -> None:
    path = make(tmp_path, "mp3")
    with path.open("ab") as file:
        file.write(b"\0" * 1000 + b"TAG" + b"An old title".ljust(125, b"\0"))
    audio = path.read_bytes()[id3.ID3(path).size :]
    write_tags(path, ALL, force=True)
    assert path.read_bytes()[id3.ID3(path).size :] == audio
    write_tags(path, {})
    assert path.read_bytes()[id3.ID3(path).size :] == audio


@pytest.mark.parametrize("version", [3, 4])
def test_id3_keeps_its_version_and_frames_nobody_knows(tmp_path: Path, version: int) -> None:
    path = make(tmp_path, "mp3")
    frames = id3.ID3(path)
    frames.add(id3.TYER(encoding=0, text="1999") if version == 3 else id3.TDRC(encoding=0, text="1999"))
    frames.add(id3.TPE1(encoding=3, text=["Öne", "Twö"]))
    frames.unknown_frames.append(b"XYZW\0\0\0\5\0\0hello")
    frames._unknown_v2_version = version
    frames.save(path, v2_version=version, v23_sep=None)
    before = id3.ID3(path, translate=False)
    write_tags(path, ALL, force=True)
    after = id3.ID3(path, translate=False)
    assert after.version == before.version == (2, version, 0)
    assert after.unknown_frames == before.unknown_frames != []
    assert after["TCON"].text == ["Rock", "Jazz"]
    mood = {3: "TXXX:MOOD", 4: "TMOO"}  # a frame that version 2.3 has not
    assert after[mood[version]].text == ["Quiet"]
    assert mood[7 - version] not in after
    assert after["TXXX:AUTOTAG"].text == list(ALL[AUTOTAG])
    assert after["TPE1"].text == ["Öne", "Twö"]
    write_tags(path, {})
    found = id3.ID3(path, translate=False)
    assert {key: frame.pprint() for key, frame in found.items()} == {
        key: frame.pprint() for key, frame in before.items()
    }


def test_id3_of_version_2_2_stays_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "old.mp3"

    def frame(name: bytes, text: str) -> bytes:
        return name + (1 + len(text)).to_bytes(3, "big") + b"\0" + text.encode("latin-1")

    frames = frame(b"TT2", "Títle") + frame(b"TCO", "(13)") + frame(b"TYE", "1999")
    path.write_bytes(
        b"ID3\2\0\0\0\0" + bytes([len(frames) >> 7, len(frames) & 127]) + frames + SONG.read_bytes()
    )
    before = path.read_bytes()
    write_tags(path, ALL, force=True)
    found = id3.ID3(path)  # which translates names
    assert (str(found["TIT2"]), str(found["TDRC"])) == ("Títle", "1999")
    assert (found["TCON"].text, found["TXXX:MOOD"].text) == (["Rock", "Jazz"], ["Quiet"])
    assert found["TXXX:AUTOTAG"].text == list(ALL[AUTOTAG])
    assert path.read_bytes()[:5] == before[:5]
    undo_tags(path)
    assert path.read_bytes() == before


def test_an_mp3_with_id3v1_alone_shows_its_title_in_both(tmp_path: Path) -> None:
    path = tmp_path / "old.mp3"
    v1 = b"TAG" + b"An old title".ljust(30, b"\0") + b"Someone".ljust(94, b"\0") + b"\x11"
    path.write_bytes(SONG.read_bytes() + v1)
    written = write_tags(path, ALL)
    assert written.kept == (Change(GENRE, ("17",), ("Rock", "Jazz")),)
    found = id3.ID3(path, load_v1=False)
    assert (str(found["TIT2"]), str(found["TPE1"])) == ("An old title", "Someone")
    assert path.read_bytes()[-128:] == v1
    write_tags(path, {})
    assert path.read_bytes() == SONG.read_bytes() + v1

    write_tags(path, ALL)
    found = id3.ID3(path, load_v1=False)
    found.add(id3.TALB(encoding=3, text="An album"))  # a person goes on
    found.save(path)
    write_tags(path, {})
    assert str(id3.ID3(path, load_v1=False)["TALB"]) == "An album"


@pytest.mark.parametrize("suffix", ["mp3", "flac", "m4a"])
def test_what_a_person_wrote_since_stays(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path, suffix)
    write_tags(path, ALL, force=True)
    edit(path, GENRE, "Ska")
    assert write_tags(path, ALL).kept == (Change(GENRE, ("Ska",), ("Rock", "Jazz")),)
    write_tags(path, {})
    assert values(path) == {AUTOTAG: (), GENRE: ("Ska",), MOOD: ()}
    assert read_tags(path).get(BEFORE) == ()


def test_nothing_to_say_writes_nothing(tmp_path: Path) -> None:
    path = make(tmp_path, "flac")
    before = path.read_bytes()
    assert write_tags(path, FieldRequest(genres=0, moods=0).fields([])) == Written(str(path), (), ())
    assert path.read_bytes() == before
    write_tags(path, ALL)
    write_tags(path, FieldRequest(genres=0, moods=0).fields([]))
    assert values(path) == {AUTOTAG: (), GENRE: ("Polka", "Waltz"), MOOD: ()}


def test_no_other_field_is_written(tmp_path: Path) -> None:
    path = make(tmp_path, "flac")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="field 'TITLE' is none that autotag writes"):
        write_tags(path, {**ALL, "TITLE": ("Another",)})
    assert path.read_bytes() == before


def test_a_before_that_somebody_edited_is_said(tmp_path: Path) -> None:
    path = make(tmp_path, "flac")
    for text in ("edited", "{}", '{"existed": true, "was": [], "wrote": {}}'):
        edit(path, BEFORE, text)
        with pytest.raises(TagsUnreadable, match=r"AUTOTAG_BEFORE is not what autotag wrote\. Delete it"):
            write_tags(path, ALL)


def bad(folder: Path) -> dict[str, type[Exception]]:
    (folder / "text.mp3").write_text("Lyrics, not music.\n" * 100)
    (folder / "text.flac").write_text("fLaC, not music.\n" * 100)
    (folder / "empty.m4a").touch()
    (folder / "cut.ogg").write_bytes(make(folder, "ogg").read_bytes()[:30])
    (folder / "cut.m4a").write_bytes(make(folder, "m4a").read_bytes()[:300])
    encode(folder / "song.wma", music(3, 44100), 44100, "wmav2")
    make(folder, "wav").rename(folder / "read-only.wav")
    (folder / "read-only.wav").chmod(0o444)
    (folder / "folder").mkdir()
    for ending in ("wav", "aiff"):  # whose header announces more than there is
        path = make(folder, ending).rename(folder / f"short.{ending}")
        path.write_bytes(path.read_bytes()[:200000])
    return {
        **dict.fromkeys(("text.mp3", "text.flac", "empty.m4a", "cut.ogg", "cut.m4a"), TagsUnreadable),
        "song.wma": TagsUnreadable,
        **dict.fromkeys(("read-only.wav", "short.wav", "short.aiff"), TagsUnwritable),
        "missing.mp3": AudioNotFound,
        "folder": AudioNotFound,
    }


def test_every_bad_file_has_its_own_error_and_stays(tmp_path: Path) -> None:
    for name, error in bad(tmp_path).items():
        path = tmp_path / name
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(error) as raised:
            write_tags(path, ALL)
        assert str(raised.value).startswith(str(path)), "the message names the file"
        assert attempt(path, ALL) == Failure(str(path), error.__name__, str(raised.value))
        assert not before or path.read_bytes() == before
    assert not list(tmp_path.glob(".autotag-*"))


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    path = make(tmp_path / "below", "mp3")
    (tmp_path / "link.mp3").symlink_to(path)
    write_tags(tmp_path / "link.mp3", ALL)
    assert (tmp_path / "link.mp3").is_symlink()
    assert values(path)[AUTOTAG] == ALL[AUTOTAG]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("suffix", ["mp3", "flac", "m4a"])
def test_a_name_that_is_not_utf_8(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9 \n'\"." + suffix.encode())
    os.rename(make(tmp_path, suffix), path)  # noqa: PTH104
    write_tags(path, ALL)
    assert values(path)[AUTOTAG] == ALL[AUTOTAG]


def _metaflac(path: Path) -> str:
    return _output("metaflac", "--list", "--block-type=VORBIS_COMMENT", path)


def _ffprobe(path: Path) -> str:
    return _output("ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags", "-of", "flat", path)


def _inspect(path: Path) -> str:
    return _output("mutagen-inspect", path)


def _output(program: str, *arguments: object) -> str:
    found = shutil.which(program, path=f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}")
    if found is None:
        pytest.skip(f"there is no {program} on the PATH")
    return subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("reader", "suffix", "repeated"),
    [
        *((_ffprobe, suffix, suffix in ("flac", "ogg", "opus")) for suffix in FORMATS if suffix != "wav"),
        (_metaflac, "flac", True),
        *((_inspect, suffix, True) for suffix in FORMATS),
    ],
)
def test_other_programs_read_it(
    tmp_path: Path, reader: Callable[[Path], str], suffix: str, repeated: bool
) -> None:
    path = make(tmp_path, suffix)
    write_tags(path, ALL, force=True)
    said = reader(path)
    # ffprobe shows the first of several values, except of Vorbis comments.
    for value in ALL[AUTOTAG] + ALL[GENRE] if repeated else (ALL[AUTOTAG][0], ALL[GENRE][0]):
        assert value in said
    assert "Quiet" in said
    assert "Títle" in said


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for name in ("a.mp3", "b.mp3"):
        shutil.copy(SONG, tmp_path / name)
    (tmp_path / "text.mp3").write_text("words")
    return tmp_path


def test_the_command_shows_writes_and_takes_back(autotag: Run, library: Path) -> None:
    before = {path: path.read_bytes() for path in library.iterdir()}
    arguments = ("write", library, "--model", SMALL, "--threshold", 0.1, "--top", 3, "--genre")
    dry = autotag(*arguments, "--dry-run")
    assert {path: path.read_bytes() for path in library.iterdir()} == before
    run = autotag(*arguments)
    assert run.returncode == dry.returncode == 1
    assert run.stdout == dry.stdout
    assert run.stderr.startswith(f"error: {library / 'text.mp3'}: ")
    assert run.stderr.endswith("2 written, 0 unchanged, 1 failed\n")
    assert dry.stderr == run.stderr.replace("1 failed\n", "1 failed (nothing: --dry-run)\n")
    path, tags_line, genre_line, *_ = run.stdout.splitlines()
    assert path == str(library / "a.mp3")
    found = values(library / "a.mp3")
    assert len(found[AUTOTAG]) == 3
    assert tags_line == f" AUTOTAG  (none) -> {', '.join(found[AUTOTAG])}"
    assert genre_line == f" GENRE    (none) -> {', '.join(found[GENRE])}" or not found[GENRE]
    assert (
        autotag(*arguments).stdout
        == f"{library / 'a.mp3'}  as it should be\n{library / 'b.mp3'}  as it should be\n"
    )

    run = autotag("write", "--undo", library / "a.mp3", library / "b.mp3")
    assert run.returncode == 0
    assert {path: path.read_bytes() for path in library.iterdir()} == before


def test_the_command_takes_an_earlier_run(autotag: Run, library: Path) -> None:
    run = autotag("--model", SMALL, library, "--format", "jsonl", "--top", 0)
    (library / "tags.jsonl").write_text(run.stdout, "utf-8")
    run = autotag("write", "--from", library / "tags.jsonl", "--top", 4, "--threshold", 0)
    assert run.returncode == 1
    assert run.stderr.startswith(f"error: {library / 'text.mp3'}: ")
    first = values(library / "a.mp3")[AUTOTAG]
    assert len(first) == 4
    run = autotag("write", "--model", SMALL, library / "b.mp3", "--threshold", 0, "--top", 4)
    assert run.stdout == f"{library / 'b.mp3'}  as it should be\n", "both ways write the same"
    run = autotag("write", "--from", library / "tags.jsonl", "--threshold", "auto", "--top", 0)
    chosen = values(library / "a.mp3")[AUTOTAG]
    autotag("write", "--model", SMALL, library / "b.mp3", "--top", 0)
    assert values(library / "b.mp3")[AUTOTAG] == chosen

    os.utime(library / "a.mp3", (1, 1))
    run = autotag("write", "--from", library / "tags.jsonl", "--top", 1)
    assert f"error: {library / 'a.mp3'}: has changed since it was tagged. Tag it again." in run.stderr
    assert values(library / "a.mp3")[AUTOTAG] == chosen
    (library / "a.mp3").unlink()
    run = autotag("write", "--from", library / "tags.jsonl", "--top", 1)
    assert f"error: {library / 'a.mp3'}: no such file" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name files and folders, or a file of results with --from."),
        (["--from", "tags.jsonl", "--hop", "x10"], "Leave out --hop."),
        (["--undo", "--genre", SONG], "Leave out --genre."),
        (["--undo", "--from", "tags.jsonl"], "Leave out --from."),
        (["--from", "none.jsonl"], "none.jsonl: cannot be read: No such file or directory"),
        ([SONG, "--model", SMALL, "--hop", "x10"], "--model and --hop both choose a model."),
    ],
)
def test_a_wrong_request_is_exit_2(autotag: Run, arguments: list[object], message: str) -> None:
    before = SONG.read_bytes()
    run = autotag("write", *arguments)
    assert run.returncode == 2
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert SONG.read_bytes() == before


def test_without_mutagen_the_extra_is_named(library: Path) -> None:
    code = f"""
import sys
sys.modules["mutagen"] = None
sys.argv[1:] = ["write", "--undo", {str(library / "a.mp3")!r}]
from autotag.cli.main import main
main()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 2
    assert run.stderr.endswith("pip install mutagen\n")


def _rows_for(folder: Path, paths: list[Path], tags: tuple[Tag, ...] = TAGS) -> Path:
    named = [{"tag": tag, "score": score} for tag, score in tags]
    found = [{"path": str(path), "ok": True, "model": SMALL, "tags": named} for path in paths]
    (folder / "tags.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    return folder / "tags.jsonl"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of POSIX")
def test_a_full_disk_is_a_reason_and_the_others_go_on(tmp_path: Path) -> None:
    import resource

    shutil.copy(SONG, tmp_path / "large.mp3")
    small = make(tmp_path, "ogg")
    before = (tmp_path / "large.mp3").read_bytes()
    command = [sys.executable, "-m", "autotag", "write", "--threshold", "0", "--from"]
    run = subprocess.run(
        [*command, str(_rows_for(tmp_path, [tmp_path / "large.mp3", small]))],
        capture_output=True,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
    )
    assert run.returncode == 1
    assert run.stderr == f"error: {tmp_path / 'large.mp3'}: tags cannot be written: File too large\n" + (
        "1 written, 0 unchanged, 1 failed\n"
    )
    assert (tmp_path / "large.mp3").read_bytes() == before
    assert values(small)[AUTOTAG] == ALL[AUTOTAG]
    assert not list(tmp_path.glob(".autotag-*"))
