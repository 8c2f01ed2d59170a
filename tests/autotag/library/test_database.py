"""The library as a sink, and as a file that others may have made, locked or damaged."""

import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autotag.browse.held import Held
from autotag.errors import LibraryError, LibraryNotFound, TagNotFound
from autotag.library.alike import similar
from autotag.library.database import Library
from autotag.library.query import find, stats
from autotag.library.vectors import SIZE, compact, cosines, projection
from autotag.meaning import Output
from autotag.outputs.sink import Stamp
from autotag.result import Failure, Result, Tag
from tests.autotag.library.made import BOTH, SMALL, model_of, rows, track
from tests.conftest import ROOT, SONG

MODEL = model_of()


def test_it_is_a_sink(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    with Library(path, MODEL) as sink:
        sink.write(track("b.mp3", MODEL, piano=0.5))
        sink.write(Failure("a.mp3", "NotAudio", "a.mp3: none", 1, 2))
        assert sink.stamps() == {
            "b.mp3": Stamp(10, 20, SMALL, MODEL.sha256, True),
            "a.mp3": Stamp(1, 2, None, None, False),
        }
    before = dict(rows(path, "SELECT path, id FROM tracks"))
    with Library(path, MODEL) as sink:
        sink.write(track("a.mp3", MODEL, piano=0.75))
        sink.write(replace(track("b.mp3", MODEL, piano=0.625), warnings=("one; two", "“three”")))
        assert set(sink.stamps()) == {"a.mp3", "b.mp3"}
        assert [found.score for found in find(sink, ["piano"])] == [0.75, 0.625]
        a, b = sink.outcomes()
    assert dict(rows(path, "SELECT path, id FROM tracks")) == before, "ids stay when a file is tagged again"
    assert isinstance(b, Result)
    assert (a.path, b.warnings) == ("b.mp3", ()) or b.path == "a.mp3"
    assert rows(path, "SELECT warnings, error_kind FROM tracks ORDER BY path") == [
        ("[]", None),
        ('["one; two", "“three”"]', None),
    ]
    assert list(tmp_path.iterdir()) == [path], "nothing lies beside it once it is closed"


def test_scores_of_all_outputs_are_kept_as_they_are(tmp_path: Path) -> None:
    path, result = tmp_path / "library.sqlite", track("a.mp3", MODEL, rock=0.1234567)
    with Library(path, MODEL) as sink:
        sink.write(result)
    ((kept,),) = rows(path, "SELECT outputs FROM tracks")
    assert result.scores is not None
    assert np.array_equal(np.frombuffer(kept, "<f4"), result.scores)
    assert [Output(*row) for row in rows(path, "SELECT vocabulary, tag FROM outputs ORDER BY id")] == list(
        BOTH
    )


def test_a_row_that_was_read_from_a_file_has_its_tags(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    read = replace(track("a.mp3", MODEL), scores=None, embedding=None, tags=(Tag("woman", 0.75),))
    with Library(path, MODEL) as sink:
        sink.write(read)
        assert [found.score for found in find(sink, ["female vocal"])] == [0.75]
        with pytest.raises(LibraryError, match="without a path"):
            sink.write(replace(read, path=None))
        with pytest.raises(LibraryError, match="a library of"):
            sink.write(replace(track("b.mp3", MODEL), sha256="b" * 64))


def test_deleting_a_track_by_hand_deletes_what_belongs_to_it(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    with Library(path, MODEL) as sink:
        sink.write(track("a.mp3", MODEL))
        sink.write(track("b.mp3", MODEL))
        sink.correct("a.mp3", "piano", True)
    number = rows(path, "SELECT count(*) FROM scores")[0][0]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM tracks WHERE path = 'a.mp3'")
    assert rows(path, "SELECT count(*) FROM scores") == [(number // 2,)]
    assert rows(path, "SELECT count(*) FROM embeddings") == [(1,)]
    assert rows(path, "SELECT count(*) FROM corrections") == [(0,)]
    with Library(path) as opened:
        assert stats(opened)["tracks"] == 1
        assert [found.path for found in similar(opened, "b.mp3", copies=True)] == []


def test_a_tag_set_by_hand_wins_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    with Library(path, MODEL) as library:
        for name in ("a", "b"):
            library.write(track(name, MODEL, piano=0.9, female_voice=0.8, no_vocals=0.85))
        library.correct("a", "piano", False)
        library.correct("a", "female vocal", False)
        library.correct("b", "opera", True)
        assert [found.path for found in find(library, ["piano"])] == ["b"]
        assert [found.path for found in find(library, ["opera"])] == ["b"]
        assert [found.path for found in find(library, ["vocals"])] == ["b"], "which opera implies"
        assert [found.path for found in find(library, ["no vocals"])] == ["a"]
        before = stats(library)["tags"]
        tags = {
            outcome.path: dict(outcome.tags) for outcome in library.outcomes() if isinstance(outcome, Result)
        }
        assert "piano" not in tags["a"]
        assert tags["b"]["opera"] == 1.0

        library.write(track("a", MODEL, piano=0.95, female_voice=0.8, no_vocals=0.85))
        library.flush()
        assert [found.path for found in find(library, ["piano"])] == ["b"]
        assert {row["tag"]: row["tracks"] for row in before}["piano"] == 1
        other = model_of(BOTH[:50], sha256="b" * 64)
    with Library(path, other, force=True) as library:
        library.write(track("a", other, piano=0.9))
        library.flush()
        assert [found.path for found in find(library, ["piano"])] == ["b"]
        library.correct("a", "piano", None)
        assert {found.path for found in find(library, ["piano"])} == {"a", "b"}
        with pytest.raises(TagNotFound, match="no tag 'zydeco'"):
            library.correct("a", "zydeco", True)
        with pytest.raises(LibraryError, match="no track 'c'"):
            library.correct("c", "piano", True)


def test_what_a_track_has_not_has_none_that_implies_it(tmp_path: Path) -> None:
    with Library(tmp_path / "library.sqlite", MODEL) as library:
        library.write(track("a", MODEL, choir=0.9, opera=0.8, piano=0.7))
        library.correct("a", "vocals", False)
        (outcome,) = library.outcomes()
        assert isinstance(outcome, Result)
        assert {tag for tag, score in outcome.tags if score > 0.5} == {"piano"}
        library.correct("a", "opera", True)
        assert [found.path for found in find(library, ["opera"])] == ["a"], "which was said too"
        assert find(library, ["choir"]) == []
        assert library.corrections("a") == {"opera": True, "vocals": False}


def test_it_is_of_one_model_unless_all_is_to_be_tagged_again(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    with Library(path, MODEL) as library:
        library.write(track("a", MODEL, piano=0.9))
    newer = model_of(sha256="b" * 64)
    with pytest.raises(LibraryError, match=f"another version of {SMALL}, whose scores differ. Add --force"):
        Library(path, newer)
    other = model_of(name="vgg-12k-48-x2-db", sha256="c" * 64)
    with pytest.raises(LibraryError, match=f"made with {SMALL}, not vgg-12k-48-x2-db. Use --model {SMALL}"):
        Library(path, other)
    with pytest.raises(LibraryError, match=r"made with whole files, not --excerpt 5. Use the same"):
        Library(path, MODEL, 5)
    with Library(path, newer, force=True) as library:
        assert library.sha256 == newer.sha256
        assert library.stamps() == {"a": Stamp(10, 20, SMALL, MODEL.sha256, True)}
        assert [found.path for found in find(library, ["piano"])] == ["a"], "until it is tagged again"
        assert stats(library)["outdated"] == 1
        assert library.embedding("a") is None, "embeddings of two models do not compare"


def test_any_thread_may_ask_and_write(tmp_path: Path) -> None:
    with Library(tmp_path / "library.sqlite", MODEL) as library, ThreadPoolExecutor(4) as threads:
        for number in range(40):
            library.write(track(f"{number}", MODEL, piano=0.9))
        library.flush()
        asked = [threads.submit(lambda: len(find(library, ["piano"]))) for _ in range(20)]
        assert [future.result() for future in asked] == [40] * 20
        for future in [threads.submit(library.write, track(f"t{n}", MODEL, piano=0.9)) for n in range(100)]:
            future.result()
        assert len(library.stamps()) == 140


def test_what_is_no_library_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    with pytest.raises(LibraryNotFound, match="autotag scan FOLDER"):
        Library(path)
    song = tmp_path / "song.mp3"
    shutil.copy(SONG, song)
    for model in (MODEL, None):
        with pytest.raises(LibraryError, match="not a database"):
            Library(song, model)
    assert song.read_bytes() == SONG.read_bytes()
    with pytest.raises(LibraryError, match="cannot be opened"):
        Library(tmp_path / "none" / "library.sqlite", MODEL)
    with pytest.raises(LibraryError, match="Name a library"):
        Library(tmp_path)
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as database:
        database.execute("CREATE TABLE people (name TEXT)")
    with pytest.raises(LibraryError, match="but not a library"):
        Library(tmp_path / "other.sqlite", MODEL)
    path.touch()
    with pytest.raises(LibraryNotFound, match="autotag scan FOLDER"):
        Library(path)


DAMAGES = {
    "version 7, where this autotag reads 1 and 2": "UPDATE facts SET value = '7' WHERE fact = 'schema'",
    "version unknown": "DELETE FROM facts WHERE fact = 'schema'",
    "its table 'tracks' lacks 'sound'": "ALTER TABLE tracks DROP COLUMN sound",
    "its table 'embeddings' lacks 'track'": "DROP TABLE embeddings",
    "its table 'scores' lacks 'tag'": (
        "CREATE TABLE s2 AS SELECT * FROM scores; DROP VIEW top_tags; DROP TRIGGER forget; DROP TABLE scores;"
        "CREATE VIEW scores AS SELECT * FROM s2"
    ),
    "a SQLite database, but not a library": (
        "CREATE TABLE f2 AS SELECT * FROM facts; DROP TABLE facts; CREATE VIEW facts AS SELECT * FROM f2"
    ),
    "autotag did not write": "UPDATE facts SET value = x'00ff' WHERE fact = 'model'",
    "value that autotag did not write": "UPDATE outputs SET tag = 'a\x1b[2Jb' WHERE id = 1",
    "holds a value": "UPDATE facts SET value = 'long' WHERE fact = 'sha256'; "
    "INSERT INTO facts VALUES ('excerpt', 'long')",
}


@pytest.mark.parametrize("message", DAMAGES)
def test_a_library_that_another_program_changed_is_refused_in_a_line(tmp_path: Path, message: str) -> None:
    path = tmp_path / "library.sqlite"
    with Library(path, MODEL) as library:
        library.write(track("a", MODEL, piano=0.9))
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(DAMAGES[message])
    with pytest.raises(LibraryError, match=message) as caught:
        Library(path)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE tracks SET path = x'' || id, size = ''",
        "UPDATE tracks SET size = 'large', duration = x'00'",
        "UPDATE tracks SET warnings = '{', outputs = x'00'",
        "UPDATE scores SET score = 'high'",
        "UPDATE embeddings SET embedding = 'near'",
        "UPDATE tracks SET outputs = NULL, segments = 'x'",
        "UPDATE tracks SET path = x'ff00' || id",
        "UPDATE tracks SET error_message = NULL WHERE NOT ok",
    ],
)
def test_wrong_values_are_a_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "library.sqlite"
    with Library(path, MODEL) as library:
        library.write(track("a", MODEL, piano=0.9))
        library.write(track("b", MODEL, piano=0.8))
        library.write(Failure("c", "NotAudio", "c: none", 1, 2))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(damage)
    failed = 0
    for ask in (
        lambda library: find(library, ["piano"]),
        lambda library: stats(library),
        lambda library: library.stamps(),
        lambda library: list(library.outcomes()),
        lambda library: similar(library, "a"),
    ):
        with Library(path) as library:
            try:
                ask(library)
            except LibraryError as error:
                failed += 1
                assert "\n" not in str(error)
    assert failed


@pytest.mark.parametrize("score", ["7", "-0.5", "9e999", "'high'"])
def test_scores_that_are_none_are_refused_where_they_are_used(tmp_path: Path, score: str) -> None:
    path = tmp_path / "library.sqlite"
    with Library(path, MODEL) as library:
        library.write(track("a", MODEL, piano=0.9))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE scores SET score = {score}")
    with Library(path) as library:
        with pytest.raises(LibraryError, match="autotag did not write"):
            stats(library)
        if score != "-0.5":  # too low to be found
            with pytest.raises(LibraryError, match="autotag did not write"):
                find(library, ["piano"])


@pytest.mark.parametrize("duration", ["9e999", "1e300", "-1", "'x'"])
def test_durations_that_are_none_are_refused_where_they_are_used(tmp_path: Path, duration: str) -> None:
    path = tmp_path / "library.sqlite"
    with Library(path, MODEL) as library:
        library.write(track("a", MODEL, piano=0.9))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE tracks SET duration = {duration}")
    with Library(path) as library:
        with pytest.raises(LibraryError, match="autotag did not write"):
            find(library, ["piano"])
        with pytest.raises(LibraryError, match="autotag did not write"):
            Held(library)
        if duration != "'x'":  # which SQLite adds as zero
            with pytest.raises(LibraryError, match="autotag did not write"):
                stats(library)


def test_one_that_another_program_has_locked_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "library.sqlite"
    with Library(path, MODEL) as library:
        library.write(track("a", MODEL, piano=0.9))
    monkeypatch.setattr("autotag.library.opening.PATIENCE", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LibraryError, match="another program has locked it"):
            Library(path, MODEL).write(track("b", MODEL))


def test_it_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    """As another user, if this one may write everything."""
    folder = tmp_path / "shared"
    folder.mkdir()
    path = folder / "library.sqlite"
    with Library(path, MODEL) as library:
        library.write(track("a", MODEL, piano=0.9))
    if sys.platform == "win32":
        pytest.skip("there folders have no such rights")
    for above in (tmp_path, *tmp_path.parents):
        if (
            os.geteuid() == 0
            and os.access(above, os.W_OK)
            and above.is_relative_to(Path("/tmp"))
            and above != Path("/tmp")
        ):
            above.chmod(0o755)
    path.chmod(0o444)
    folder.chmod(0o555)
    code = (
        "import os, sys\n"
        "from autotag.library.database import Library; from autotag.library.query import find\n"
        "import autotag.library.tags, autotag.library.sql, autotag.library.vectors\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "with Library(sys.argv[1]) as library: print(len(find(library, ['piano'])))\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True)
    folder.chmod(0o755)
    if "PermissionError" in run.stderr:
        pytest.skip("another user may not read the program here")
    assert (run.stdout, run.returncode) == ("1\n", 0), run.stderr
    assert list(folder.iterdir()) == [path]


def test_a_compact_embedding_keeps_the_cosine() -> None:
    lines = projection(2048)
    assert lines.shape == (SIZE, 2048)
    np.testing.assert_allclose(lines @ lines.T, np.eye(SIZE), atol=1e-12)
    # The first numbers, for ever: a library outlives the program that made it.
    np.testing.assert_allclose(lines[0, :3], [0.009605715929, -0.036872048551, -0.003621743482], atol=1e-9)
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
