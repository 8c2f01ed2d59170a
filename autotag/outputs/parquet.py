"""Results in a Parquet file, which cannot be added to: new ones wait in a journal beside it."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from autotag.errors import ExtraMissing, SinkError
from autotag.outputs.rows import Jsonl, Rows
from autotag.outputs.sink import Stamp
from autotag.outputs.stream import flat
from autotag.result import Failure, Result
from autotag.system.files import replacing
from autotag.system.text import as_unicode

try:
    import pyarrow
    from pyarrow import parquet
except ImportError as error:
    raise ExtraMissing("Parquet needs a package more: pip install 'autotag[parquet]'") from error

SCHEMA = pyarrow.schema(
    {
        "path": pyarrow.string(),
        "size": pyarrow.int64(),
        "modified": pyarrow.int64(),
        "ok": pyarrow.bool_(),
        "model": pyarrow.string(),
        "duration": pyarrow.float64(),
        "excerpt": pyarrow.float64(),
        "segments": pyarrow.int64(),
        "tags": pyarrow.list_(pyarrow.struct({"tag": pyarrow.string(), "score": pyarrow.float64()})),
        "decode_ms": pyarrow.float64(),
        "mel_ms": pyarrow.float64(),
        "model_ms": pyarrow.float64(),
        "warnings": pyarrow.list_(pyarrow.string()),
        "error_kind": pyarrow.string(),
        "error_message": pyarrow.string(),
    }
)
"""The columns of the CSV, but that a tag and its score are together."""

AT_ONCE = 10000
"""Rows that are held in memory."""


class Parquet:
    """A Parquet file and the journal of what is not in it yet, a JSONL of the same name.

    The journal goes into the file when it is closed; until then both together are what is kept.

    Raises:
        SinkError: the file is not one that this class wrote.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamps: dict[str, Stamp] = {}
        for table in _read(path, ("path", *Stamp._fields)):
            values = (table[column].to_pylist() for column in ("path", *Stamp._fields))
            self._stamps |= {_unescaped(name): Stamp(*stamp) for name, *stamp in zip(*values, strict=True)}
        self._journal_path = path.with_name(f"{path.name}.journal.jsonl")
        self._journal = Rows(self._journal_path, Jsonl())
        self._stamps |= self._journal.stamps()

    def stamps(self) -> Mapping[str, Stamp]:
        return self._stamps

    def write(self, outcome: Result | Failure) -> None:
        self._journal.write(outcome)

    def close(self) -> None:
        self._journal.close()
        if self._journal.stamps() or not self._path.exists():
            with replacing(self._path) as part, parquet.ParquetWriter(part, SCHEMA) as file:
                for table in self._tables():
                    file.write_table(table)
        self._journal_path.unlink(missing_ok=True)

    def _tables(self) -> Iterator[Any]:
        """What is kept: of the old file what the journal does not replace, then the journal."""
        replaced = self._journal.stamps()
        for table in _read(self._path, SCHEMA.names):
            keep = [_unescaped(path) not in replaced for path in table["path"].to_pylist()]
            yield table.filter(pyarrow.array(keep, pyarrow.bool_()))
        with self._journal_path.open(encoding="utf-8") as lines:
            while some := [json.loads(line) for line in islice(lines, AT_ONCE)]:
                yield _table(some)


def as_table(outcomes: Iterable[Result | Failure]) -> Any:
    """A `pyarrow.Table` of `SCHEMA`, a row an outcome."""
    return _table(outcome.as_dict() for outcome in outcomes)


def write_embeddings(path: Path, tables: Iterable[Any]) -> int:
    """Write the rows of `autotag.outputs.embeddings`, structured arrays of one kind; how many they are."""
    count = 0
    with ExitStack() as stack:
        for rows in tables:
            table = pyarrow.table({name: _column(rows[name]) for name in rows.dtype.names})
            if not count:
                file = stack.enter_context(parquet.ParquetWriter(path, table.schema))
            file.write_table(table)
            count += len(rows)
    return count


def _column(values: Any) -> Any:
    """A field of a structured array: texts [n], numbers [n], or vectors [n, d]."""
    if values.dtype.kind == "U":
        return pyarrow.array(map(as_unicode, values.tolist()))
    if values.ndim == 1:
        return pyarrow.array(values)
    return pyarrow.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1])


def _table(found: Iterable[dict[str, Any]]) -> Any:
    return pyarrow.Table.from_pylist([_escaped(flat(values)) for values in found], SCHEMA)


def _read(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    """Tables of some rows each; none if there is no file."""
    if not path.exists():
        return
    try:
        with parquet.ParquetFile(path) as file:
            if not file.schema_arrow.equals(SCHEMA):
                raise SinkError(f"{path}: has other columns than a file of autotag: name another file")
            for batch in file.iter_batches(AT_ONCE, columns=list(columns)):
                yield pyarrow.Table.from_batches([batch])
    except pyarrow.ArrowInvalid as error:
        raise SinkError(f"{path}: not a Parquet file, or damaged ({error}): name another file") from error


def _escaped(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: as_unicode(value) for name, value in row.items() if isinstance(value, str)}


def _unescaped(path: str) -> str:
    if sys.platform == "win32":  # where names are Unicode, and may hold a folder of the name udce9
        return path
    return re.sub(r"\\u(dc[89a-f][0-9a-f])", lambda found: chr(int(found[1], 16)), path)
