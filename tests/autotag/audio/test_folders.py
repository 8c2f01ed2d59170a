"""Which files are found below folders, in which order, and in which part of many machines."""

import os
import sys
from pathlib import Path

import pytest

from autotag.audio.folders import audio_files, listed

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="not everybody may make links there")


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder: Path, *include: str, **kwargs: object) -> list[str]:
    files = audio_files([folder], include, **kwargs)  # type: ignore[arg-type]
    return [path.relative_to(folder).as_posix() for path in files]


def test_folders_are_walked_in_the_order_of_the_names(tmp_path: Path) -> None:
    make(tmp_path, "b.mp3", "a.FLAC", "cover.jpg", "z/1.ogg", "c/d/2.wav", "c/3.m4a")
    assert found(tmp_path) == ["a.FLAC", "b.mp3", "c/3.m4a", "c/d/2.wav", "z/1.ogg"]


def test_files_and_folders_are_mixed_and_each_file_comes_once(tmp_path: Path) -> None:
    make(tmp_path, "a/1.mp3", "a/2.mp3", "b/3.txt")
    one, words, gone = tmp_path / "a" / "1.mp3", tmp_path / "b" / "3.txt", tmp_path / "gone.mp3"
    again = tmp_path / "b" / ".." / "a" / "2.mp3"
    paths = [words, tmp_path / "a" / "2.mp3", tmp_path / "a", one, again, gone, tmp_path / "a", gone]
    assert list(audio_files(paths)) == [words, tmp_path / "a" / "2.mp3", one, gone]


def test_a_folder_without_audio_stands_for_itself_once(tmp_path: Path) -> None:
    make(tmp_path, "a/cover.jpg", "b/1.mp3")
    empty = tmp_path / "a"
    assert list(audio_files([empty, tmp_path / "b", empty])) == [empty, tmp_path / "b" / "1.mp3"]
    assert list(audio_files([tmp_path, empty])) == [tmp_path / "b" / "1.mp3"]
    assert list(audio_files([tmp_path / "b" / "1.mp3", tmp_path / "b"])) == [tmp_path / "b" / "1.mp3"]


@pytest.mark.parametrize(
    ("include", "exclude", "names"),
    [
        (["*.flac"], [], ["b/Live.FLAC"]),
        (["*.FLAC", "1*"], [], ["1.mp3", "b/Live.FLAC"]),
        (["b/*"], [], ["b/Live.FLAC", "b/c/2.mp3", "b/c/Dr. Who.mp3"]),
        (["b/*"], ["b/c/*"], ["b/Live.FLAC"]),
        ([], ["c"], ["1.mp3", "b/Live.FLAC"]),
        ([], ["b"], ["1.mp3"]),
        ([], ["live*"], ["1.mp3", "b/Live.FLAC", "b/c/2.mp3", "b/c/Dr. Who.mp3"]),
        (["Dr. W*"], [], ["b/c/Dr. Who.mp3"]),
        (["[0-9].*"], [], ["1.mp3", "b/c/2.mp3"]),
        (["*.mp3"], ["?.mp3"], ["b/c/Dr. Who.mp3"]),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="there the case of no letter matters")
def test_globs(tmp_path: Path, include: list[str], exclude: list[str], names: list[str]) -> None:
    make(tmp_path, "1.mp3", "b/Live.FLAC", "b/c/2.mp3", "b/c/Dr. Who.mp3")
    assert found(tmp_path, *include, exclude=exclude) == names
    assert [path for path in audio_files([tmp_path / "1.mp3"], include, exclude) if path.exists()] == [
        tmp_path / name for name in names if name == "1.mp3"
    ]


@needs_links
def test_loops_of_links_are_harmless_and_links_are_followed_last(tmp_path: Path) -> None:
    make(tmp_path, "music/b/1.mp3", "elsewhere/2.mp3", "elsewhere/deep/3.mp3")
    (tmp_path / "music" / "a").symlink_to(tmp_path / "music" / "b")
    (tmp_path / "music" / "b" / "loop").symlink_to("..")
    (tmp_path / "music" / "b" / "self").symlink_to("self")
    (tmp_path / "music" / "b" / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "music")
    names = ["b/1.mp3", "b/other/2.mp3", "b/other/deep/3.mp3"]
    assert found(tmp_path / "music") == names
    assert found(tmp_path / "music", exclude=["other"]) == names[:1]


@needs_links
def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    make(tmp_path, "a/1.mp3", "b/2.mp3")
    (tmp_path / "b" / "1.mp3").symlink_to(tmp_path / "a" / "1.mp3")
    (tmp_path / "b" / "gone.mp3").symlink_to(tmp_path / "gone.mp3")
    assert found(tmp_path) == ["a/1.mp3", "b/2.mp3", "b/gone.mp3"]


def test_shards_are_disjoint_and_complete_and_stay_so(tmp_path: Path) -> None:
    names = [f"{folder}/{song}.mp3" for folder in "abc" for song in range(20)]
    make(tmp_path, *names)
    parts = [found(tmp_path, shard=(index, 4)) for index in (1, 2, 3, 4)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert all(5 < len(part) < 30 for part in parts)
    assert parts[0] == [name for name in found(tmp_path) if name in parts[0]], "in the order of them all"
    make(tmp_path, "a/new.mp3", "0/new.mp3")
    later = [found(tmp_path, shard=(index, 4)) for index in (1, 2, 3, 4)]
    assert [[name for name in part if "new" not in name] for part in later] == parts
    (tmp_path / "here").mkdir()
    (tmp_path / "a").rename(tmp_path / "here" / "a")
    here = tmp_path / "here"
    assert found(here, shard=(1, 4)) == [name for name in later[0] if name.startswith("a/")]


def test_an_empty_folder_is_in_one_shard(tmp_path: Path) -> None:
    parts = [list(audio_files([tmp_path], shard=(index, 3))) for index in (1, 2, 3)]
    assert sorted(map(len, parts)) == [0, 0, 1]


def test_lists_of_lines_and_of_anything() -> None:
    assert listed(b"a.mp3\nb c.mp3\r\n\n\xc3\xa9.mp3") == [Path("a.mp3"), Path("b c.mp3"), Path("é.mp3")]
    assert listed(b"a\nb.mp3\0c\r.mp3\0") == [Path("a\nb.mp3"), Path("c\r.mp3")]
    assert listed(b"") == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    name = b"caf\xe9.mp3"
    (tmp_path / os.fsdecode(name)).touch()
    (path,) = audio_files([tmp_path], ["caf*"])
    assert listed(bytes(path)) == [path]
    assert sum(len(list(audio_files([tmp_path], shard=(index, 2)))) for index in (1, 2)) == 1
