"""Bring an older library to this version in place: all of it, or nothing where it fails or is killed."""

import sqlite3
from array import array
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from autotag.config import parse_model_name
from autotag.errors import AutotagError, LibraryError
from autotag.library import schema
from autotag.library.choice import meanings, names, tags_of
from autotag.library.opening import plainly
from autotag.library.rows import as_bytes, as_floats
from autotag.meaning import Output
from autotag.models.registry import models

OLD_TABLES = ("facts", "tags", "tracks", "scores", "embeddings")

COPIED = (
    "id, path, size, modified, ok, model, duration, excerpt, segments, decode_ms, mel_ms, model_ms, "
    "error_kind, error_message"
)
"""Columns of a track that version 1 has too; its warnings are separated by '; '."""


def upgrade(database: sqlite3.Connection, path: Path) -> None:
    """Bring a library of version 1 to version 2; one of version 2 is left alone.

    Raises:
        LibraryError: it is of another version, damaged, or read-only.
    """
    version = _version(database, path)
    if version == schema.VERSION:
        return
    if version != "1":
        raise LibraryError(
            f"{path}: a library of version {version!s:.20}, where this autotag reads 1 and {schema.VERSION}. "
            "Update autotag, or scan into another file."
        )
    if database.execute("PRAGMA query_only").fetchone() == (1,) or _is_read_only(database):
        raise LibraryError(
            f"{path}: a library of version 1, which this autotag changes to {schema.VERSION} but cannot "
            "write. Copy it to where it can be written."
        )
    with plainly(path, "changed to version 2"), database:
        database.execute("BEGIN IMMEDIATE")
        if _version(database, path) == "1":  # no other process was faster
            _from_1(database)


def refresh(database: sqlite3.Connection, path: Path) -> None:
    """Choose the tags of all tracks again, where the table of meanings is another than then."""
    with plainly(path, "written"):
        noted = database.execute("SELECT value FROM facts WHERE fact = 'meanings'").fetchone()
        if noted == (meanings(),):
            return
        with database:
            database.execute("BEGIN IMMEDIATE")
            outputs = [
                Output(*row) for row in database.execute("SELECT vocabulary, tag FROM outputs ORDER BY id")
            ]
            _choose(database, outputs)


def _version(database: sqlite3.Connection, path: Path) -> str:
    with plainly(path, "read"):
        found = database.execute("SELECT value FROM facts WHERE fact = 'schema'").fetchone()
    return str(found[0]) if found else "unknown"


def _is_read_only(database: sqlite3.Connection) -> bool:
    try:
        database.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY
    database.execute("ROLLBACK")
    return False


def _from_1(database: sqlite3.Connection) -> None:
    database.execute("DROP VIEW IF EXISTS top_tags")
    database.execute("DROP TRIGGER IF EXISTS forget")
    database.execute("DROP INDEX IF EXISTS likely")
    for table in OLD_TABLES:
        database.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    for statement in schema.statements():
        database.execute(statement)

    facts = dict(database.execute("SELECT fact, value FROM old_facts").fetchall())
    vocabulary = parse_model_name(facts["model"])[1] or "mtat"
    outputs = [Output(vocabulary, tag) for (tag,) in database.execute("SELECT tag FROM old_tags ORDER BY id")]
    facts |= {"schema": schema.VERSION, "sha256": _sha256(facts, outputs)}
    database.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
    database.executemany("INSERT INTO outputs (vocabulary, tag) VALUES (?, ?)", outputs)

    warnings = (
        "CASE WHEN ok THEN '[' || CASE WHEN coalesce(warnings, '') = '' THEN '' "
        "ELSE replace(json_quote(warnings), '; ', '\", \"') END || ']' END"
    )
    database.execute(
        f"INSERT INTO tracks ({COPIED}, sha256, warnings) "
        f"SELECT {COPIED}, CASE WHEN ok THEN ? END, {warnings} FROM old_tracks",
        (facts["sha256"],),
    )
    database.executemany("UPDATE tracks SET outputs = ? WHERE id = ?", _old_scores(database, len(outputs)))
    database.execute("INSERT INTO embeddings SELECT track, embedding FROM old_embeddings")
    for table in OLD_TABLES:
        database.execute(f"DROP TABLE old_{table}")
    _choose(database, outputs)


def _sha256(facts: dict[str, str], outputs: list[Output]) -> str:
    """The hash of the installed model that made the library, or nothing if none is known to have."""
    with suppress(AutotagError):
        model = models().get(facts["model"])
        if model and (model.metadata.commit, model.metadata.precision, list(model.metadata.outputs)) == (
            facts.get("commit"),
            facts.get("precision"),
            outputs,
        ):
            return model.sha256
    return ""


def _old_scores(database: sqlite3.Connection, outputs: int) -> Iterable[tuple[bytes, int]]:
    """The scores of each track, in the order of the tags."""
    tags = [row for (row,) in database.execute("SELECT id FROM old_tags ORDER BY id")]
    tracks = [row for (row,) in database.execute("SELECT id FROM old_tracks WHERE ok ORDER BY id")]
    at = {track: position for position, track in enumerate(tracks)}
    scores = array("f", bytes(4 * len(tracks) * outputs))
    for number, tag in enumerate(tags):
        for track, score in database.execute("SELECT track, score FROM old_scores WHERE tag = ?", (tag,)):
            if track in at:
                scores[at[track] * outputs + number] = min(1.0, max(0.0, float(score)))
    for track, position in at.items():
        yield as_bytes(scores[position * outputs : (position + 1) * outputs]), track


def _choose(database: sqlite3.Connection, outputs: list[Output]) -> None:
    """Make the tables of tags and scores from the outputs of every track and its corrections.

    Tracks that an earlier model tagged have no outputs, and keep their tags.
    """
    database.executemany("INSERT OR IGNORE INTO tags (tag) VALUES (?)", ((name,) for name in names(outputs)))
    ids = {tag: row for row, tag in database.execute("SELECT id, tag FROM tags")}
    said: dict[int, dict[str, bool]] = {}
    for track, tag, has in database.execute("SELECT track, tag, has FROM corrections"):
        said.setdefault(track, {})[tag] = bool(has)
    database.execute("DELETE FROM scores WHERE track IN (SELECT id FROM tracks WHERE outputs IS NOT NULL)")
    rows: list[tuple[int, int, float]] = []
    for track, kept in database.execute(
        "SELECT id, outputs FROM tracks WHERE outputs IS NOT NULL ORDER BY id"
    ):
        chosen = tags_of(outputs, as_floats(kept), said.get(track, {}))
        rows += [(ids[tag], track, score) for tag, score in chosen if tag in ids]
        if len(rows) > 100_000:
            database.executemany("INSERT INTO scores VALUES (?, ?, ?)", sorted(rows))
            rows = []
    database.executemany("INSERT INTO scores VALUES (?, ?, ?)", sorted(rows))
    current = set(names(outputs))
    unused = [(row,) for tag, row in ids.items() if tag not in current]
    database.executemany(
        "DELETE FROM tags WHERE id = ? AND NOT EXISTS (SELECT 1 FROM scores WHERE tag = tags.id)", unused
    )
    database.execute("INSERT OR REPLACE INTO facts VALUES ('meanings', ?)", (meanings(),))
