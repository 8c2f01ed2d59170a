"""A scan as a user meets it: real files, the real command line, and SQLite on its own."""

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

import autotag as api
from autotag.errors import LibraryError
from autotag.library.database import Library
from autotag.library.query import find
from autotag.library.scan import scan
from autotag.models.registry import find as named
from tests.autotag.library.made import HOUR, SMALL, content, rows, write_song
from tests.conftest import ROOT, SONG, Run, music

KILLS = int(os.environ.get("KILLS", 1))
"""`KILLS=100 pytest tests/autotag/library/test_scan.py -k killed` tries more."""

Scan = Callable[..., dict[str, int]]


def summary(run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The counts in the last line of a scan that are not 0."""
    counts = re.findall(r"(\d+) (tagged again|[a-z]+)", run.stderr.splitlines()[-1].partition(".sqlite: ")[2])
    return {kind: int(number) for number, kind in counts if number != "0" and kind != "of"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two songs and a file that is none, each with a time of its own."""
    folder = tmp_path / "music"
    (folder / "below").mkdir(parents=True)
    shutil.copy(SONG, folder / "a.mp3")
    soundfile.write(folder / "below" / "b “b”\n.wav", music(30, 12000), 12000)
    (folder / "bad.mp3").write_text("words")
    for age, path in enumerate(path for path in sorted(folder.rglob("*")) if path.is_file()):
        os.utime(path, ns=(0, HOUR * (100 + age)))
    return folder


def test_scan_keeps_a_library_current(autotag: Run, folder: Path, tmp_path: Path) -> None:
    library = tmp_path / "library.sqlite"

    def scan(*arguments: object, code: int = 1) -> dict[str, int]:
        run = autotag("scan", folder, "--library", library, "--jobs", 1, *arguments)
        assert run.returncode == code, run.stderr
        return summary(run)

    assert scan("--hop", "x10") == {"new": 2, "failed": 1}
    before = content(library)
    assert scan() == {"unchanged": 3}
    assert content(library) == before

    (folder / "below" / "b “b”\n.wav").rename(folder / "below" / "c.wav")
    write_song(folder / "d.wav", 1, 5)
    counts = scan()
    assert (counts["new"], counts["moved"], counts["unchanged"]) == (1, 1, 3), "a moved one is unchanged"
    old, new = before, content(library)
    assert [row[1:] for row in new if row[0] == str(folder / "below" / "c.wav")] == [
        row[1:] for row in old if "“b”" in row[0]
    ]

    write_song(folder / "d.wav", 2, 6)
    (folder / "a.mp3").unlink()
    counts = scan()
    assert (counts["changed"], counts["deleted"], counts["unchanged"]) == (1, 1, 2)
    assert rows(library, "SELECT duration FROM tracks WHERE path LIKE '%d.wav'") == [(6.0,)]
    assert rows(library, "SELECT count(DISTINCT track) FROM scores") == [(2,)]
    assert rows(library, "SELECT count(*) FROM embeddings") == [(2,)]

    shutil.copy(SONG, folder / "bad.mp3")
    (folder / "worse.mp3").write_text("words")
    counts = scan()
    assert (counts["changed"], counts["failed"], counts["unchanged"]) == (1, 1, 2)
    run = autotag("scan", folder, "--library", library)
    assert run.returncode == 1, "what failed before still fails"
    assert "(1 of them failed before: 'autotag stats --failed' lists them, --retry-failed" in run.stderr
    assert scan("--retry-failed")["failed"] == 1
    (folder / "worse.mp3").unlink()
    assert scan(code=0) == {"deleted": 1, "unchanged": 3}


def test_a_broken_file_is_a_row_with_the_reason(autotag: Run, folder: Path, tmp_path: Path) -> None:
    library = tmp_path / "library.sqlite"
    run = autotag("scan", folder, "--library", library, "--hop", "x10", "--jobs", 1)
    assert run.returncode == 1
    assert f"error: {folder / 'bad.mp3'}: not WAV" in run.stderr
    ((path, ok, kind, message),) = rows(
        library, "SELECT path, ok, error_kind, error_message FROM tracks WHERE NOT ok"
    )
    assert (path, ok, kind) == (str(folder / "bad.mp3"), 0, "NotAudio")
    assert message in run.stderr
    listed = autotag("stats", "--failed", "--library", library)
    assert (listed.stdout, listed.stderr) == (f"{message}\n", "1 file cannot be tagged.\n")
    (row,) = json.loads(autotag("stats", "--failed", "--json", "--library", library).stdout)
    assert (row["path"], row["error"]) == (path, {"kind": kind, "message": message})
    assert "Give one of them." in autotag("stats", "--failed", "--duplicates", "--library", library).stderr


def test_what_is_stored_is_what_tag_says(autotag: Run, tmp_path: Path) -> None:
    library, path = tmp_path / "library.sqlite", tmp_path / "a “song”.mp3"
    shutil.copy(SONG, path)
    autotag("scan", tmp_path, "--library", library, "--hop", "x10")
    (told,) = json.loads(autotag(path, "--hop", "x10", "--top", 0, "--format", "json").stdout)
    (best,) = rows(library, "SELECT * FROM top_tags")
    top = ", ".join(f"{tag['tag']} {tag['score']:.2f}" for tag in told["tags"][:5])
    assert best == (str(path), top, pytest.approx(30, abs=0.1), None)
    kept = rows(library, "SELECT tags.tag, round(score, 4) FROM scores JOIN tags ON tags.id = scores.tag")
    assert dict(kept) == {tag["tag"]: tag["score"] for tag in told["tags"]}
    documented = re.search("```sql\n(.*?)```", (ROOT / "docs" / "library.md").read_text("utf-8"), re.S)
    assert documented
    with sqlite3.connect(library) as database:
        database.execute(
            "UPDATE scores SET score = 0.75 WHERE tag = (SELECT id FROM tags WHERE tag = 'strings')"
        )
    assert rows(library, documented[1]) == [(str(path), 0.75)]
    model = named(SMALL)
    facts = dict(rows(library, "SELECT * FROM facts WHERE fact <> 'meanings'"))
    assert facts == {
        "schema": "2",
        "model": SMALL,
        "sha256": model.sha256,
        "commit": model.metadata.commit,
        "precision": "int8",
    }
    stamp = path.stat()
    assert rows(library, "SELECT size, modified, sha256 FROM tracks") == [
        (stamp.st_size, stamp.st_mtime_ns, model.sha256)
    ]
    assert rows(library, "PRAGMA journal_mode") == [("wal",)]


def _tracks(library: Path) -> int:
    try:
        return int(rows(library, "SELECT count(*) FROM tracks")[0][0]) if library.exists() else 0
    except sqlite3.OperationalError:  # the table is not there yet
        return 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_and_started_again_is_as_if_never_killed(autotag: Run, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    for n in range(120):
        write_song(folder / f"{n}.wav", n, 1)
    (folder / "7.wav").write_text("words")
    whole, killed = tmp_path / "whole.sqlite", tmp_path / "killed.sqlite"
    assert summary(autotag("scan", folder, "--library", whole, "--hop", "x10"))["new"] == 119

    command = [sys.executable, "-m", "autotag", "scan", str(folder), "--hop", "x10", "--library", str(killed)]
    kept, chance = 0, random.Random(0)
    for _ in range(KILLS):
        more = kept + chance.randint(0, 100 // KILLS)
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and _tracks(killed) <= more:
                time.sleep(0.02)
            time.sleep(chance.random() / 5)
            process.send_signal(signal.SIGKILL)
        assert _tracks(killed) >= kept, "what was kept stays"
        kept = _tracks(killed)
        assert rows(killed, "PRAGMA integrity_check") == [("ok",)]
    assert 0 < kept <= 120
    counts = summary(autotag("scan", folder, "--library", killed))
    assert kept <= counts["unchanged"]
    assert content(killed) == content(whole)


def test_what_is_missing_is_not_taken_for_deleted(autotag: Run, folder: Path, tmp_path: Path) -> None:
    library = tmp_path / "library.sqlite"
    autotag("scan", folder, "--library", library, "--hop", "x10", "--jobs", 1)
    before = content(library)
    folder.rename(tmp_path / "elsewhere")
    run = autotag("scan", folder, "--library", library)
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: {folder}: cannot be read: No such file or directory.")
    folder.mkdir()  # where a disk is mounted when it is there
    run = autotag("scan", folder, "--library", library)
    assert run.returncode == 2
    assert (
        "no audio files were found in this folder, where the library has 3 files. Is its disk" in run.stderr
    )
    assert content(library) == before

    other = tmp_path / "other"
    write_song(other / "new.wav")
    assert summary(autotag("scan", other, "--library", library)) == {"new": 1}
    run = autotag("scan", folder, other, "--library", library)
    assert (run.returncode, summary(run)["unchanged"]) == (1, 1), "the other folder is scanned nevertheless"
    assert [row for row in content(library) if str(other) not in row[0]] == before
    run = autotag("scan", folder, "--library", library, "--drop-missing")
    assert (run.returncode, summary(run)) == (0, {"deleted": 3})


def test_a_file_may_be_named_and_lists_of_them(autotag: Run, folder: Path, tmp_path: Path) -> None:
    library = tmp_path / "library.sqlite"
    assert summary(autotag("scan", folder / "a.mp3", "--library", library, "--hop", "x10")) == {"new": 1}
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,b\n{folder / 'bad.mp3'}\nmusic/a.mp3\n", "utf-8")
    run = autotag("scan", "--files-from", tmp_path / "list.m3u8", "--library", library)
    assert (summary(run)["failed"], summary(run)["unchanged"]) == (1, 1)
    run = autotag("scan", folder, "--include", "*.wav", "--library", library)
    assert summary(run) == {"new": 1}, "and what is not asked for is left alone"
    run = autotag("scan", folder, "--exclude", "no such", "--library", library)
    assert "warning: 'no such' matched nothing" in run.stderr
    (folder / "a.mp3").unlink()
    assert summary(autotag("scan", folder, "--include", "*.wav", "--library", library)) == {"unchanged": 1}
    assert summary(autotag("scan", folder, "--library", library))["deleted"] == 1


def test_a_new_model_tags_again_in_place(autotag: Run, tmp_path: Path) -> None:
    folder, library = tmp_path / "music", tmp_path / "library.sqlite"
    for n in range(3):
        write_song(folder / f"{n}.wav", n)
    autotag("scan", folder, "--library", library, "--hop", "x10", "--jobs", 1)
    right = content(library)
    path = str(folder / "0.wav")
    with Library(library) as opened:
        opened.correct(path, "harp", True)
    with sqlite3.connect(library) as database:
        database.execute(f"UPDATE facts SET value = '{'0' * 64}' WHERE fact = 'sha256'")
        database.execute(f"UPDATE tracks SET sha256 = '{'0' * 64}'")
    for again in (folder, folder):
        run = autotag("scan", again, "--library", library)
        assert run.returncode == 2
        assert (
            f"made with another version of {SMALL}, whose scores differ. Add --force to tag all" in run.stderr
        )
    # As after a kill: the model is noted, one file is done.
    with Library(library, named(SMALL), force=True):
        pass
    with sqlite3.connect(library) as database:
        database.execute("UPDATE tracks SET sha256 = ? WHERE path LIKE '%1.wav'", (named(SMALL).sha256,))
    run = autotag("scan", folder, "--library", library, "--force", "--jobs", 1)
    assert summary(run) == {"tagged again": 2, "unchanged": 1}
    with Library(library) as opened:
        assert [found.path for found in find(opened, ["harp"])] == [path]
        opened.correct(path, "harp", None)
    run = autotag("scan", folder, "--library", library, "--force", "--jobs", 1)
    assert summary(run) == {"tagged again": 3}
    assert content(library) == right


def test_from_a_program(tmp_path: Path) -> None:
    write_song(tmp_path / "music" / "a.wav")
    calls: list[tuple[int, int, bool]] = []
    library = tmp_path / "library.sqlite"

    def progress(done: int, total: int, outcome: object) -> None:
        calls.append((done, total, outcome is None))

    found = api.scan(str(tmp_path / "music"), library, SMALL, jobs=1, progress=progress)
    assert (found.new, found.failed, found.library) == (1, 0, library)
    assert calls == [(0, 1, True), (1, 1, False)]
    assert api.scan([tmp_path / "music"], library).unchanged == 1
    with api.Library(library) as opened:
        assert api.stats(opened)["tracks"] == 1
    with pytest.raises(LibraryError, match="Use --model"):
        scan(tmp_path / "music", library, "vgg-12k-48-x2-db")


def test_the_default_library_is_among_the_users_data(autotag: Run, tmp_path: Path) -> None:
    folders = {
        name: str(tmp_path / name) for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "USERPROFILE")
    }
    run = autotag("stats", **folders)
    assert run.returncode == 2
    assert "autotag scan FOLDER" in run.stderr
    write_song(tmp_path / "music" / "a.wav")
    assert autotag("scan", tmp_path / "music", "--hop", "x10", **folders).returncode == 0
    (made,) = (path for path in tmp_path.rglob("library.sqlite"))
    assert made.parent.name == "autotag"
    assert len(json.loads(autotag("find", "path:a.wav", "--json", **folders).stdout)) == 1


def test_results_and_scans_share_a_library(autotag: Run, tmp_path: Path) -> None:
    """A file has one name in it, and no library holds scores of all of one file and the middle of another."""
    songs, out = tmp_path / "songs", tmp_path / "library.sqlite"
    for number in range(2):
        write_song(songs / f"{number}.wav", number)
    relative = os.path.relpath(songs, ROOT)
    assert autotag(relative, "--out", out, "--model", SMALL).returncode == 0
    assert summary(autotag("scan", songs, "--library", out)) == {"unchanged": 2}
    assert rows(out, "SELECT count(*) FROM tracks") == [(2,)]
    run = autotag(songs, "--out", out, "--model", SMALL, "--excerpt", 5)
    assert run.returncode == 2
    assert "made with whole files, not --excerpt 5" in run.stderr
    excerpts = tmp_path / "excerpts.sqlite"
    assert autotag(songs, "--out", excerpts, "--model", SMALL, "--excerpt", 5).returncode == 0
    assert summary(autotag("scan", songs, "--library", excerpts)) == {"unchanged": 2}
    write_song(songs / "0.wav", 5, 20)
    assert summary(autotag("scan", songs, "--library", excerpts))["changed"] == 1
    assert rows(excerpts, "SELECT excerpt FROM tracks ORDER BY path") == [(5.0,), (None,)]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_utf_8_comes_back_as_it_was(autotag: Run, tmp_path: Path) -> None:
    folder, library = tmp_path / "music", tmp_path / "library.sqlite"
    folder.mkdir()
    path = folder / os.fsdecode(b"caf\xe9.mp3")
    shutil.copy(SONG, path)
    (folder / os.fsdecode(b"\xff.mp3")).write_text("words")
    assert summary(autotag("scan", folder, "--library", library, "--hop", "x10", "--jobs", 1))["new"] == 1
    assert summary(autotag("scan", folder, "--library", library))["unchanged"] == 2
    assert (os.fsencode(path),) in rows(library, "SELECT path FROM tracks WHERE ok")
    run = subprocess.run(
        [sys.executable, "-m", "autotag", "find", "path:caf", "--library", str(library), "-0"],
        capture_output=True,
        cwd=ROOT,
    )
    assert run.stdout == os.fsencode(path) + b"\0"
    assert json.loads(autotag("similar", path, "--library", library, "--json").stdout) == []
    playlist = tmp_path / "list.m3u8"
    run2 = autotag("find", "path:caf", "--library", library, "--m3u", playlist)
    assert playlist.read_text("utf-8") == "#EXTM3U\n"
    assert "left out of the playlist" in run2.stderr


def test_tags_that_autotag_writes_tag_nothing_again(autotag: Run, tmp_path: Path) -> None:
    pytest.importorskip("mutagen", reason="mutagen, which writes tags, is not installed")
    folder, library = tmp_path / "music", tmp_path / "library.sqlite"
    folder.mkdir()
    shutil.copy(SONG, folder / "a.mp3")
    soundfile.write(folder / "b.flac", music(5, 12000), 12000)
    autotag("scan", folder, "--library", library, "--hop", "x10", "--jobs", 1)
    before = (folder / "a.mp3").read_bytes()
    run = autotag("write", "--from", library, "--min", 0.01)
    assert run.returncode == 0, run.stderr
    assert (folder / "a.mp3").read_bytes() != before
    assert summary(autotag("scan", folder, "--library", library)) == {"unchanged": 2}


def test_results_have_one_row_a_file_by_any_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_song(tmp_path / "music" / "a.wav")
    monkeypatch.chdir(tmp_path)
    for ending in (".jsonl", ".csv", ".parquet", ".sqlite"):
        if ending == ".parquet":
            pytest.importorskip("pyarrow", reason="pyarrow, which writes Parquet, is not installed")
        out = tmp_path / f"tags{ending}"
        paths = ("music/a.wav", str(tmp_path / "music" / "a.wav"), "./music/../music/a.wav")
        tallies = [api.tag_into([path], out, SMALL, jobs=1) for path in paths]
        assert [tally.skipped for tally in tallies] == [0, 1, 1]
        assert api.tag_into([paths[1]], out, SMALL, jobs=1, force=True).tagged == 1
        assert [outcome.path for outcome in api.read_outcomes(out)] == ["music/a.wav"], (
            "as it was named first"
        )


def test_a_large_folder_gets_a_hint_once(autotag: Run, tmp_path: Path) -> None:
    """Of empty files, which fail at once."""
    music = tmp_path / "music"
    music.mkdir()
    for number in range(2000):
        (music / f"{number}.mp3").touch()
    scan = ("scan", music, "--library", tmp_path / "library.sqlite", "--model", SMALL)
    assert autotag(*scan).stderr.count("note: --excerpts 3") == 1
    assert "--excerpts 3" not in autotag(*scan, "--retry-failed").stderr
    other = tmp_path / "other.sqlite"
    assert "note:" not in autotag("scan", music, "--library", other, "--excerpts", 3).stderr
