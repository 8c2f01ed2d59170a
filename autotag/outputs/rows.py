"""Rows of results in a text file, appended one by one so that what was written stays, whatever happens."""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from autotag.errors import SinkError
from autotag.outputs.sink import Stamp
from autotag.outputs.stream import COLUMNS, as_csv
from autotag.result import Failure, Result
from autotag.system.files import replacing
from autotag.system.text import as_json


class Kind(Protocol):
    """How rows are written; a row ends with a line, and `START` is what a file of them begins with."""

    HEADER: bytes
    START: bytes

    def row(self, outcome: Result | Failure) -> bytes: ...

    def split(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Lines put together to rows; the last one may have broken off."""

    def read(self, row: bytes) -> tuple[str, Stamp]:
        """Path and stamp of a row; a ValueError, KeyError or TypeError if it is none."""


class Jsonl:
    """A JSON object a line."""

    HEADER = b""
    START = b'{"path": "'

    def row(self, outcome: Result | Failure) -> bytes:
        return as_json(outcome.as_dict()).encode() + b"\n"

    def split(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        return iter(lines)

    def read(self, row: bytes) -> tuple[str, Stamp]:
        found = json.loads(row)
        return str(found["path"]), Stamp(
            found.get("size"), found.get("modified"), found.get("model"), bool(found["ok"])
        )


class Csv:
    """A header and a row a file, with `COLUMNS`."""

    HEADER = START = (",".join(COLUMNS) + "\n").encode()

    def row(self, outcome: Result | Failure) -> bytes:
        return as_csv(outcome).encode("utf-8", "surrogateescape")

    def split(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        row = b""
        for line in lines:
            row += line
            if row.count(b'"') % 2 == 0:  # else the line ends within quotes
                yield row
                row = b""
        if row:
            yield row.removesuffix(b"\n")  # it broke off within quotes

    def read(self, row: bytes) -> tuple[str, Stamp]:
        (values,) = csv.reader([row.decode("utf-8", "surrogateescape")])
        found = dict(zip(COLUMNS, values, strict=True))
        size, modified = (int(found[name]) if found[name] else None for name in ("size", "modified"))
        return found["path"], Stamp(size, modified, found["model"] or None, found["ok"] == "True")


class Rows:
    """A file of rows that can be added to.

    After a crash or on a full disk all rows that were written are there, but for the last one if it broke
    off, which the next opening drops. A new row of a path takes the place of its old one when the file is
    closed or opened again; until then both are there.

    Raises:
        SinkError: the file cannot be opened, or holds something else.
    """

    def __init__(self, path: Path, kind: Kind) -> None:
        self._path, self._kind = path, kind
        self._stamps: dict[str, Stamp] = {}
        self._replaced: Counter[str] = Counter()
        try:
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise SinkError(f"{path}: cannot be opened: {error.strerror}: name another file") from error
        try:
            end = self._read()
            self._file.truncate(end)
            if not end:
                self._append(kind.HEADER)
        except BaseException:
            self._file.close()
            raise
        if self._replaced:
            self.close()
            self._replaced.clear()
            self._file = path.open("ab", buffering=0)

    def stamps(self) -> dict[str, Stamp]:
        return self._stamps

    def write(self, outcome: Result | Failure) -> None:
        self._append(self._kind.row(outcome))
        if outcome.path in self._stamps:
            self._replaced[outcome.path] += 1
        model = outcome.model if isinstance(outcome, Result) else None
        self._stamps[outcome.path] = Stamp(outcome.size, outcome.modified, model, outcome.ok)

    def close(self) -> None:
        if self._file.closed:
            return
        os.fsync(self._file.fileno())
        self._file.close()
        if self._replaced:
            self._drop_replaced()

    def _read(self) -> int:
        """Take note of the rows that are there; the bytes of those that are whole."""
        kind, path = self._kind, self._path
        self._file.seek(0)
        lines = io.BufferedReader(io.FileIO(self._file.fileno(), closefd=False))
        start = lines.peek(len(kind.START))[: len(kind.START)]
        if start != kind.START[: len(start)]:
            raise SinkError(f"{path}: does not begin as a file of autotag does: name another file")
        if len(start) < len(kind.START):  # it broke off at once
            return 0
        end = len(lines.read(len(kind.HEADER)))
        for row in kind.split(lines):
            if not row.endswith(b"\n"):
                break
            try:
                name, stamp = kind.read(row)
            except (ValueError, KeyError, TypeError, csv.Error) as error:
                raise SinkError(
                    f"{path}: what stands at byte {end} is no row of autotag's: mend it, or name another file"
                ) from error
            if name in self._stamps:
                self._replaced[name] += 1
            self._stamps[name] = stamp
            end += len(row)
        return end

    def _append(self, row: bytes) -> None:
        """Write all of it, or nothing on a full disk."""
        end = os.fstat(self._file.fileno()).st_size
        try:
            left = memoryview(row)
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError:
            self._file.truncate(end)
            raise

    def _drop_replaced(self) -> None:
        replaced = self._replaced.copy()
        with replacing(self._path) as part, self._path.open("rb") as old, part.open("wb") as new:
            new.write(old.read(len(self._kind.HEADER)))
            for row in self._kind.split(old):
                name, _ = self._kind.read(row)
                if not replaced[name]:
                    new.write(row)
                else:
                    replaced[name] -= 1
