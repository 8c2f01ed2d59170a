"""The file of a library: opened or made, checked, and asked from any thread."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from autotag.config import Excerpt
from autotag.errors import LibraryError
from autotag.library import schema
from autotag.library.choice import meanings, names
from autotag.library.migrate import refresh, upgrade
from autotag.library.opening import connect, missing, plainly
from autotag.meaning import Output
from autotag.models.registry import ModelFile


class LibraryFile:
    """The open file, and what it says of itself: see `autotag.library.database.Library`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: ModelFile | None,
        excerpt: Excerpt | float | None,
        force: bool,
    ) -> None:
        self.path = Path(path)
        self._lock = RLock()
        self._db = connect(self.path, make=model is not None)
        try:
            self._open(model, Excerpt.of(excerpt), force)
        except BaseException:
            self._db.close()
            raise

    def _open(self, model: ModelFile | None, excerpt: Excerpt | None, force: bool) -> None:
        with plainly(self.path, "read"):
            kinds = dict(self._db.execute("SELECT name, type FROM sqlite_master").fetchall())
        if not kinds:  # an empty file, or one whose making was interrupted
            if model is None:
                raise missing(self.path)
            self._make(model, excerpt)
        elif kinds.get("facts") != "table":
            raise LibraryError(f"{self.path}: a SQLite database, but not a library. Name another file.")
        upgrade(self._db, self.path)
        self._check_tables()
        self._read_facts()
        if model is not None:
            self._take(model, excerpt, force)
            with plainly(self.path, "written"):
                self._db.execute("PRAGMA synchronous = NORMAL")  # safe with WAL, and spares a wait a batch
            refresh(self._db, self.path)
            self._read_facts()

    def _make(self, model: ModelFile, excerpt: Excerpt | None) -> None:
        with plainly(self.path, "written"):
            self._db.execute("PRAGMA journal_mode = WAL")  # readers need not wait, nor a kill -9 harm
        with self._transaction():
            if self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
                return  # another process was faster
            for statement in schema.statements():
                self._db.execute(statement)
            facts = {"schema": schema.VERSION, "meanings": meanings()}
            if excerpt is not None:
                facts |= {"excerpt": f"{excerpt.seconds:.9g}", "excerpts": str(excerpt.count)}
            self._note(facts)
            self._take_outputs(model)

    def _check_tables(self) -> None:
        with plainly(self.path, "read"):
            found = schema.columns_of(self._db)
        for table, columns in schema.columns().items():
            if lacking := [name for name in columns if name not in found.get(table, ())]:
                raise LibraryError(
                    f"{self.path}: its table '{table}' lacks '{lacking[0]}'. Scan into another file."
                )

    def _read_facts(self) -> None:
        with plainly(self.path, "read"):
            facts = dict(self._db.execute("SELECT fact, value FROM facts").fetchall())
            self.model: str = _name(facts["model"])
            self.sha256: str = _name(facts.get("sha256", ""))
            self.excerpt: Excerpt | None = None
            if "excerpt" in facts:
                self.excerpt = Excerpt.of(Excerpt(float(facts["excerpt"]), int(facts.get("excerpts", 1))))
            found = self._db.execute("SELECT vocabulary, tag FROM outputs ORDER BY id")
            self.outputs = tuple(Output(_name(vocabulary), _name(tag)) for vocabulary, tag in found)
            self.tags = {_name(tag): int(row) for row, tag in self._db.execute("SELECT id, tag FROM tags")}

    def _take(self, model: ModelFile, excerpt: Excerpt | None, force: bool) -> None:
        """Refuse scores that do not compare with those it holds: of another model, or part of the files."""
        if self.excerpt != excerpt:
            ours, its = (str(part or "whole files") for part in (excerpt, self.excerpt))
            raise LibraryError(
                f"{self.path}: made with {its}, not {ours}. Use the same, or name another file."
            )
        if (self.model, self.sha256, self.outputs) == (model.name, model.sha256, model.metadata.outputs):
            return
        if not force:
            raise other_model(self, model)
        with self._transaction():
            self._db.execute("UPDATE tracks SET outputs = NULL")
            self._db.execute("DELETE FROM embeddings")  # those of two models do not compare
            self._db.execute("DELETE FROM outputs")
            self._take_outputs(model)
        self._read_facts()

    def _take_outputs(self, model: ModelFile) -> None:
        metadata = model.metadata
        self._note(
            {
                "model": model.name,
                "sha256": model.sha256,
                "commit": metadata.commit,
                "precision": metadata.precision,
            }
        )
        self._db.executemany("INSERT INTO outputs (vocabulary, tag) VALUES (?, ?)", metadata.outputs)
        tags = ((name,) for name in names(metadata.outputs))
        self._db.executemany("INSERT OR IGNORE INTO tags (tag) VALUES (?)", tags)

    def _note(self, facts: Mapping[str, str]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

    def query(self, sql: str, *values: Any) -> list[Any]:
        """The rows that a query finds."""
        with self._lock, plainly(self.path, "read"):
            return self._db.execute(sql, values).fetchall()

    def batches(self, sql: str) -> Iterator[list[Any]]:
        """The same, some rows at a time: few enough to stay in the processor's cache."""
        with self._lock, plainly(self.path, "read"):
            cursor = self._db.execute(sql)
        while True:
            with self._lock, plainly(self.path, "read"):
                rows = cursor.fetchmany(512)
            if not rows:
                return
            yield rows

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, plainly(self.path, "written"), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield


def other_model(library: LibraryFile, model: ModelFile) -> LibraryError:
    """Why results of a model cannot go into a library."""
    if library.model == model.name:
        what = f"made with another version of {model.name}, whose scores differ. Add"
    else:
        what = f"made with {library.model}, not {model.name}. Use --model {library.model}, add"
    return LibraryError(f"{library.path}: {what} --force to tag all files again, or name another file.")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > 200:
        raise ValueError(f"{value!r:.60} is no name")
    return value
