"""A library of version 1 comes to this version in place: whole, or not at all."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autotag.errors import LibraryError
from autotag.library import schema
from autotag.library.database import Library
from autotag.library.query import find, stats
from autotag.meaning import MEANINGS, Meaning, Output
from autotag.models.registry import find as named
from autotag.request import Selection
from autotag.result import Failure, Result
from tests.autotag.library.made import MTAT, SMALL, rows
from tests.conftest import ROOT

VERSION_1 = """
CREATE TABLE facts (
    fact TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE tags (
    id INTEGER PRIMARY KEY,
    tag TEXT NOT NULL UNIQUE,
    threshold REAL NOT NULL
);
CREATE TABLE tracks (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    size INTEGER,
    modified INTEGER,
    ok INTEGER NOT NULL,
    model TEXT,
    duration REAL,
    excerpt REAL,
    segments INTEGER,
    decode_ms REAL,
    mel_ms REAL,
    model_ms REAL,
    warnings TEXT,
    error_kind TEXT,
    error_message TEXT
);
CREATE TABLE scores (
    tag INTEGER NOT NULL,
    track INTEGER NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (tag, track)
) WITHOUT ROWID;
CREATE INDEX likely ON scores (tag, score, track) WHERE score >= 0.05;
CREATE TABLE embeddings (
    track INTEGER PRIMARY KEY,
    embedding BLOB NOT NULL
);
CREATE TRIGGER forget AFTER DELETE ON tracks BEGIN
    DELETE FROM scores WHERE track = old.id AND tag IN (SELECT id FROM tags);
    DELETE FROM embeddings WHERE track = old.id;
END;
CREATE VIEW top_tags AS
    SELECT path, (
        SELECT group_concat(printf('%s %.2f', tag, score), ', ') FROM (
            SELECT tags.tag, scores.score FROM tags CROSS JOIN scores
            ON scores.tag = tags.id AND scores.track = tracks.id ORDER BY scores.score DESC LIMIT 5
        )
    ) AS top_tags, duration, error_message
    FROM tracks;
"""
"""The tables as the first version of autotag made them, in every library of that time."""

SCORES = np.random.default_rng(0).uniform(0, 1, (3, 50)).round(4)
PATHS = (b"/m/a.mp3", "/m/b\n“b”.mp3".encode(), b"/m/caf\xe9.mp3")


def make_old(path: Path, commit: str = "0000000") -> None:
    """A library of version 1 with three tracks, one of a name that is not UTF-8, and one that failed."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(VERSION_1)
        facts = {"schema": "1", "model": SMALL, "commit": commit, "precision": "int8"}
        database.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
        database.executemany("INSERT INTO tags (tag, threshold) VALUES (?, 0.2)", ((tag,) for tag in MTAT))
        for number, name in enumerate(PATHS):
            kept = name if b"\xe9" in name else name.decode()
            row = (7 * number + 3, kept, 10 + number, 20, 1, SMALL, 30.5, None, 1, 1.5, 2.5, 3.5)
            warnings = ("", 'one "quoted"', "one; two\\")[number]
            marks = ", ".join("?" * 13)
            database.execute(
                "INSERT INTO tracks (id, path, size, modified, ok, model, duration, excerpt, segments,"
                f" decode_ms, mel_ms, model_ms, warnings) VALUES ({marks})",
                (*row, warnings),
            )
            scores = ((tag + 1, row[0], score) for tag, score in enumerate(SCORES[number].tolist()))
            database.executemany("INSERT INTO scores VALUES (?, ?, ?)", scores)
            database.execute("INSERT INTO embeddings VALUES (?, ?)", (row[0], bytes([number]) * 128))
        database.execute(
            "INSERT INTO tracks (id, path, size, modified, ok, error_kind, error_message)"
            " VALUES (99, '/m/none.mp3', 1, 2, 0, 'NotAudio', '/m/none.mp3: none')"
        )


def test_a_library_of_version_1_is_migrated_in_place(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    make_old(path)
    outputs = [Output("mtat", tag) for tag in MTAT]
    with Library(path) as library:
        assert library.outputs == tuple(outputs)
        assert (library.model, library.sha256, library.excerpt) == (SMALL, "", None)
        outcomes = {outcome.path: outcome for outcome in library.outcomes()}
        for name, scores, warnings in zip(
            PATHS, SCORES.tolist(), [(), ('one "quoted"',), ("one", "two\\")], strict=True
        ):
            outcome = outcomes[os.fsdecode(name)]
            assert isinstance(outcome, Result)
            chosen = Selection(top=0).choose(outputs, np.array(scores, np.float32))
            assert outcome.tags == chosen
            assert (outcome.duration, outcome.segments, outcome.warnings) == (30.5, 1, warnings)
            assert outcome.ms == {"decode": 1.5, "mel": 2.5, "model": 3.5}
        assert outcomes["/m/none.mp3"] == Failure("/m/none.mp3", "NotAudio", "/m/none.mp3: none", 1, 2)
        assert {found.path for found in find(library, ["piano"], minimum=0.0)} <= set(outcomes)
        assert stats(library)["tracks"] == 3
    assert rows(path, "SELECT value FROM facts WHERE fact = 'schema'") == [("2",)]
    assert rows(path, "SELECT id FROM tracks ORDER BY id") == [(3,), (10,), (17,), (99,)]
    assert rows(path, "SELECT track, embedding FROM embeddings ORDER BY track") == [
        (7 * number + 3, bytes([number]) * 128) for number in range(3)
    ]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    with closing(sqlite3.connect(path)) as database:
        made = schema.columns_of(database)
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type <> 'index'")}
    assert {table: made[table] for table in schema.columns()} == schema.columns()
    assert names == {*schema.columns(), "top_tags", "forget"}, "nothing of the old one is left"


def test_the_hash_is_that_of_the_installed_model_only_where_it_made_the_library(tmp_path: Path) -> None:
    model = named(SMALL)
    if tuple(output.tag for output in model.metadata.outputs) != MTAT:
        pytest.skip("the installed model has other outputs than the first version's")
    for commit, sha256 in ((model.metadata.commit, model.sha256), ("0000000", "")):
        path = tmp_path / f"{commit}.sqlite"
        make_old(path, commit)
        with Library(path) as library:
            assert library.sha256 == sha256
        assert rows(path, "SELECT DISTINCT sha256 FROM tracks WHERE ok") == [(sha256,)]


def test_a_migration_that_fails_or_is_killed_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "library.sqlite"
    make_old(path)
    before = list(sqlite3.connect(path).iterdump())

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("the disk is gone")

    monkeypatch.setattr("autotag.library.migrate._choose", fail)
    with pytest.raises(LibraryError, match="cannot be changed to version 2"):
        Library(path)
    assert list(sqlite3.connect(path).iterdump()) == before

    code = (
        "import os, sys; from autotag.library import migrate; from autotag.library.database import Library\n"
        "migrate._choose = lambda *_: os._exit(9)\nLibrary(sys.argv[1])"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT)
    assert killed.returncode == 9
    assert list(sqlite3.connect(path).iterdump()) == before
    monkeypatch.undo()
    Library(path).close()
    assert rows(path, "SELECT count(*) FROM tracks") == [(4,)]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="this user may write everything")
def test_one_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    make_old(path)
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(
            LibraryError, match="of version 1, which this autotag changes to 2 but cannot write"
        ):
            Library(path)
    finally:
        tmp_path.chmod(0o700)


def test_another_table_of_meanings_chooses_the_tags_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "library.sqlite"
    make_old(path)
    with Library(path) as library:
        before = [found.tags for found in find(library, ["piano"], minimum=0.0)]
    changed = tuple(
        replace(meaning, synonyms=("harp",)) if meaning.name == "piano" else meaning
        for meaning in MEANINGS
        if meaning.name != "harp"
    )
    monkeypatch.setattr("autotag.library.choice.MEANINGS", changed)
    by_tag = {tag: meaning for meaning in changed for tag in (meaning.name, *meaning.synonyms)}
    for module in ("autotag.library.choice", "autotag.request"):
        monkeypatch.setattr(f"{module}.meaning_of", lambda tag: by_tag.get(tag) or Meaning(tag, "other"))
    with Library(path) as library:  # whoever only reads changes nothing
        assert [found.tags for found in find(library, ["piano"], minimum=0.0)] == before
    model = replace(named(SMALL), sha256="")
    metadata = replace(model.metadata, outputs=tuple(Output("mtat", tag) for tag in MTAT))
    with Library(path, replace(model, metadata=metadata)) as library:
        scores = sorted(found.score for found in find(library, ["piano"], minimum=0.0))
    piano, harp = MTAT.index("piano"), MTAT.index("harp")
    assert scores == pytest.approx(sorted(SCORES[:, [piano, harp]].max(axis=1)), abs=1e-6)
