"""A library: what a model says of many files, in one SQLite database (`autotag.library.schema`)."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from autotag.errors import LibraryError, TagNotFound
from autotag.library import schema
from autotag.library.choice import EVERY_TAG, corrected, names, tags_of
from autotag.library.file import LibraryFile
from autotag.library.opening import plainly
from autotag.library.rows import as_floats, as_path, outcome_of, stored, values_of
from autotag.library.sound import sound_of
from autotag.library.terms import is_path
from autotag.models.registry import ModelFile
from autotag.outputs.sink import Stamp
from autotag.request import Selection
from autotag.result import Outcome, Result, Tag
from autotag.system import files

ROWS = 256
SECONDS = 1.0
"""Outcomes are written when there are so many, or when the last were written so long ago."""

DROP_SCORES = "DELETE FROM scores WHERE track = ? AND tag IN (SELECT id FROM tags)"


class Library(LibraryFile):
    """A database of what one model says of files. It is a context manager, and a sink of results.

    Any thread may use it.

    Args:
        path: the SQLite file.
        model: whose results are to be written; a file that is missing is made. Without it the library must
            be there, and may be read-only.
        excerpt: seconds from the middle of each file that the results are of; None for all of it.
        force: take the model though the library is of another one, whose tracks are then to be tagged again.

    Raises (in every method):
        LibraryNotFound: it is not there.
        LibraryError: it is no library, or another model's, or cannot be read or written.

    Attributes:
        model: name of the model, and
        sha256: of its file; empty where an older autotag did not note it.
        excerpt: seconds from the middle of each file that results are of; None for all of it.
        outputs: of the model.
        tags: the id of each tag, by its name.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: ModelFile | None = None,
        excerpt: float | None = None,
        *,
        force: bool = False,
    ) -> None:
        self._pending: list[tuple[Outcome, bytes | None]] = []
        self._written = time.monotonic()
        super().__init__(path, model, excerpt, force)
        self._db.create_function("autotag_path", 2, lambda pattern, path: is_path(pattern, as_path(path)))

    def stamps(self) -> dict[str, Stamp]:
        """What is known of each file, by path."""
        self.flush()
        with plainly(self.path, "read"):
            return {
                as_path(path): Stamp(_whole(size), _whole(modified), model, sha256, bool(ok))
                for path, size, modified, model, sha256, ok in self.query(
                    "SELECT path, size, modified, model, sha256, ok FROM tracks"
                )
            }

    def outcomes(self, selection: Selection = EVERY_TAG) -> Iterator[Outcome]:
        """The outcome of each file in the order they were added, with the tags that a selection chooses.

        Raises:
            VocabularyNotFound: the model has no output of that vocabulary.
        """
        self.flush()
        said: dict[int, dict[str, bool]] = {}
        for track, tag, has in self.query("SELECT track, tag, has FROM corrections"):
            said.setdefault(track, {})[tag] = bool(has)
        sql = "SELECT id, " + ", ".join(schema.columns()["tracks"][1:]) + " FROM tracks ORDER BY id"
        for rows in self.batches(sql):
            for track, *values in rows:
                with plainly(self.path, "read"):
                    row = dict(zip(schema.columns()["tracks"][1:], values, strict=True))
                    tags: tuple[Tag, ...] = ()
                    if row["ok"] and row["outputs"] is not None:
                        scores = as_floats(row["outputs"])
                        tags = tags_of(self.outputs, scores, said.get(track, {}), selection)
                    elif row["ok"]:
                        tags = selection.narrow(self._tags(track))
                    outcome = outcome_of(row, tags)
                yield outcome

    def _tags(self, track: int) -> list[Tag]:
        sql = "SELECT tags.tag, score FROM tags CROSS JOIN scores ON scores.tag = id AND track = ?"
        return [Tag(tag, score) for tag, score in self.query(sql, track)]

    def write(self, outcome: Outcome) -> None:
        """Keep an outcome, in place of an earlier one of that path, whose corrections stay.

        What comes in within a second is written together, with the next outcome: a kill -9 loses that.
        """
        if outcome.path is None:
            raise LibraryError(f"{self.path}: a sound without a path cannot be kept. Give it a name.")
        if isinstance(outcome, Result) and outcome.scores is not None:
            ours, its = (self.model, self.sha256), (outcome.model, outcome.sha256)
            if ours != its:
                raise LibraryError(
                    f"{self.path}: a library of {self.model}, not {outcome.model}. Use its model."
                )
        with self._lock:
            self._pending.append((outcome, sound_of(outcome)))
            if len(self._pending) >= ROWS or time.monotonic() - self._written >= SECONDS:
                self.flush()

    def correct(self, path: str, tag: str, has: bool | None) -> None:
        """Say whether a track has a tag; None leaves it to the scores again.

        Raises:
            TagNotFound: the library has no such tag.
            LibraryError: it has no such track.
        """
        if tag not in self.tags:
            raise TagNotFound(f"{self.path}: no tag {tag!r}. 'autotag stats' lists its tags.")
        self.flush()
        found = self.query("SELECT id, outputs, ok FROM tracks WHERE path = ?", stored(path))
        if not found:
            raise LibraryError(f"{self.path}: no track {path!r}. Give its path as the library has it.")
        ((track, outputs, ok),) = found
        if not ok:
            raise LibraryError(f"{path}: could not be tagged, and has no tags to correct.")
        with self._transaction():
            if has is None:
                self._db.execute("DELETE FROM corrections WHERE track = ? AND tag = ?", (track, tag))
            else:
                self._db.execute(
                    "INSERT OR REPLACE INTO corrections VALUES (?, ?, ?)", (track, tag, bool(has))
                )
            scores = None if outputs is None else as_floats(outputs)
            tags = [] if scores else self._tags(track)
            self._db.execute(DROP_SCORES, (track,))
            self._put_scores(track, scores, tags)

    def corrections(self, path: str) -> dict[str, bool]:
        """What a person said of a track: by the name of a tag, whether the track has it."""
        sql = "SELECT tag, has FROM corrections JOIN tracks ON id = track WHERE path = ? ORDER BY 2 DESC, 1"
        return {tag: bool(has) for tag, has in self.query(sql, stored(path))}

    def rearrange(self, moved: Iterable[tuple[str, str]], deleted: Iterable[str]) -> None:
        """Give tracks a new path, (old, new) each, and forget those that are gone: all of it or nothing."""
        self.flush()
        with self._transaction():
            self._db.executemany("DELETE FROM tracks WHERE path = ?", ((stored(path),) for path in deleted))
            self._db.executemany(
                "UPDATE tracks SET path = ? WHERE path = ?",
                ((stored(new), stored(old)) for old, new in moved),
            )

    def retime(self, known: Mapping[str, Stamp]) -> None:
        """Note the size and time of files that sound as they did."""
        with self._transaction():
            self._db.executemany(
                "UPDATE tracks SET size = ?, modified = ? WHERE path = ?",
                ((stamp.size, stamp.modified, stored(path)) for path, stamp in known.items()),
            )

    def outdate(self, paths: Iterable[str]) -> None:
        """Have tracks tagged again by the next scan, whatever happens to this one."""
        with self._transaction():
            self._db.executemany(
                "UPDATE tracks SET sha256 = '' WHERE path = ?", ((stored(path),) for path in paths)
            )

    def sound(self, path: str) -> bytes | None:
        """The hash of a file's own audio when it was tagged, see `autotag.library.sound`."""
        found = self.query("SELECT sound FROM tracks WHERE path = ?", stored(path))
        return next((bytes(sound) for (sound,) in found if isinstance(sound, bytes)), None)

    def embedding(self, path: str) -> bytes | None:
        """The compact embedding of a file, if the library has one."""
        sql = "SELECT embedding FROM embeddings JOIN tracks ON id = track WHERE path = ?"
        return next((found for (found,) in self.query(sql, stored(path))), None)

    def query(self, sql: str, *values: Any) -> list[Any]:
        """The rows that a query finds, with what was written until now."""
        if self._pending:
            self.flush()
        return super().query(sql, *values)

    def flush(self) -> None:
        """Write what is pending into the file."""
        with self._lock:
            pending, self._pending = self._pending, []  # or closing would fail on it once more
            if pending:
                with self._transaction():
                    for outcome, sound in pending:
                        self._replace(outcome, sound)
            self._written = time.monotonic()

    def prune(self) -> None:
        """Forget the tags of an earlier model that no track has any more."""
        current = set(names(self.outputs))
        old = [row for tag, row in self.tags.items() if tag not in current]
        if not old:
            return
        with self._transaction():
            sql = "DELETE FROM tags WHERE id = ? AND NOT EXISTS (SELECT 1 FROM scores WHERE tag = tags.id)"
            self._db.executemany(sql, ((row,) for row in old))

    def close(self) -> None:
        try:
            self.flush()
        finally:
            with self._lock:
                self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _replace(self, outcome: Outcome, sound: bytes | None) -> None:
        row = values_of(outcome) | {"sound": sound}
        columns = [name for name in schema.columns()["tracks"] if name != "id"]
        values = [row.get(name) for name in columns]
        known = self._db.execute("SELECT id FROM tracks WHERE path = ?", (row["path"],)).fetchone()
        if known is None:
            sql = f"INSERT INTO tracks ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
            track = self._db.execute(sql, values).lastrowid or 0
        else:
            (track,) = known
            sql = f"UPDATE tracks SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?"
            self._db.execute(sql, (*values, track))
            self._db.execute(DROP_SCORES, (track,))
            self._db.execute("DELETE FROM embeddings WHERE track = ?", (track,))
        if isinstance(outcome, Result):
            scores = None if outcome.scores is None else outcome.scores.tolist()
            self._put_scores(track, scores, outcome.tags)
            if outcome.embedding is not None:
                from autotag.library.vectors import compact

                mean = outcome.embedding if outcome.embedding.ndim == 1 else outcome.embedding.mean(axis=0)
                self._db.execute("INSERT INTO embeddings VALUES (?, ?)", (track, compact(mean)))

    def _put_scores(self, track: int, scores: list[float] | None, tags: Iterable[Tag]) -> None:
        """The tags of a track, by the scores of its outputs or else by its tags, and by its corrections."""
        said = dict(self._db.execute("SELECT tag, has FROM corrections WHERE track = ?", (track,)).fetchall())
        chosen = corrected(tags, said) if scores is None else tags_of(self.outputs, scores, said)
        rows = [(self.tags[tag], track, score) for tag, score in chosen if tag in self.tags]
        self._db.executemany("INSERT INTO scores VALUES (?, ?, ?)", rows)


def default_path() -> Path:
    """`library.sqlite` in the folder in which this system keeps what a user's programs know."""
    return files.data() / "library.sqlite"


def _whole(value: Any) -> int | None:
    if value is None or isinstance(value, int):
        return value
    raise ValueError(f"{value!r:.60} is no number of bytes or nanoseconds")
