"""The file around its tags: time, owner, links, and what a run that was killed leaves."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autotag.audio.folders import audio_files
from autotag.errors import TagsUnwritable
from autotag.outputs import copies
from autotag.outputs.containers import AUTOTAG
from autotag.outputs.fields import FieldRequest
from autotag.outputs.filetags import is_own_write, undo_tags, write_tags
from autotag.outputs.kinds import read_tags
from autotag.result import Tag
from autotag.system.files import LATEST
from autotag.system.lock import locked
from tests.conftest import ROOT, SONG, Run

pytest.importorskip("mutagen", reason="mutagen, which writes tags, is not installed")

KILLS = int(os.environ.get("KILLS", 5))
"""`KILLS=100 pytest tests/autotag/outputs/test_copies.py -k kill` tries more."""

ROCK = FieldRequest().fields([Tag("rock", 0.5)])
JAZZ = FieldRequest().fields([Tag("jazz", 0.5)])  # as long
OLD = SONG.read_bytes()

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make it")


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.mp3"
    shutil.copy(SONG, path)
    os.utime(path, ns=(10**18, 10**18))
    return path


@pytest.fixture(autouse=True)
def each_test_tidies() -> Iterator[None]:
    copies._tidied.clear()
    yield
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def seen(path: Path) -> tuple[int, int]:
    """What backups and scanners go by, in whole seconds as the coarsest of them."""
    status = path.stat()
    return status.st_size, int(status.st_mtime)


def test_every_change_shows_in_size_or_time_and_undo_gives_both_back(song: Path) -> None:
    states = [seen(song)]
    for _ in range(8):
        for wanted in (ROCK, JAZZ):
            write_tags(song, wanted)
            states.append(seen(song))
    assert len({size for size, _ in states[-4:]}) == 1, "only the time tells the last ones apart"
    assert len(set(states)) == len(states)
    write_tags(song, JAZZ)
    assert seen(song) == states[-1], "nothing was written"
    undo_tags(song)
    assert (song.read_bytes(), song.stat().st_mtime_ns) == (OLD, 10**18)


@on_posix
@pytest.mark.parametrize("second", [2**34 - 1, -(2**31), 0])
def test_a_time_that_is_far_off(song: Path, second: int) -> None:
    os.utime(song, (second, second))
    then = song.stat()
    for keep_time in (True, False):
        write_tags(song, ROCK, keep_time=keep_time)
        assert is_own_write(song, then.st_size, max(-LATEST, min(then.st_mtime_ns, LATEST)))
        undo_tags(song)
        assert song.read_bytes() == OLD
        assert abs(song.stat().st_mtime_ns) >= min(abs(then.st_mtime_ns), LATEST) // 10**9 * 10**9


def test_the_time_can_be_kept(song: Path, autotag: Run) -> None:
    write_tags(song, ROCK, keep_time=True)
    assert song.stat().st_mtime_ns == 10**18
    undo_tags(song, keep_time=True)
    assert (song.read_bytes(), song.stat().st_mtime_ns) == (OLD, 10**18)
    run = autotag("write", "--keep-time", "--from", _rows_for(song.parent, [song]))
    assert run.returncode == 0, run.stderr
    assert read_tags(song).get(AUTOTAG)
    assert song.stat().st_mtime_ns == 10**18


def test_autotag_knows_its_own_writes(song: Path) -> None:
    first = song.stat()
    assert not is_own_write(song, first.st_size, first.st_mtime_ns), "it has not written"
    write_tags(song, ROCK)
    second = song.stat()
    write_tags(song, FieldRequest().fields([Tag("jazz", 0.25), Tag("folk", 0.2)]))
    for status in (first, second):
        assert is_own_write(song, status.st_size, status.st_mtime_ns)
        assert is_own_write(song, None, status.st_mtime_ns)
        assert not is_own_write(song, status.st_size + 1, status.st_mtime_ns)
        assert not is_own_write(song, status.st_size, status.st_mtime_ns + 3 * 10**9)
    for number in range(20):
        write_tags(song, FieldRequest().fields([Tag("jazz", number / 100)]))
    assert is_own_write(song, first.st_size, first.st_mtime_ns), "however often it has written"

    coarse = song.stat().st_mtime_ns // 10**9 * 10**9
    os.utime(song, ns=(coarse, coarse))
    assert is_own_write(song, first.st_size, first.st_mtime_ns), "copied to a disk with coarser times"
    os.utime(song, ns=(coarse + 3 * 10**9, coarse + 3 * 10**9))
    assert not is_own_write(song, first.st_size, first.st_mtime_ns), "somebody else was at it"
    undo_tags(song)
    assert song.read_bytes() == OLD
    assert song.stat().st_mtime_ns > 10**18, "of which it is not known what else was done"
    assert not is_own_write(song.with_name("none.mp3"), 1, 1)
    song.write_text("words")
    assert not is_own_write(song, 1, 1)


def test_rows_from_before_a_write_can_be_written_again(song: Path, autotag: Run) -> None:
    status = song.stat()
    table = _rows_for(song.parent, [song], size=status.st_size, modified=status.st_mtime_ns)
    for _ in range(2):
        run = autotag("write", "--from", table)
        assert run.returncode == 0, run.stderr
    os.utime(song, (1, 1))
    assert "has changed since it was tagged" in autotag("write", "--from", table).stderr


@on_posix
@on_posix
def test_holes_stay(song: Path) -> None:
    with song.open("r+b") as file:
        file.truncate(len(OLD) + (8 << 20))
    before, size = song.stat(), song.stat().st_size
    if 512 * before.st_blocks >= size:
        pytest.skip("this file system has no holes")
    assert write_tags(song, ROCK).changes
    assert 512 * song.stat().st_blocks < size / 2
    undo_tags(song)
    assert 512 * song.stat().st_blocks < size / 2
    assert song.read_bytes() == OLD.ljust(size, b"\0")


def test_a_broken_hard_link_is_said_and_can_be_avoided(song: Path, autotag: Run) -> None:
    other = song.with_name("other.mp3")
    os.link(song, other)
    table = _rows_for(song.parent, [song])
    run = autotag("write", "--skip-links", "--from", table)
    assert run.returncode == 0
    assert run.stdout == f"{song}  skipped: it has 1 other hard link\n"
    assert run.stderr == "0 written, 1 unchanged, 0 failed\n"
    assert song.samefile(other)
    assert write_tags(song, ROCK, dry_run=True).warnings != ()
    assert song.samefile(other)
    run = autotag("write", "--from", table)
    assert run.returncode == 0
    assert run.stderr.startswith(f"warning: {song}: the tags are not in its 1 other hard link: this is a new")
    assert other.read_bytes() == OLD
    assert write_tags(song, ROCK).warnings == (), "nothing was broken"


@as_root
def test_group_and_owner_stay(song: Path) -> None:
    os.chown(song, 1000, 2000)
    song.chmod(0o660)
    assert write_tags(song, ROCK).warnings == ()
    status = song.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1000, 2000, 0o660)


def _as_member(path: Path, groups: list[int]) -> str:
    """What comes of a write by user 1234 with these groups besides his own."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgroups(groups)
            os.setgid(1234)
            os.setuid(1234)
            said = "; ".join(write_tags(path, ROCK).warnings)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader, "rb") as file:  # noqa: PTH123
        return file.read().decode()


@as_root
def test_a_member_of_the_group_does_not_lock_it_out(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.samefile(tempfile.gettempdir()):
            break
        folder.chmod(0o755)  # pytest's are root's alone
    shared = tmp_path / "shared"
    shared.mkdir()
    song = shared / "song.mp3"
    shutil.copy(SONG, song)
    for path, mode in ((shared, 0o770), (song, 0o660)):
        os.chown(path, 1000, 2000)
        path.chmod(mode)
    assert _as_member(song, [2000]) == "it is owned by user 1234 now, no longer by 1000"
    status = song.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1234, 2000, 0o660)

    shutil.copy(SONG, song)
    os.chown(song, 1000, 2000)
    shared.chmod(0o777)
    song.chmod(0o666)
    assert _as_member(song, []).startswith(
        f"TagsUnwritable: {song}: tags cannot be written: a copy would not"
    )
    assert song.read_bytes() == OLD
    assert (song.stat().st_uid, song.stat().st_gid) == (1000, 2000)
    assert list(shared.iterdir()) == [song]


def _rows_for(folder: Path, paths: list[Path], **more: int) -> Path:
    tags = [{"tag": "rock", "score": 0.5}]
    found = [{"path": str(path), "ok": True, "model": "any", "tags": tags, **more} for path in paths]
    (folder / "tags.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    return folder / "tags.jsonl"


def _songs(folder: Path, count: int) -> tuple[list[Path], list[str]]:
    """Songs in a folder of theirs, and the command that writes into them."""
    (folder / "songs").mkdir()
    paths = [folder / "songs" / f"{number}.mp3" for number in range(count)]
    for path in paths:
        shutil.copy(SONG, path)
    return paths, [sys.executable, "-m", "autotag", "write", "--from", str(_rows_for(folder, paths))]


def _left(folder: Path) -> list[Path]:
    return sorted((folder / "songs").glob(".autotag-*"))


@on_posix
def test_a_kill_leaves_each_file_old_or_new_and_the_next_run_cleans_up(tmp_path: Path) -> None:
    paths, command = _songs(tmp_path, 40)
    rng = random.Random(0)
    counts, left = [], 0
    for _ in range(KILLS):
        for path in paths:
            path.write_bytes(OLD)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout
            process.stdout.readline()  # it is at work
            time.sleep(rng.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
        left += len(_left(tmp_path))
        assert list(audio_files([tmp_path / "songs"])) == sorted(paths), "nothing stray is taken for music"
        new = [path for path in paths if path.read_bytes() != OLD]
        counts.append(len(new))
        for path in new:
            assert read_tags(path).get(AUTOTAG) == ROCK[AUTOTAG]
            undo_tags(path)
            assert path.read_bytes() == OLD
    assert any(0 < count < len(paths) for count in counts), counts
    copies._tidied.clear()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    assert _left(tmp_path) == [], f"{left} were left"
    assert all(read_tags(path).get(AUTOTAG) for path in paths)


@on_posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_removes_its_copy(tmp_path: Path, number: signal.Signals) -> None:
    song = tmp_path / "song.mp3"
    shutil.copy(SONG, song)
    code = f"""
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from autotag.outputs import copies, filetags
def check(*_):
    print("at work", flush=True)
    time.sleep(60)
filetags._check = check
filetags.write_tags({str(song)!r}, {ROCK!r})
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        assert process.stdout.readline() == b"at work\n"
        assert len(list(tmp_path.iterdir())) == 2
        process.send_signal(number)
        process.communicate(timeout=20)
    assert process.returncode in (128 + number, -number)
    assert list(tmp_path.iterdir()) == [song]
    assert song.read_bytes() == OLD


@on_posix
def test_copies_that_were_left_are_removed_but_no_other_file(song: Path) -> None:
    folder = song.parent
    for name in (".autotag-ab_12345.tmp", ".autotag-mine.tmp", ".autotag-ab_12345.mp3", "x.tmp"):
        (folder / name).touch()
    (folder / ".autotag-ab_folde.tmp").mkdir()
    (folder / ".autotag-ab__link.tmp").symlink_to(song)
    busy = folder / ".autotag-ab__busy.tmp"
    with locked(busy):  # by a run that is at it
        write_tags(song, ROCK)
    assert busy.exists()
    assert sorted(path.name for path in folder.iterdir() if path != busy) == [
        ".autotag-ab_12345.mp3",
        ".autotag-ab__link.tmp",
        ".autotag-ab_folde.tmp",
        ".autotag-mine.tmp",
        "song.mp3",
        "x.tmp",
    ]
    copies._tidied.clear()
    write_tags(song, ROCK)
    assert not busy.exists(), "also where there is nothing to write"


@on_posix
def test_a_file_system_without_locks(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_lock(path: Path) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    young, old = (song.with_name(f".autotag-ab___{name}.tmp") for name in ("new", "old"))
    young.touch()
    old.touch()
    os.utime(old, (1, 1))
    monkeypatch.setattr(copies, "locked", no_lock)
    write_tags(song, ROCK)
    assert read_tags(song).get(AUTOTAG) == ROCK[AUTOTAG]
    assert young.exists()
    assert not old.exists()


def test_a_file_that_another_program_writes_to_just_now_is_left_alone(
    song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autotag.outputs import filetags

    monkeypatch.setattr(filetags, "_check", lambda *_: song.write_bytes(OLD + b"more"))
    with pytest.raises(TagsUnwritable, match="changed by another program"):
        write_tags(song, ROCK)
    assert song.read_bytes() == OLD + b"more"
    assert list(song.parent.iterdir()) == [song]


def test_a_thread_writes_too(song: Path) -> None:
    thread = threading.Thread(target=write_tags, args=(song, ROCK))
    thread.start()
    thread.join()
    assert read_tags(song).get(AUTOTAG) == ROCK[AUTOTAG]
