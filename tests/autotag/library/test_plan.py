"""What a scan takes for new, changed, moved, away and gone."""

import os
import sys
from pathlib import Path
from unicodedata import normalize

import pytest

from autotag.errors import LibraryError
from autotag.library.plan import Plan, PlanRequest, plan
from autotag.library.scan import scan
from autotag.library.spelling import as_known
from autotag.outputs.sink import Stamp
from autotag.system.files import same_time
from tests.autotag.library.made import HOUR, SMALL, rows, write_song

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="not everybody may make links there")

SECOND = 10**9


def make(path: Path, size: int = 4, time: int = HOUR) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, ns=(0, time))
    return path


def known(*paths: Path, size: int = 4, time: int = HOUR, ok: bool = True) -> dict[str, Stamp]:
    name, sha256 = (SMALL, "a") if ok else (None, None)
    return {str(path): Stamp(size, time, name, sha256, ok) for path in paths}


def changes(found: Plan) -> tuple[dict[str, str], list[tuple[str, str]], list[str]]:
    return found.tag, sorted(found.moved), found.deleted


def test_moved_files_of_one_size_and_time_are_told_apart_by_name(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for name in ("a.wav", "b.wav", "c.wav"):
        make(new / name)
    make(new / "lone.wav", time=2 * HOUR)
    make(old / "kept.wav", 1)
    stamps = known(old / "b.wav", old / "a.wav", old / "x.wav") | known(old / "y.wav", time=2 * HOUR)
    assert changes(plan(stamps, [old, new])) == (
        {str(old / "kept.wav"): "new", str(new / "c.wav"): "new"},
        [
            (str(old / "a.wav"), str(new / "a.wav")),
            (str(old / "b.wav"), str(new / "b.wav")),
            (str(old / "y.wav"), str(new / "lone.wav")),
        ],
        [str(old / "x.wav")],
    )


def test_a_collection_that_moved_is_recognised(tmp_path: Path) -> None:
    """By name, size and time, of rows whose files are gone; the folders above tell equal names apart."""
    old, new = tmp_path / "old", tmp_path / "new"
    names = ["A/01.wav", "B/01.wav", "B/02.wav", "alone.wav"]
    for name in names:
        make(new / name)
    stamps = known(*(old / name for name in names))
    tag, moved, deleted = changes(plan(stamps, [new]))
    assert (tag, deleted) == ({}, [])
    assert moved == [(str(old / name), str(new / name)) for name in names]
    make(old / "A" / "01.wav")
    tag, moved, _ = changes(plan(known(old / "A" / "01.wav"), [new]))
    assert moved == [], "what is still there was copied, not moved"
    assert len(tag) == 4
    renamed = known(old / "other name.wav")
    assert plan(renamed, [new]).moved == [], "of other folders the name must be the same"
    failed = known(old / "alone.wav", ok=False)
    tag, moved, deleted = changes(plan(failed, [new]))
    assert (tag[str(new / "alone.wav")], moved, deleted) == ("new", [], [str(old / "alone.wav")])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1_600_000_001_123_456_789, 1_600_000_001_000_000_000, True),  # a share that keeps seconds
        (1_600_000_001_123_456_789, 1_600_000_002_000_000_000, True),  # FAT, which rounds up
        (1_600_000_001_123_456_789, 1_600_000_000_000_000_000, True),  # FAT, which cuts to two seconds
        (1_600_000_001_123_456_789, 1_600_000_001_123_456_700, True),  # NTFS
        (1_600_000_001_123_456_789, 1_600_000_001_120_000_000, True),  # exFAT
        (1_600_000_001_123_456_789, 1_600_000_003_000_000_000, False),
        (1_600_000_001_000_000_000, 1_600_000_002_000_000_000, False),
        (1_600_000_001_123_456_789, 1_600_000_001_123_456_788, False),
        (1_600_000_001_120_000_000, 1_600_000_001_130_000_000, False),
        (None, 1, False),
        (None, None, True),
    ],
)
def test_times_are_equal_as_far_as_the_coarser_keeps_them(
    one: int | None, other: int | None, same: bool
) -> None:
    assert same_time(one, other) == same_time(other, one) == same


def test_a_time_cut_to_the_second_is_no_change(tmp_path: Path) -> None:
    path = make(tmp_path / "a.wav", time=1_600_000_001 * SECOND)
    found = plan(known(path, time=1_600_000_001 * SECOND + 123_456_789), [tmp_path])
    assert found.unchanged == [str(path)]


@pytest.mark.skipif(sys.platform == "darwin", reason="there the file system decides how names are composed")
def test_a_name_that_is_composed_otherwise_is_the_same(tmp_path: Path) -> None:
    there = make(tmp_path / normalize("NFD", "é.wav"))
    old = tmp_path / normalize("NFC", "é.wav")
    assert plan(known(old), [tmp_path]).moved == [(str(old), str(there))]


@needs_links
def test_what_may_be_away_is_kept_and_said(tmp_path: Path) -> None:
    music, disk = tmp_path / "music", tmp_path / "disk"
    here = make(music / "here.wav")
    (music / "usb").mkdir()
    (music / "usb" / ".nothing here").touch()
    (music / "link").symlink_to(disk)
    (music / "song.wav").symlink_to(disk / "song.wav")
    away = [
        music / "usb" / "b.wav",
        music / "usb" / "c" / "d.wav",
        music / "link" / "e.wav",
        music / "song.wav",
    ]
    gone = [music / "gone.wav", music / "no folder" / "f.wav"]
    found = plan(known(here, *away, *gone), [music])
    assert changes(found) == ({}, [], sorted(map(str, gone)))
    assert found.away == {str(music / "usb"): 2, str(music / "link"): 1, str(music / "song.wav"): 1}
    found = plan(known(here, *away, *gone), [music], PlanRequest(drop_missing=True))
    assert set(found.deleted) == set(map(str, [*away, *gone]))
    assert plan({}, [music]).tag == {str(here): "new", str(music / "song.wav"): "new"}


def test_a_file_that_left_an_empty_folder_behind_has_moved(tmp_path: Path) -> None:
    """Though its old place looks as one where a disk is mounted."""
    there = make(tmp_path / "sorted" / "other name.wav")
    (tmp_path / "inbox").mkdir()
    old, away = tmp_path / "inbox" / "a.wav", tmp_path / "inbox" / "b.wav"
    stamps = known(old) | known(away, size=7)
    found = plan(stamps, [tmp_path])
    assert changes(found) == ({}, [(str(old), str(there))], [])
    assert found.away == {str(tmp_path / "inbox"): 1}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="this user may read everything")
def test_what_lies_below_a_folder_that_cannot_be_read_is_kept(tmp_path: Path) -> None:
    make(tmp_path / "a.wav")
    (tmp_path / "below").mkdir(0)
    try:
        found = plan(known(tmp_path / "below" / "b.wav"), [tmp_path])
    finally:
        (tmp_path / "below").chmod(0o700)
    assert found.deleted == []
    assert str(tmp_path / "below") in found.problems


def test_what_is_not_asked_for_is_left_alone(tmp_path: Path) -> None:
    a, b = make(tmp_path / "a.wav"), make(tmp_path / "b.flac")
    gone, hidden = tmp_path / "gone.flac", make(tmp_path / ".hidden.wav")
    stamps = known(a, b, gone, hidden, size=5)
    found = plan(stamps, [tmp_path], PlanRequest({"include": ["*.wav"]}))
    assert changes(found) == ({str(a): "changed"}, [], [])
    assert plan(stamps, [tmp_path], PlanRequest({"exclude": ["*.wav"]})).deleted == [str(gone)]
    parts = [plan(stamps, [tmp_path], PlanRequest({"shard": (part, 3)})) for part in (1, 2, 3)]
    assert sorted(path for part in parts for path in part.tag) == [str(a), str(b)]
    assert sorted(path for part in parts for path in part.deleted) == [str(gone)]


@needs_links
def test_names_of_one_file_are_rows_and_tagged_once(tmp_path: Path) -> None:
    song = write_song(tmp_path / "music" / "Album" / "x.wav")
    (tmp_path / "music" / "Hits").mkdir()
    (tmp_path / "music" / "Hits" / "03.wav").symlink_to("../Album/x.wav")
    os.link(song, tmp_path / "music" / "hard.wav")
    (tmp_path / "music" / "again").symlink_to("Album")
    library = tmp_path / "library.sqlite"
    found = scan(tmp_path / "music", library, SMALL, jobs=1)
    assert found.new == 3
    times = rows(library, "SELECT count(DISTINCT decode_ms || ' ' || mel_ms || ' ' || model_ms) FROM tracks")
    assert times == [(1,)], "they are of one inference"
    kept = rows(library, "SELECT path, outputs FROM tracks ORDER BY path")
    assert [os.path.relpath(path, tmp_path / "music") for path, _ in kept] == [
        str(Path("Album", "x.wav")),
        str(Path("Hits", "03.wav")),
        "hard.wav",
    ]
    assert len({outputs for _, outputs in kept}) == 1
    (tmp_path / "link").symlink_to(tmp_path / "music")
    for folder in (tmp_path / "music" / ".." / "music", tmp_path / "link"):
        again = scan(folder, library)
        assert (again.new, again.moved, again.deleted, again.unchanged) == (0, 0, 0, 3)


def test_a_known_file_is_named_as_it_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "a.wav")
    monkeypatch.chdir(tmp_path)
    assert as_known([tmp_path / "a.wav", "./a.wav", "b.wav"], ["a.wav"]) == [Path("a.wav"), Path("b.wav")]
    assert as_known(["a.wav"], [str(tmp_path / "a.wav")]) == [tmp_path / "a.wav"]
    assert as_known(["a.wav"], ["other/a.wav"]) == [Path("a.wav")]


def test_a_file_whose_known_spelling_is_gone_or_another_file_goes_by_its_own(tmp_path: Path) -> None:
    composed, apart = (tmp_path / normalize(form, "été.wav") for form in ("NFC", "NFD"))
    make(composed)
    if apart.exists():
        pytest.skip("this file system takes both for one name")
    assert as_known([composed], [str(apart)]) == [composed]
    assert as_known([apart], [str(composed)]) == [composed], "a name that was typed in another way"
    make(apart)
    assert as_known([composed], [str(apart)]) == [composed]


def test_a_folder_has_a_new_path(tmp_path: Path) -> None:
    old, new, library = tmp_path / "old", tmp_path / "new", tmp_path / "library.sqlite"
    for number in range(2):
        write_song(old / f"{number}.wav", number)
    scan(old, library, SMALL, jobs=1)
    before = dict(rows(library, "SELECT path, id FROM tracks"))
    old.rename(new)
    for number in range(2):  # and other times, as a copy without them has
        os.utime(new / f"{number}.wav", ns=(0, HOUR))
    with pytest.raises(LibraryError, match="the library has no file below it"):
        scan(new, library, moved_from=tmp_path / "other")
    found = scan(new, library, moved_from=old)
    assert (found.moved, found.new, found.changed, found.unchanged) == (2, 0, 0, 2)
    after = dict(rows(library, "SELECT path, id FROM tracks"))
    assert after == {path.replace(str(old), str(new)): number for path, number in before.items()}


def test_a_time_beyond_what_a_database_holds(tmp_path: Path) -> None:
    song, library = write_song(tmp_path / "music" / "a.wav"), tmp_path / "library.sqlite"
    try:
        os.utime(song, ns=(13_569_465_600_000_000_000,) * 2)  # the year 2400
    except (OSError, OverflowError):
        pytest.skip("this file system has no such times")
    if song.stat().st_mtime_ns < 1 << 63:
        pytest.skip("this file system has no such times")
    assert scan(tmp_path / "music", library, SMALL, jobs=1).new == 1
    assert scan(tmp_path / "music", library).unchanged == 1
