"""Which files are found below folders, in which order, and in which part of many machines."""

import os
import subprocess
import sys
import time
from pathlib import Path
from unicodedata import normalize

import pytest
import soundfile

from autotag.audio.folders import JUNK, SUFFIXES, audio_files, check
from autotag.audio.lists import listed
from autotag.errors import AudioNotFound

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
def test_a_file_with_two_names_comes_by_both(tmp_path: Path) -> None:
    make(tmp_path, "a/1.mp3", "b/2.mp3")
    (tmp_path / "b" / "1.mp3").symlink_to(tmp_path / "a" / "1.mp3")
    (tmp_path / "b" / "gone.mp3").symlink_to(tmp_path / "gone.mp3")
    assert found(tmp_path) == ["a/1.mp3", "b/1.mp3", "b/2.mp3", "b/gone.mp3"]
    with pytest.raises(AudioNotFound, match=r"gone\.mp3: a link to .*gone\.mp3, which is not there"):
        check(tmp_path / "b" / "gone.mp3")


@needs_links
def test_a_folder_is_one_by_any_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "music/1.mp3")
    (tmp_path / "link").symlink_to(tmp_path / "music")
    monkeypatch.chdir(tmp_path)
    spellings = [
        "music",
        f"{tmp_path}/music",
        "./link",
        "link/../music",
        "music/1.mp3",
        f"{tmp_path}/link/1.mp3",
    ]
    assert list(audio_files(map(Path, spellings))) == [Path("music/1.mp3")]


def test_junk_and_hidden_names_are_passed_over(tmp_path: Path) -> None:
    junk = ["._a.mp3", ".hidden.mp3", ".Trash-1000/files/b.mp3", ".AppleDouble/c.mp3", "x/.d/e.mp3"]
    junk += [f"{name}/f.mp3" for name in JUNK] + ["@eaDir/g.mp3", "x/$RECYCLE.BIN/h.mp3", "x/__MACOSX/i.mp3"]
    make(tmp_path, "song.mp3", *junk)
    assert found(tmp_path) == ["song.mp3"]
    assert sorted(found(tmp_path, hidden=True)) == sorted(["song.mp3", *dict.fromkeys(junk)])
    assert found(tmp_path / ".Trash-1000") == ["files/b.mp3"], "a hidden folder that is named is entered"
    assert list(audio_files([tmp_path / ".hidden.mp3"])) == [tmp_path / ".hidden.mp3"]


def test_a_folder_has_every_ending_that_libsndfile_writes(tmp_path: Path) -> None:
    usual = {"AIFF": "aiff aif aifc", "AU": "au snd", "CAF": "caf", "FLAC": "flac", "OGG": "ogg oga opus"}
    usual |= {"WAV": "wav wave", "W64": "w64", "RF64": "rf64", "MP3": "mp3 mp2 mpga", "VOC": "voc"}
    for kind, endings in usual.items():
        assert kind in soundfile.available_formats()
        assert all(f".{ending}" in SUFFIXES for ending in endings.split()), kind
    make(tmp_path, *(f"song{ending.upper()}" for ending in SUFFIXES), "film.mp4", "cover.jpg")
    assert len(found(tmp_path)) == len(SUFFIXES)


@pytest.mark.parametrize(
    "pattern",
    [
        "Album [FLAC]",
        "Album [FLAC]/",
        "./music/Album [FLAC]",
        "music/Album [FLAC]",
        "Album [FLAC]/*",
        "*[[]FLAC]",
    ],
)
def test_a_pattern_that_is_a_name_matches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    make(tmp_path, "music/Album [FLAC]/1.wav", "music/Album X/2.wav", "music/3.wav")
    monkeypatch.chdir(tmp_path)
    inside, others = ["Album [FLAC]/1.wav"], ["3.wav", "Album X/2.wav"]

    def names(**rules: list[str]) -> list[str]:
        files = audio_files([Path("music")], **rules)  # type: ignore[arg-type]
        return [path.relative_to("music").as_posix() for path in files]

    assert names(exclude=[pattern]) == others
    assert names(exclude=[str(tmp_path / "music" / "Album [FLAC]")]) == others
    if "*[[]" not in pattern:
        assert names(include=[pattern]) == inside
    assert list(audio_files([Path("music/Album [FLAC]"), Path("music/3.wav")], exclude=["Album [FLAC]"])) == [
        Path("music/3.wav")
    ]


def test_patterns_that_match_nothing_are_told(tmp_path: Path) -> None:
    make(tmp_path, "a/1.wav", "b.mp3")
    unmatched: list[str] = []
    assert found(tmp_path, "*.wav", "x*", exclude=["c", "*.mp3"], unmatched=unmatched) == ["a/1.wav"]
    assert unmatched == ["x*", "c"]
    assert list(audio_files([tmp_path], ["x*"])) == [], "the folder is not to blame"


@pytest.mark.skipif(sys.platform == "darwin", reason="there the file system decides how names are composed")
def test_names_are_found_however_they_are_composed(tmp_path: Path) -> None:
    composed, apart = normalize("NFC", "é.mp3"), normalize("NFD", "é.mp3")
    make(tmp_path, f"a/{apart}")
    assert list(audio_files([tmp_path / "a" / composed])) == [tmp_path / "a" / apart]
    assert found(tmp_path, composed) == [f"a/{apart}"]


@pytest.mark.skipif(sys.platform == "win32", reason="there paths are shorter")
def test_many_folders_in_one_another_take_no_time(tmp_path: Path) -> None:
    make(tmp_path, "top.wav")
    before = Path.cwd()
    try:
        os.chdir(tmp_path)
        for _ in range(1500):
            os.mkdir("d")  # noqa: PTH102 too deep for a path
            os.chdir("d")
        Path("bottom.wav").touch()
    finally:
        os.chdir(before)
    started = time.perf_counter()
    names = [path.name for path in audio_files([tmp_path])]
    assert time.perf_counter() - started < 5
    assert names == ["top.wav", "bottom.wav"]
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


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


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    name = b"caf\xe9.mp3"
    (tmp_path / os.fsdecode(name)).touch()
    (path,) = audio_files([tmp_path], ["caf*"])
    assert listed(bytes(path)) == [path]
    assert sum(len(list(audio_files([tmp_path], shard=(index, 2)))) for index in (1, 2)) == 1
