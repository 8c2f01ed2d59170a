"""A library: what a model says of many files, in one SQLite database (`autotag.library.schema`)."""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from autotag.errors import LibraryError, LibraryNotFound
from autotag.library import schema
from autotag.models.metadata import Metadata
from autotag.outputs.sink import Stamp
from autotag.outputs.stream import flat
from autotag.result import Failure, Result
from autotag.system import files
from autotag.system.text import as_unicode

ROWS = 256
SECONDS = 1.0
"""Outcomes are written when there are so many, or when the last were written so long ago."""


class Library:
    """A database of what one model says of files. It is a context manager, and a sink of results.

    The results must hold all tags and the embedding: `top=0`, no threshold, no merging, `embed=True`.

    Args:
        path: the SQLite file.
        metadata: of the model whose results are to be written; a file that is missing is made. Without
            it the library must be there.
        seconds: of each file that the results are of; None for all of it.

    Raises (in every method):
        LibraryNotFound: it is not there.
        LibraryError: it is no library of this version, or another model's, or cannot be read or written.

    Attributes:
        model: name of the model whose scores it holds.
        seconds: of each file that they are of; None for all of it.
        ids: what stands for each tag in the table of scores, in the order of the model's.
        thresholds: of each tag.
    """

    def __init__(self, path: Path, metadata: Metadata | None = None, seconds: float | None = None) -> None:
        self.path = path
        self._pending: list[Result | Failure] = []
        self._written = time.monotonic()
        if metadata is None and not path.exists():
            raise self._missing()
        mode = "rw" if metadata is None else "rwc"
        with self._plainly("opened"):
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}", timeout=30, isolation_level=None, uri=True
            )
            self._db.execute("PRAGMA cache_size = -65536")  # KiB: a find visits a page many times
        try:
            self._open(metadata, seconds)
        except BaseException:
            self._db.close()
            raise

    def _open(self, metadata: Metadata | None, seconds: float | None) -> None:
        with self._plainly("read"):
            names = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master")}
        if not names:  # an empty file, or one whose making was interrupted
            if metadata is None:
                raise self._missing()
            self._create(metadata, seconds)
        elif "facts" not in names:
            raise LibraryError(
                f"{self.path}: a SQLite database, but not a library of autotag: name another file"
            )
        self._facts = dict(self.rows("SELECT fact, value FROM facts"))
        if (version := self._facts.get("schema")) != schema.VERSION:
            raise LibraryError(
                f"{self.path}: a library of version {version}, where this autotag reads {schema.VERSION}: "
                "update autotag, or scan into another file"
            )
        self.model: str = self._facts["model"]
        self.seconds = float(self._facts["excerpt"]) if "excerpt" in self._facts else None
        found = self.rows("SELECT id, tag, threshold FROM tags ORDER BY id")
        self.ids: dict[str, int] = {tag: row for row, tag, _ in found}
        self.thresholds: dict[str, float] = {tag: threshold for _, tag, threshold in found}
        if metadata is not None:
            self.check(metadata, seconds)
            with self._plainly("written"):
                self._db.execute("PRAGMA synchronous = NORMAL")  # safe with WAL, and spares a wait a batch

    def _create(self, metadata: Metadata, seconds: float | None) -> None:
        facts = {"schema": schema.VERSION, **_identity(metadata)}
        if seconds is not None:
            facts["excerpt"] = f"{seconds:g}"
        with self._plainly("written"):
            self._db.execute("PRAGMA journal_mode = WAL")  # readers need not wait, nor a kill -9 harm
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                if self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
                    return  # another process was faster
                for statement in schema.statements():
                    self._db.execute(statement)
                self._db.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
                tags = zip(metadata.tags, metadata.thresholds, strict=True)
                self._db.executemany("INSERT INTO tags (tag, threshold) VALUES (?, ?)", tags)

    def _missing(self) -> LibraryNotFound:
        return LibraryNotFound(f"{self.path}: there is no library: 'autotag scan FOLDER' makes one")

    def check(self, metadata: Metadata, seconds: float | None) -> None:
        """Refuse scores that do not compare with those it holds: of another model, or part of the files."""
        if self.seconds != seconds:
            heard = "all of each file" if self.seconds is None else f"{self.seconds:g} s of each file"
            raise LibraryError(
                f"{self.path}: a library of what {heard} sounds like: ask for the same --seconds, or name "
                "another file"
            )
        theirs = {fact: self._facts.get(fact) for fact in _identity(metadata)}
        if theirs != _identity(metadata) or tuple(self.ids) != metadata.tags:
            ours, its = (
                f"{facts['model']} ({facts['precision']}, commit {facts['commit']})"
                for facts in (_identity(metadata), theirs)
            )
            raise LibraryError(
                f"{self.path}: a library of {its}, whose scores do not compare with those of {ours}: "
                "go on with its model, or name another file for a library of this one"
            )

    def stamps(self) -> dict[str, Stamp]:
        """What is known of each file, by path."""
        self.flush()
        found = self.rows("SELECT path, size, modified, model, ok FROM tracks")
        return {
            as_path(path): Stamp(size, modified, model, bool(ok)) for path, size, modified, model, ok in found
        }

    def write(self, outcome: Result | Failure) -> None:
        """Keep an outcome, in place of an earlier one of that path.

        What comes in within a second is written together, with the next outcome: a kill -9 loses that.
        """
        self._pending.append(outcome)
        if len(self._pending) >= ROWS or time.monotonic() - self._written >= SECONDS:
            self.flush()

    def rearrange(self, moved: Iterable[tuple[str, str]], deleted: Iterable[str]) -> None:
        """Give tracks a new path, (old, new) each, and forget those that are gone: all of it or nothing."""
        self.flush()
        with self._transaction():
            self._db.executemany("DELETE FROM tracks WHERE path = ?", ((_stored(path),) for path in deleted))
            self._db.executemany(
                "UPDATE tracks SET path = ? WHERE path = ?",
                ((_stored(new), _stored(old)) for old, new in moved),
            )

    def embedding(self, path: str) -> bytes | None:
        """The compact embedding of a file, if the library has one."""
        sql = "SELECT embedding FROM embeddings JOIN tracks ON id = track WHERE path = ?"
        return next((found for (found,) in self.rows(sql, _stored(path))), None)

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """The rows that a query finds."""
        with self._plainly("read"):
            return self._db.execute(sql, values).fetchall()

    def batches(self, sql: str) -> Iterator[list[Any]]:
        """The same, some rows at a time: few enough to stay in the processor's cache."""
        with self._plainly("read"):
            cursor = self._db.execute(sql)
            while rows := cursor.fetchmany(512):
                yield rows

    def flush(self) -> None:
        """Write what is pending into the file."""
        try:
            if self._pending:
                with self._transaction():
                    for outcome in self._pending:
                        self._replace(outcome)
        except (LibraryError, OSError):
            self._pending.clear()  # or closing would fail on it once more
            raise
        self._pending.clear()
        self._written = time.monotonic()

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _replace(self, outcome: Result | Failure) -> None:
        path = _stored(outcome.path)
        row = flat(outcome.as_dict()) | {"path": path}
        row.pop("tags", None)
        if isinstance(outcome, Failure):
            row["error_message"] = as_unicode(outcome.message)
        else:
            row["warnings"] = as_unicode("; ".join(outcome.warnings))
        self._db.execute("DELETE FROM tracks WHERE path = ?", (path,))
        marks = ", ".join("?" * len(row))
        sql = f"INSERT INTO tracks ({', '.join(row)}) VALUES ({marks})"
        track = self._db.execute(sql, tuple(row.values())).lastrowid
        if isinstance(outcome, Result):
            scores = [(self.ids[tag], track, round(score, 4)) for tag, score in outcome.tags]
            self._db.executemany("INSERT INTO scores VALUES (?, ?, ?)", scores)
            if outcome.embedding is not None:
                from autotag.library.vectors import compact

                self._db.execute("INSERT INTO embeddings VALUES (?, ?)", (track, compact(outcome.embedding)))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._plainly("written"), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def _plainly(self, what: str) -> Iterator[None]:
        """Errors of SQLite as ours."""
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise OSError(f"{self.path}: {error}") from error
            raise LibraryError(f"{self.path}: cannot be {what} as a library: {error}") from error


def default_path() -> Path:
    """`library.sqlite` in the folder in which this system keeps what a user's programs know."""
    return files.data() / "library.sqlite"


def as_path(stored: str | bytes) -> str:
    """A path as the table of tracks has it, as Python has it."""
    return stored if isinstance(stored, str) else os.fsdecode(stored)


def _stored(path: str) -> str | bytes:
    try:
        path.encode()
    except UnicodeEncodeError:  # a name that is not UTF-8, which SQLite refuses as text
        return os.fsencode(path)
    return path


def _identity(metadata: Metadata) -> dict[str, str]:
    return {"model": metadata.name, "commit": metadata.commit, "precision": metadata.precision}
