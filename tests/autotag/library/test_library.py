"""The library as a user meets it: real files, the real command line, and SQLite on its own."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from autotag.errors import LibraryError, LibraryNotFound, TagNotFound
from autotag.library.database import Library
from autotag.library.query import find, similar, stats
from autotag.library.scan import plan
from autotag.library.vectors import SIZE, compact, cosines, projection
from autotag.models.metadata import Metadata
from autotag.models.registry import find as named
from autotag.outputs.sink import Stamp
from autotag.result import Failure, Result, Tag
from tests.conftest import ROOT, SONG, Run, music

SMALL = "vgg-12k-48-x10-db"
HOUR = 3_600_000_000_000


@pytest.fixture(scope="module")
def metadata() -> Metadata:
    return named(SMALL).metadata


def track(metadata: Metadata, path: str, seed: int = 0, **scores: float) -> Result:
    """A track with all tags, those named with a score, the others with 0.01."""
    known = {name.replace("_", " "): score for name, score in scores.items()}
    tags = tuple(Tag(tag, known.get(tag, 0.01)) for tag in metadata.tags)
    embedding = np.random.default_rng(seed).standard_normal(2048).astype(np.float32)
    return Result(
        path, metadata.name, 60.0, 2, tags, {"decode": 1.0}, size=10, modified=20, embedding=embedding
    )


def rows(path: Path, sql: str) -> list[Any]:
    """What SQLite alone finds, without autotag."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


def content(path: Path) -> list[Any]:
    """All of a library that does not depend on the order or the speed of what made it."""
    tracks = rows(
        path,
        "SELECT path, size, modified, ok, model, duration, segments, warnings, error_kind, error_message,"
        " embedding FROM tracks LEFT JOIN embeddings ON track = id ORDER BY path",
    )
    scores = rows(
        path,
        "SELECT path, tags.tag, score FROM scores JOIN tracks ON tracks.id = track"
        " JOIN tags ON tags.id = scores.tag ORDER BY 1, 2",
    )
    return [*tracks, *scores]


def summary(run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The counts that a scan prints."""
    counts = run.stdout.rpartition(": ")[2].split(", ")
    return {kind: int(number) for number, kind in (count.split() for count in counts)}


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

    def scan(*arguments: object) -> dict[str, int]:
        run = autotag("scan", folder, "--library", library, *arguments)
        counts = summary(run)
        assert run.returncode == min(counts["failed"], 1), run.stderr
        return {kind: number for kind, number in counts.items() if number}

    assert scan("--hop", "x10") == {"new": 2, "failed": 1}
    before = content(library)
    assert scan() == {"unchanged": 3}, "and the model is the library's own"
    assert content(library) == before

    (folder / "below" / "b “b”\n.wav").rename(folder / "below" / "c.wav")
    soundfile.write(folder / "d.wav", music(5, 12000, 1), 12000)
    assert scan() == {"new": 1, "moved": 1, "unchanged": 2}
    old, new = before, content(library)
    assert [row[1:] for row in new if row[0] == str(folder / "below" / "c.wav")] == [
        row[1:] for row in old if "“b”" in row[0]
    ]

    soundfile.write(folder / "d.wav", music(6, 12000, 2), 12000)
    (folder / "a.mp3").unlink()
    assert scan() == {"changed": 1, "deleted": 1, "unchanged": 2}
    assert rows(library, "SELECT duration FROM tracks WHERE path LIKE '%d.wav'") == [(6.0,)]
    assert rows(library, "SELECT count(DISTINCT track), count(*) FROM scores") == [(2, 100)]
    assert rows(library, "SELECT count(*) FROM embeddings") == [(2,)]

    shutil.copy(SONG, folder / "bad.mp3")
    (folder / "worse.mp3").write_text("words")
    assert scan() == {"changed": 1, "failed": 1, "unchanged": 2}
    assert scan("--retry-failed") == {"failed": 1, "unchanged": 3}


def test_a_broken_file_is_a_row_with_the_reason(autotag: Run, folder: Path, tmp_path: Path) -> None:
    library = tmp_path / "library.sqlite"
    run = autotag("scan", folder, "--library", library, "--hop", "x10")
    assert run.returncode == 1
    assert run.stderr.startswith(f"error: {folder / 'bad.mp3'}: not WAV")
    ((path, ok, kind, message),) = rows(
        library, "SELECT path, ok, error_kind, error_message FROM tracks WHERE NOT ok"
    )
    assert (path, ok, kind) == (str(folder / "bad.mp3"), 0, "NotAudio")
    assert message in run.stderr


def test_what_is_stored_is_what_tag_says(autotag: Run, tmp_path: Path) -> None:
    library, path = tmp_path / "library.sqlite", tmp_path / "a “song”.mp3"
    shutil.copy(SONG, path)
    autotag("scan", tmp_path, "--library", library, "--hop", "x10")
    (told,) = json.loads(autotag(path, "--hop", "x10", "--top", 0, "--format", "json").stdout)
    (best,) = rows(library, "SELECT * FROM top_tags")
    top = ", ".join(f"{tag['tag']} {tag['score']:.2f}" for tag in told["tags"][:5])
    assert best == (str(path), top, pytest.approx(30, abs=0.1), None)
    documented = re.search("```sql\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert documented
    strings = next(tag["score"] for tag in told["tags"] if tag["tag"] == "strings")
    assert rows(library, documented[1]) == [(str(path), strings)]
    facts = dict(rows(library, "SELECT * FROM facts"))
    assert facts == {
        "schema": "1",
        "model": SMALL,
        "commit": named(SMALL).metadata.commit,
        "precision": "int8",
    }
    stamp = path.stat()
    assert rows(library, "SELECT size, modified FROM tracks") == [(stamp.st_size, stamp.st_mtime_ns)]
    assert rows(library, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_and_started_again_is_as_if_never_killed(autotag: Run, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    for n in range(12):  # half of them long enough for all to take more than the second between two writes
        if n % 2:
            soundfile.write(folder / f"{n}.wav", music(1, 12000, n), 12000)
        else:
            shutil.copy(SONG, folder / f"{n}.wav")
        for copy in range(19):
            os.link(folder / f"{n}.wav", folder / f"{n}-{copy}.wav")
    (folder / "7.wav").unlink()
    (folder / "7.wav").write_text("words")
    whole, killed = tmp_path / "whole.sqlite", tmp_path / "killed.sqlite"
    assert summary(autotag("scan", folder, "--library", whole, "--hop", "x10"))["new"] == 239

    command = [sys.executable, "-m", "autotag", "scan", str(folder), "--hop", "x10", "--library", str(killed)]
    kept = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not kept:
            time.sleep(0.02)
            if killed.exists():
                try:
                    kept = rows(killed, "SELECT count(*) FROM tracks")[0][0]
                except sqlite3.OperationalError:  # the table is not there yet
                    kept = 0
        process.send_signal(signal.SIGKILL)
    assert 0 < kept < 240
    assert rows(killed, "PRAGMA integrity_check") == [("ok",)]
    counts = summary(autotag("scan", folder, "--library", killed))
    assert 0 < kept <= counts["unchanged"] < 240
    assert counts["new"] + counts["failed"] + counts["unchanged"] == 240
    assert content(killed) == content(whole)


def test_what_is_missing_is_not_taken_for_deleted(autotag: Run, folder: Path, tmp_path: Path) -> None:
    library = tmp_path / "library.sqlite"
    autotag("scan", folder, "--library", library, "--hop", "x10")
    before = content(library)
    folder.rename(tmp_path / "elsewhere")
    run = autotag("scan", folder, "--library", library)
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: {folder}: cannot be read: No such file or directory: give a folder")
    folder.mkdir()  # where a disk is mounted when it is there
    run = autotag("scan", folder, "--library", library)
    assert run.returncode == 2
    assert (
        "no audio files were found in this folder, where the library has 3 files: is its disk" in run.stderr
    )
    assert content(library) == before
    (folder / "a.mp3").write_text("words")
    run = autotag("scan", folder / "a.mp3", "--library", library)
    assert run.returncode == 2
    assert "give a folder" in run.stderr

    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(SONG, other)
    assert summary(autotag("scan", other, "--library", library)) == dict.fromkeys(
        ("new", "changed", "moved", "deleted", "failed", "unchanged"), 0
    ) | {"new": 1}
    assert [row for row in content(library) if str(other) not in row[0]] == before


def test_moved_files_of_one_size_and_time_are_told_apart_by_name(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    new.mkdir()
    for name in ("a.wav", "b.wav", "c.wav", "lone.wav"):
        (new / name).write_bytes(b"1234")
        os.utime(new / name, ns=(0, HOUR * (2 if name == "lone.wav" else 1)))
    same, lone = Stamp(4, HOUR, SMALL, True), Stamp(4, 2 * HOUR, SMALL, True)
    old.mkdir()
    (old / "kept.wav").write_bytes(b"1")
    stamps = {str(old / name): same for name in ("b.wav", "a.wav", "x.wav")} | {str(old / "y.wav"): lone}
    found = plan(stamps, [old, new])
    assert sorted(found.moved) == [
        (str(old / "a.wav"), str(new / "a.wav")),
        (str(old / "b.wav"), str(new / "b.wav")),
        (str(old / "y.wav"), str(new / "lone.wav")),
    ]
    assert found.deleted == [str(old / "x.wav")]
    assert found.tag == {str(old / "kept.wav"): "new", str(new / "c.wav"): "new"}
    assert plan(stamps, [new]).moved == [], "what is gone elsewhere is another scan's business"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="this user may read everything")
def test_what_lies_below_a_folder_that_cannot_be_read_is_kept(folder: Path) -> None:
    stamps = {str(folder / "below" / "b.wav"): Stamp(1, 1, SMALL, True)}
    (folder / "below").chmod(0)
    try:
        found = plan(stamps, [folder])
    finally:
        (folder / "below").chmod(0o700)
    assert found.deleted == []
    assert found.unreadable == [str(folder / "below")]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_utf_8_comes_back_as_it_was(autotag: Run, tmp_path: Path) -> None:
    folder, library = tmp_path / "music", tmp_path / "library.sqlite"
    folder.mkdir()
    path = folder / os.fsdecode(b"caf\xe9.mp3")
    shutil.copy(SONG, path)
    (folder / os.fsdecode(b"\xff.mp3")).write_text("words")
    assert summary(autotag("scan", folder, "--library", library, "--hop", "x10"))["new"] == 1
    assert summary(autotag("scan", folder, "--library", library))["unchanged"] == 2
    assert (os.fsencode(path),) in rows(library, "SELECT path FROM tracks WHERE ok")
    (found,) = json.loads(autotag("find", "strings", "--min", 0, "--library", library, "--json").stdout)
    assert found["path"] == str(path)
    assert "caf\\udce9.mp3" in autotag("find", "strings", "--min", 0, "--library", library).stdout
    assert json.loads(autotag("similar", path, "--library", library, "--json").stdout) == []
    playlist = tmp_path / "list.m3u8"
    run = autotag("find", "strings", "--min", 0, "--library", library, "--m3u", playlist)
    assert playlist.read_text("utf-8") == "#EXTM3U\n"
    assert "left out of the playlist" in run.stderr


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, metadata: Metadata) -> Iterator[Path]:
    """Six tracks with known scores, and one that failed."""
    path = tmp_path_factory.mktemp("library") / "library.sqlite"
    with Library(path, metadata) as made:
        for outcome in (
            track(metadata, "/m/soft piano.mp3", 1, piano=0.4, quiet=0.3),
            track(metadata, "/m/piano song.mp3", 2, piano=0.6, quiet=0.15, vocals=0.5),
            track(metadata, "/m/loud piano.mp3", 3, piano=0.9, loud=0.5),
            track(metadata, "/m/she sings.mp3", 4, female_voice=0.2, woman=0.3, quiet=0.02),
            track(metadata, "/m/he\nsings.mp3", 5, male=0.4, vocal=0.45),
            track(metadata, "/m/timid.mp3", 6, piano=0.24, quiet=0.2),
            Failure("/m/none.mp3", "NotAudio", "/m/none.mp3: none", 1, 2),
        ):
            made.write(outcome)
    yield path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["piano", "quiet"], ["soft piano.mp3", "piano song.mp3"]),
        (["piano", "quiet", "-vocals"], ["soft piano.mp3"]),
        (["-vocals", "piano", "-choir", "--min", 0.4, "-techno"], ["loud piano.mp3", "soft piano.mp3"]),
        (["-female vocal", "-piano", "--min", 0.1], ["he\nsings.mp3"]),
        (["--limit", 2, "--", "-voice", "-female"], ["loud piano.mp3", "soft piano.mp3"]),
        (["piano", "\N{MINUS SIGN}loud", "--min", 0.45], ["piano song.mp3"]),
    ],
)  # fmt: skip
def test_tags_and_minus_tags_on_the_command_line(
    autotag: Run, library: Path, arguments: list[object], expected: list[str]
) -> None:
    run = autotag("find", "--library", library, "--json", *arguments)
    assert run.returncode == 0, run.stderr
    assert [found["path"].removeprefix("/m/") for found in json.loads(run.stdout)] == expected


@pytest.mark.parametrize(
    ("wanted", "unwanted", "options", "expected"),
    [
        (["piano"], [], {}, ["loud piano.mp3", "piano song.mp3", "soft piano.mp3"]),
        (["piano"], ["loud", "choir"], {}, ["piano song.mp3", "soft piano.mp3"]),
        (["Piano"], ["loud"], {"minimum": 0.2}, ["piano song.mp3", "soft piano.mp3", "timid.mp3"]),
        (["piano"], [], {"minimum": 0.6}, ["loud piano.mp3", "piano song.mp3"]),
        (["piano"], ["vocals"], {"minimum": 0.6}, ["loud piano.mp3", "piano song.mp3"]),
        (["piano"], [], {"limit": 1}, ["loud piano.mp3"]),
        (["quiet"], ["vocals"], {"minimum": 0.02}, ["soft piano.mp3", "timid.mp3", "she sings.mp3"]),
        (["female"], [], {}, ["she sings.mp3"]),
        (["female vocal", "woman"], [], {}, ["she sings.mp3"]),
        (["singing"], [], {}, ["piano song.mp3", "he\nsings.mp3"]),
        ([], ["voice", "female"], {}, ["loud piano.mp3", "soft piano.mp3", "timid.mp3"]),
        (["guitar"], [], {}, []),
        (["piano"], ["piano"], {}, []),
    ],
)  # fmt: skip
def test_find(
    library: Path, wanted: list[str], unwanted: list[str], options: dict[str, Any], expected: list[str]
) -> None:
    with Library(library) as opened:
        found = find(opened, wanted, unwanted, **options)
    assert [track.path.removeprefix("/m/") for track in found] == expected


def test_of_synonyms_the_highest_score_that_counts_is_shown(library: Path, metadata: Metadata) -> None:
    limits = dict(zip(metadata.tags, metadata.thresholds, strict=True))
    assert limits["woman"] > 0.3, "a woman's 0.3 does not count, a female voice's 0.2 does"
    with Library(library) as opened:
        ((found),) = find(opened, ["woman"])
        assert found.tags == (("woman", 0.2),)
        (found,) = find(opened, ["woman"], minimum=0.25)
        assert found.tags == (("woman", 0.3),)
        (first, second) = find(opened, ["piano", "quiet"])
        assert first.tags == (("piano", 0.4), ("quiet", 0.3))
        assert first.score == pytest.approx((0.4 * 0.3) ** 0.5)
        assert second.score == pytest.approx((0.6 * 0.15) ** 0.5)


def test_find_shows_scores_or_json(autotag: Run, library: Path) -> None:
    assert autotag("find", "piano", "quiet", "--library", library).stdout.splitlines() == [
        "score  piano  quiet  path",
        " 0.35   0.40   0.30  /m/soft piano.mp3",
        " 0.30   0.60   0.15  /m/piano song.mp3",
    ]
    assert json.loads(autotag("find", "male", "--library", library, "--json").stdout) == [
        {
            "path": "/m/he\nsings.mp3",
            "duration": 60.0,
            "score": 0.4,
            "tags": [{"tag": "male", "score": 0.4}],
        }
    ]
    run = autotag("find", "guitar", "--library", library)
    assert (run.returncode, run.stdout) == (0, "")
    assert "try a lower --min" in run.stderr


def test_a_playlist(autotag: Run, library: Path, tmp_path: Path) -> None:
    playlist = tmp_path / "list.m3u8"
    run = autotag("find", "singing", "--library", library, "--m3u", playlist)
    assert run.stdout == f"{playlist}: 1 tracks\n"
    assert playlist.read_bytes().decode() == "#EXTM3U\n#EXTINF:60,piano song\n/m/piano song.mp3\n"
    assert run.stderr.startswith("warning: /m/he\\nsings.mp3: left out of the playlist")
    run = autotag("find", "singing", "--library", library, "--m3u", tmp_path / "b.mp3")
    assert "use a name that ends in .m3u8 or .m3u" in run.stderr
    run = autotag("find", "singing", "--library", library, "--m3u", tmp_path / "b.m3u8", "--json")
    assert run.returncode == 2
    assert "give one of --m3u and --json" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["guitr"], "has no tag 'guitr': did you mean 'guitar'"),
        (["piano", "-quite"], "has no tag 'quite': did you mean 'quiet'"),
        (["zzz"], "has no tag 'zzz': 'autotag stats' lists its tags"),
        ([""], "an argument is empty"),
        (["-h"], None),
        (["piano", "--min", 2], "--min"),
        (["piano", "--limit", 0], "--limit"),
    ],
)
def test_what_cannot_be_found(
    autotag: Run, library: Path, arguments: list[object], message: str | None
) -> None:
    run = autotag("find", *arguments, "--library", library)
    assert run.returncode == (2 if message else 0)
    assert (message or "") in run.stderr
    assert message or "Usage" in run.stdout


def test_the_second_vocabulary_has_tags_of_its_own(tmp_path: Path) -> None:
    other = named("msd-vgg-12k-48-x10-db").metadata
    with Library(tmp_path / "library.sqlite", other) as opened:
        opened.write(track(other, "/a.mp3", chill=0.2, happy=0.03))
        opened.flush()
        for tag in ("chillout", "Chill", "happy"):
            assert [found.path for found in find(opened, [tag])] == ["/a.mp3"]
        assert find(opened, ["hip-hop"]) == []
        with pytest.raises(TagNotFound, match="'Hip-Hop'"):
            find(opened, ["hiphop"])
        with pytest.raises(TagNotFound):
            find(opened, ["harpsichord"])


def test_similar(autotag: Run, folder: Path, tmp_path: Path) -> None:
    library = tmp_path / "library.sqlite"
    shutil.copy(SONG, folder / "below" / "again.mp3")
    autotag("scan", folder, "--library", library, "--hop", "x10")
    (first, second) = json.loads(autotag("similar", folder / "a.mp3", "--library", library, "--json").stdout)
    assert (first["path"], first["similarity"]) == (str(folder / "below" / "again.mp3"), 1.0)
    assert second["similarity"] < 0.99
    run = autotag("similar", SONG, "--library", library, "--limit", 2)
    assert [line.rpartition("  ")[2] for line in run.stdout.splitlines()] == [
        "path",
        str(folder / "a.mp3"),
        str(folder / "below" / "again.mp3"),
    ]
    playlist = tmp_path / "list.m3u8"
    autotag("similar", SONG, "--library", library, "--limit", 1, "--m3u", playlist)
    assert playlist.read_text("utf-8").splitlines() == ["#EXTM3U", "#EXTINF:30,a", str(folder / "a.mp3")]
    run = autotag("similar", folder / "bad.mp3", "--library", library)
    assert run.returncode == 2
    assert "bad.mp3: not WAV" in run.stderr


def test_a_compact_embedding_keeps_the_cosine() -> None:
    rows = projection(2048)
    assert rows.shape == (SIZE, 2048)
    np.testing.assert_allclose(rows @ rows.T, np.eye(SIZE), atol=1e-12)
    # The first numbers, for ever: a library outlives the program that made it.
    np.testing.assert_allclose(rows[0, :3], [0.009605715929, -0.036872048551, -0.003621743482], atol=1e-9)
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((50, 2048)) + 2 * rng.standard_normal(2048)).astype(np.float32)
    exact = vectors @ vectors[0] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[0])
    packed = [compact(vector) for vector in vectors]
    assert {len(vector) for vector in packed} == {SIZE}
    np.testing.assert_allclose(cosines(b"".join(packed), packed[0]), exact, atol=0.1)
    short = rng.standard_normal((2, 100)).astype(np.float32)
    cosine = short[0] @ short[1] / np.linalg.norm(short[0]) / np.linalg.norm(short[1])
    assert cosines(compact(short[0]), compact(short[1]))[0] == pytest.approx(cosine, abs=0.01)
    assert compact(np.zeros(2048, np.float32)) == bytes(SIZE)


def test_stats(autotag: Run, library: Path) -> None:
    found = json.loads(autotag("stats", "--library", library, "--json").stdout)
    assert {key: found[key] for key in ("model", "tracks", "failures")} == {
        "model": SMALL,
        "tracks": 6,
        "failures": {"NotAudio": 1},
    }
    assert found["hours"] == pytest.approx(0.1)
    assert len(found["tags"]) == 50
    assert found["tags"][0]["tag"] == "piano"
    assert found["tags"][0]["tracks"] == 3
    assert found["tags"][0]["mean"] == pytest.approx((0.4 + 0.6 + 0.9 + 0.24 + 0.02) / 6)
    out = autotag("stats", "--library", library).stdout
    assert out.startswith(f"6 tracks, 0.1 h, tagged by {SMALL}\ncannot be tagged: 1 NotAudio\n")
    assert out.count("\n") == 54


def test_it_is_a_sink(tmp_path: Path, metadata: Metadata) -> None:
    path = tmp_path / "library.sqlite"
    with Library(path, metadata) as sink:
        sink.write(track(metadata, "b.mp3", piano=0.5))
        sink.write(Failure("a.mp3", "NotAudio", "a.mp3: none", 1, 2))
        assert sink.stamps() == {"b.mp3": Stamp(10, 20, SMALL, True), "a.mp3": Stamp(1, 2, None, False)}
    with Library(path, metadata) as sink:
        sink.write(track(metadata, "a.mp3", piano=0.7))
        sink.write(replace(track(metadata, "b.mp3", piano=0.6), warnings=("one", "two")))
        assert set(sink.stamps()) == {"a.mp3", "b.mp3"}
        assert [found.score for found in find(sink, ["piano"])] == [0.7, 0.6]
    assert rows(path, "SELECT warnings, error_kind FROM tracks ORDER BY path") == [
        ("", None),
        ("one; two", None),
    ]
    assert rows(path, "SELECT count(*) FROM scores") == [(100,)]
    assert list(tmp_path.iterdir()) == [path], "nothing lies beside it once it is closed"


def test_deleting_a_track_by_hand_deletes_what_belongs_to_it(tmp_path: Path, metadata: Metadata) -> None:
    path = tmp_path / "library.sqlite"
    with Library(path, metadata) as sink:
        sink.write(track(metadata, "a.mp3"))
        sink.write(track(metadata, "b.mp3"))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM tracks WHERE path = 'a.mp3'")
    assert rows(path, "SELECT count(*) FROM scores") == [(50,)]
    assert rows(path, "SELECT count(*) FROM embeddings") == [(1,)]
    with Library(path) as opened:
        assert stats(opened)["tracks"] == 1
        assert [found.path for found in similar(opened, bytes(SIZE))] == ["b.mp3"]


def test_what_is_no_library_of_this_version_is_refused(tmp_path: Path, metadata: Metadata) -> None:
    path = tmp_path / "library.sqlite"
    with pytest.raises(LibraryNotFound, match="autotag scan FOLDER"):
        Library(path)
    song = tmp_path / "song.mp3"
    shutil.copy(SONG, song)
    for model in (metadata, None):
        with pytest.raises(LibraryError, match="not a database"):
            Library(song, model)
    assert song.read_bytes() == SONG.read_bytes()
    with pytest.raises(LibraryError, match="cannot be opened"):
        Library(tmp_path / "none" / "library.sqlite", metadata)
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as database:
        database.execute("CREATE TABLE people (name TEXT)")
    with pytest.raises(LibraryError, match="not a library of autotag"):
        Library(tmp_path / "other.sqlite", metadata)
    path.touch()
    with pytest.raises(LibraryNotFound, match="autotag scan FOLDER"):
        Library(path)
    Library(path, metadata).close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE facts SET value = '7' WHERE fact = 'schema'")
    with pytest.raises(LibraryError, match="version 7, where this autotag reads 1"):
        Library(path)


def test_a_library_is_of_one_model(autotag: Run, tmp_path: Path, metadata: Metadata) -> None:
    path = tmp_path / "library.sqlite"
    shutil.copy(SONG, tmp_path)
    Library(path, metadata).close()
    for other in (replace(metadata, commit="0000000"), named("vgg-12k-48-x2-db").metadata):
        with pytest.raises(LibraryError, match="go on with its model, or name another file"):
            Library(path, other)
    run = autotag("scan", tmp_path, "--library", path, "--hop", "x2")
    assert run.returncode == 2
    assert f"a library of {SMALL} (int8" in run.stderr
    assert rows(path, "SELECT count(*) FROM tracks") == [(0,)]


def test_the_default_library_is_among_the_users_data(autotag: Run, tmp_path: Path) -> None:
    folders = {
        name: str(tmp_path / name) for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "USERPROFILE")
    }
    run = autotag("stats", **folders)
    assert run.returncode == 2
    assert "autotag scan FOLDER" in run.stderr
    (tmp_path / "music").mkdir()
    shutil.copy(SONG, tmp_path / "music")
    assert autotag("scan", tmp_path / "music", "--hop", "x10", **folders).returncode == 0
    (made,) = (path for path in tmp_path.rglob("library.sqlite"))
    assert made.parent.name == "autotag"
    assert len(json.loads(autotag("find", "strings", "--json", **folders).stdout)) == 1


@pytest.mark.parametrize("arguments", [["find", "piano"], ["stats"], ["find", "--help"], ["scan", "--help"]])
def test_asking_loads_no_onnxruntime(library: Path, arguments: list[str]) -> None:
    heavy = "{'numpy', 'onnxruntime', 'soundfile', 'soxr'} & set(sys.modules)"
    arguments = [*arguments, *([] if "--help" in arguments else ["--library", str(library)])]
    code = f"import sys, autotag.cli.main; sys.argv[1:] = {arguments}\n"
    code += f"try: autotag.cli.main.main()\nexcept SystemExit: pass\nassert not {heavy}, {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)


def test_results_and_scans_share_a_library(autotag: Run, tmp_path: Path) -> None:
    """A file has one name in it, and no library holds scores of all of one file and the middle of another."""
    songs, out = tmp_path / "songs", tmp_path / "library.sqlite"
    songs.mkdir()
    for number in range(2):
        soundfile.write(songs / f"{number}.wav", music(1, 12000, number), 12000)
    relative = os.path.relpath(songs, ROOT)
    assert autotag(relative, "--out", out, "--model", SMALL).returncode == 0
    assert (
        "0 new, 0 changed, 0 moved, 0 deleted, 0 failed, 2 unchanged"
        in autotag("scan", songs, "--library", out).stdout
    )
    assert rows(out, "SELECT count(*) FROM tracks") == [(2,)]
    run = autotag(songs, "--out", out, "--model", SMALL, "--seconds", 5)
    assert run.returncode == 2
    assert "all of each file" in run.stderr
    excerpts = tmp_path / "excerpts.sqlite"
    assert autotag(songs, "--out", excerpts, "--model", SMALL, "--seconds", 5).returncode == 0
    assert "2 unchanged" in autotag("scan", songs, "--library", excerpts).stdout
    soundfile.write(songs / "0.wav", music(20, 12000), 12000)
    assert "1 changed" in autotag("scan", songs, "--library", excerpts).stdout
    assert rows(excerpts, "SELECT excerpt FROM tracks ORDER BY path") == [(5.0,), (None,)]
    run = autotag(songs, "--out", excerpts, "--model", SMALL)
    assert "5 s of each file" in run.stderr
