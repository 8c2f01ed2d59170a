"""Open a library's file: with or without the right to write it, and with errors in words."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autotag.errors import AutotagError, LibraryError, LibraryNotFound

PATIENCE = 30
"""Seconds to wait for another program that has locked the file."""


def missing(path: Path) -> LibraryNotFound:
    return LibraryNotFound(f"{path}: there is no library yet. 'autotag scan FOLDER' makes one.")


def connect(path: Path, make: bool) -> sqlite3.Connection:
    """A connection that any thread may use.

    Without `make` the file must be there, and may be read-only, on a disk that is too.

    Raises:
        LibraryNotFound, LibraryError
    """
    if make:
        with plainly(path, "opened"):
            return _open(path, "mode=rwc")
    try:
        if not path.exists():
            raise missing(path)
        if not path.is_file():
            raise LibraryError(f"{path}: a folder, pipe or device. Name a library.")
    except OSError as error:
        if isinstance(error, LibraryError):
            raise
        raise LibraryError(f"{path}: cannot be opened: {error.strerror}. Name another file.") from error
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        with plainly(path, "opened"):
            return _open(path, "mode=rw")
    for how in ("mode=ro", "mode=ro&immutable=1"):
        # Without a place for its notes, SQLite reads the file only if told that nobody is writing it.
        if how != "mode=ro" and _size(path.with_name(f"{path.name}-wal")):
            raise LibraryError(
                f"{path}: rows of a scan that was interrupted stand in {path.name}-wal, and cannot be read "
                "here. Copy both files to a folder that can be written."
            )
        with suppress(sqlite3.OperationalError), plainly_not(path):
            return _open(path, how)
    raise LibraryError(f"{path}: cannot be opened as a library. May this user read it?")


def _open(path: Path, how: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{how}"
    database = sqlite3.connect(uri, timeout=PATIENCE, isolation_level=None, uri=True, check_same_thread=False)
    try:
        database.execute("PRAGMA cache_size = -65536")  # KiB: a find visits a page many times
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextmanager
def plainly_not(path: Path) -> Iterator[None]:
    """Errors of SQLite that are not about the way of opening as ours."""
    try:
        yield
    except sqlite3.OperationalError:
        raise
    except sqlite3.Error as error:
        raise in_words(path, "opened", error) from error


@contextmanager
def plainly(path: Path, what: str) -> Iterator[None]:
    """Errors of SQLite, and of values of the wrong type, as ours.

    Raises:
        LibraryError: it cannot be read or written, or holds what autotag never wrote.
        OSError: the disk is full or broken.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise in_words(path, what, error) from error
    except (TypeError, ValueError, OverflowError, AttributeError, KeyError) as error:
        if isinstance(error, AutotagError):
            raise
        raise LibraryError(
            f"{path}: holds a value that autotag did not write ({error!s:.80}). Scan into another file."
        ) from error


def in_words(path: Path, what: str, error: sqlite3.Error) -> Exception:
    """An error of SQLite as one of ours."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return OSError(f"{path}: {error}")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LibraryError(f"{path}: another program has locked it. Close that program, and try again.")
    if code == sqlite3.SQLITE_READONLY:
        return LibraryError(f"{path}: is read-only. Copy it to where it can be written.")
    return LibraryError(f"{path}: cannot be {what} as a library: {error}. Name another file.")
