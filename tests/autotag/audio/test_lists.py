"""Lists of files as other programs write them."""

import os
import sys
from pathlib import Path

import pytest

from autotag.audio.lists import listed
from tests.autotag.library.made import write_song
from tests.conftest import Run

TEXT = "one.wav\nzwei é.wav\n"
PATHS = [Path("one.wav"), Path("zwei é.wav")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_in_any_unicode(encoding: str, ending: str) -> None:
    assert listed(TEXT.replace("\n", ending).encode(encoding)) == PATHS


def test_lines_and_what_lies_between_nuls() -> None:
    assert listed(b"a.mp3\nb c.mp3\r\n\n\xc3\xa9.mp3") == [Path("a.mp3"), Path("b c.mp3"), Path("é.mp3")]
    assert listed(b"a\nb.mp3\0c\r.mp3\0") == [Path("a\nb.mp3"), Path("c\r.mp3")]
    assert listed(b"#1 hit.mp3\n") == [Path("#1 hit.mp3")], "no comment, where there is no playlist"
    assert listed(b"") == []


def test_playlists(tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    write_song(folder / "one.wav")
    write_song(folder / "sub" / "two.wav")
    (folder / "drei ü.wav").touch()
    text = (
        "\n#EXTM3U\n#EXTINF:8,One\none.wav\n\nsub\\two.wav\n#EXTVLCOPT:x\n" + (folder / "a%20b.wav").as_uri()
    )
    a_b = Path(str(folder / "a%20b.wav"))
    assert listed(text.encode(), folder / "x.m3u") == [folder / "one.wav", folder / "sub" / "two.wav", a_b]
    assert listed("#EXTM3U\ndrei ü.wav\n".encode("cp1252"), folder / "x.m3u") == [folder / "drei ü.wav"]
    pls = b"[playlist]\r\nFile1=one.wav\r\nTitle1=x\r\nfile2=gone.wav\r\nNumberOfEntries=2\r\n"
    assert listed(pls, folder / "x.m3u") == [folder / "one.wav", folder / "gone.wav"]
    text = "# made by hand\nsub/two.wav\n\ndrei%20%C3%BC.wav\na%20b.wav\n"
    (folder / "a%20b.wav").touch()
    assert listed(text.encode(), folder / "x.M3U8") == [
        folder / "sub" / "two.wav",
        folder / "drei ü.wav",
        folder / "a%20b.wav",
    ], "of two spellings the one that is there"
    absolute = str(tmp_path / "x.wav")
    assert listed(f"#EXTM3U\n{absolute}\n".encode(), folder / "x.m3u") == [Path(absolute)]


def test_entries_that_look_like_addresses_and_are_none() -> None:
    names = ["//[foo/bar.mp3", "file://[x", "file:///a%00b.mp3", "http://[::1"]
    assert listed("\n".join(["#EXTM3U", *names]).encode()) == list(map(Path, names))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf_8() -> None:
    assert listed(b"caf\xe9.mp3\n") == [Path(os.fsdecode(b"caf\xe9.mp3"))]


def test_a_list_on_the_command_line(autotag: Run, tmp_path: Path) -> None:
    write_song(tmp_path / "one.wav")
    write_song(tmp_path / "zwei é.wav")
    (tmp_path / "list.m3u8").write_bytes(("#EXTM3U\n#EXTINF:1,x\n" + TEXT).encode("utf-8-sig"))
    run = autotag("--files-from", tmp_path / "list.m3u8", "--format", "jsonl", "--hop", "x10")
    assert (run.returncode, run.stdout.count('"ok": true')) == (0, 2), run.stderr


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no device without an end")
def test_a_list_without_an_end_is_refused(autotag: Run) -> None:
    run = autotag("--files-from", "/dev/zero")
    assert run.returncode == 2
    assert "'/dev/zero' is no list of files" in " ".join(run.stderr.replace("│", "").split())


def test_an_address_is_refused_as_it_was_typed(autotag: Run, tmp_path: Path) -> None:
    write_song(tmp_path / "one.wav")
    (tmp_path / "radio.m3u").write_text("#EXTM3U\nhttps://example.org/live.mp3\none.wav\n")
    run = autotag("--files-from", tmp_path / "radio.m3u", "--format", "line", "--hop", "x10")
    assert (run.returncode, run.stdout.count("\n")) == (1, 1), run.stderr
    assert "error: https://example.org/live.mp3: autotag fetches nothing." in run.stderr
    for name, arguments in (
        ("song.mp3", []),
        ("tags.jsonl", ["song.mp3", "--out"]),
        ("tags.jsonl", ["write", "--from"]),
        ("library.sqlite", ["stats", "--library"]),
        ("page.html", ["report", "song.mp3", "--out"]),
    ):
        run = autotag(*arguments, f"https://example.org/music//{name}")
        assert run.returncode == 2
        said = " ".join(run.stderr.replace("│", "").split())
        assert f"https://example.org/music//{name}: autotag fetches nothing" in said
