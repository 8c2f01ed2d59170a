"""Rows of results in a text file, appended one by one so that what was written stays, whatever happens."""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from autotag.errors import SinkError
from autotag.outputs.sink import Stamp
from autotag.outputs.stream import COLUMNS, as_csv, from_csv
from autotag.result import Outcome, from_dict, from_row
from autotag.system.files import replacing
from autotag.system.text import as_json

DAMAGE = (ValueError, KeyError, TypeError, RecursionError, csv.Error)
"""What reading a row raises that is none."""


class Layout(Protocol):
    """How rows are written; a row ends with a line, and `START` is what a file of them begins with."""

    HEADER: bytes
    START: bytes

    def row(self, outcome: Outcome) -> bytes: ...

    def split(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Lines put together to rows; the last one may have broken off, and then does not end a line."""

    def read(self, row: bytes) -> Outcome:
        """The outcome of a row; one of `DAMAGE` if it is none."""


class Jsonl:
    """A JSON object a line."""

    HEADER = b""
    START = b'{"path": '

    def row(self, outcome: Outcome) -> bytes:
        return as_json(outcome.to_dict()).encode() + b"\n"

    def split(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        return iter(lines)

    def read(self, row: bytes) -> Outcome:
        return from_dict(json.loads(row.decode()))


class Csv:
    """A header and a row a file, with `COLUMNS`."""

    HEADER = START = (",".join(COLUMNS) + "\n").encode()

    def row(self, outcome: Outcome) -> bytes:
        return as_csv(outcome).encode()

    def split(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        held: list[bytes] = []
        quoted = False
        for line in lines:
            odd = line.count(b'"') % 2 == 1
            if quoted and not odd and self._is_row(line):
                yield b"".join(held)  # a quote too many: what is open would swallow the rest of the file
                held, quoted = [], False
            held.append(line)
            quoted ^= odd
            if not quoted:
                yield b"".join(held)
                held = []
        if held:
            yield b"".join(held).removesuffix(b"\n")  # it broke off within quotes

    def read(self, row: bytes) -> Outcome:
        if row.count(b'"') % 2:
            raise ValueError("a quote too many, or too few")
        (cells,) = csv.reader([row.decode()], strict=True)
        return from_row(from_csv(cells))

    def _is_row(self, line: bytes) -> bool:
        try:
            self.read(line)
        except DAMAGE:
            return False
        return True


class Rows:
    """A file of rows that can be added to.

    After a crash or on a full disk all rows that were written are there, but for the last one if it broke
    off, which the next opening drops. A new row of a path takes the place of its old one when the file is
    closed or opened again; until then both are there.

    Raises:
        SinkError: the file cannot be opened, or holds something else.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path, self._layout = path, layout
        self._stamps: dict[str, Stamp] = {}
        self._replaced: Counter[str] = Counter()
        try:
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise SinkError(f"{path}: cannot be opened: {error.strerror}. Name another file.") from error
        try:
            end = self._read()
            self._file.truncate(end)
            if not end:
                self._append(layout.HEADER)
            elif not self._ends_a_line():
                self._append(b"\n")
        except BaseException:
            self._file.close()
            raise
        if self._replaced:
            self.close()
            self._replaced.clear()
            self._file = path.open("ab", buffering=0)

    def stamps(self) -> dict[str, Stamp]:
        return self._stamps

    def write(self, outcome: Outcome) -> None:
        self._append(self._layout.row(outcome))
        self._take_note(outcome)

    def close(self) -> None:
        if self._file.closed:
            return
        os.fsync(self._file.fileno())
        self._file.close()
        if self._replaced:
            self._drop_replaced()

    def _take_note(self, outcome: Outcome) -> None:
        path = outcome.path or ""
        if path in self._stamps:
            self._replaced[path] += 1
        self._stamps[path] = Stamp.of(outcome)

    def _read(self) -> int:
        """Take note of the rows that are there; the bytes of those that are whole."""
        self._file.seek(0)
        lines = io.BufferedReader(io.FileIO(self._file.fileno(), closefd=False))
        end = len(self._layout.HEADER)
        for outcome, size in read_rows(self._path, lines, self._layout):
            self._take_note(outcome)
            end += size
        self._file.seek(0)
        return 0 if len(self._file.read(len(self._layout.START))) < len(self._layout.START) else end

    def _ends_a_line(self) -> bool:
        self._file.seek(-1, os.SEEK_END)
        return self._file.read(1) == b"\n"

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
            new.write(old.read(len(self._layout.HEADER)))
            for row in self._layout.split(old):
                path = self._layout.read(row).path or ""
                if not replaced[path]:
                    new.write(row)
                else:
                    replaced[path] -= 1


def read_rows(path: Path, lines: "io.BufferedReader[Any]", layout: Layout) -> Iterator[tuple[Outcome, int]]:
    """The outcomes in a file, each with the bytes of its row; a last one that has broken off is left out.

    One that lacks only the end of its line, as some editors leave it, is whole.

    Raises:
        SinkError: the file does not begin as one of autotag, or a row of it is damaged; it stays as it is.
    """
    start = lines.peek(len(layout.START))[: len(layout.START)]
    if start != layout.START[: len(start)]:
        raise SinkError(
            f"{path}: begins with {start[:20]!r}, and not as a file of autotag: another program made it or "
            "saved it again. Name another file."
        )
    if len(start) < len(layout.START):  # it broke off at once
        return
    byte = len(lines.read(len(layout.HEADER)))
    line = 1 + layout.HEADER.count(b"\n")
    for row in layout.split(lines):
        whole = row.endswith(b"\n")
        try:
            outcome = layout.read(row)
        except DAMAGE as error:
            if not whole:
                return
            raise SinkError(
                f"{path}: line {line} (byte {byte}) is not a result ({error!s:.80}). Repair or delete the "
                "line, or name another file."
            ) from error
        if not (whole or outcome.ok):  # the end of its message may be missing
            return
        yield outcome, len(row)
        byte += len(row)
        line += row.count(b"\n")
