"""Results in a Parquet file, which cannot be added to: new ones wait in a journal beside it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from autotag.errors import ExtraMissing, SinkError
from autotag.outputs.rows import Jsonl, Rows, read_rows
from autotag.outputs.sink import Stamp
from autotag.result import FIELDS, Outcome, from_row, to_row
from autotag.system.files import replacing
from autotag.system.text import as_unicode

try:
    import pyarrow
    from pyarrow import parquet
except ImportError as error:
    raise ExtraMissing("Parquet needs the package pyarrow: pip install pyarrow") from error

TYPES: dict[type, Any] = {
    str: pyarrow.string(),
    int: pyarrow.int64(),
    float: pyarrow.float64(),
    bool: pyarrow.bool_(),
}

LISTS = {
    "tags": pyarrow.list_(pyarrow.struct({"tag": pyarrow.string(), "score": pyarrow.float64()})),
    "warnings": pyarrow.list_(pyarrow.string()),
}

SCHEMA = pyarrow.schema([(name, LISTS.get(name) or TYPES[kind]) for name, kind in FIELDS.items()])
"""The fields of a row."""

CHECKED = {"write_page_checksum": True}
"""A bit that flips on a disk is an error, and not another score."""

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
        self._stamps = {outcome.path or "": Stamp.of(outcome) for outcome in read_outcomes(path)}
        self._journal_path = journal_of(path)
        self._journal = Rows(self._journal_path, Jsonl())
        self._stamps |= self._journal.stamps()

    def stamps(self) -> Mapping[str, Stamp]:
        return self._stamps

    def write(self, outcome: Outcome) -> None:
        self._journal.write(outcome)
        self._stamps[outcome.path or ""] = Stamp.of(outcome)

    def close(self) -> None:
        self._journal.close()
        if self._journal.stamps() or not _holds_something(self._path):
            with replacing(self._path) as part, parquet.ParquetWriter(part, SCHEMA, **CHECKED) as file:
                kept = self._kept()
                while rows := list(islice(kept, AT_ONCE)):
                    file.write_table(pyarrow.Table.from_pylist(rows, SCHEMA))
        self._journal_path.unlink(missing_ok=True)

    def _kept(self) -> Iterator[dict[str, Any]]:
        """The rows of the old file that the journal does not replace, then those of the journal."""
        replaced = self._journal.stamps()
        for outcome in read_outcomes(self._path):
            if outcome.path not in replaced:
                yield to_row(outcome)
        with self._journal_path.open("rb") as lines:
            for outcome, _ in read_rows(self._journal_path, lines, Jsonl()):
                yield to_row(outcome)


def journal_of(path: Path) -> Path:
    """Where the rows wait that are not in a Parquet file yet."""
    return path.with_name(f"{path.name}.journal.jsonl")


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """The outcomes in a Parquet file, without those of its journal; none if there is no file or an empty one.

    Raises:
        SinkError: it is not one that `Parquet` wrote, or it is damaged.
    """
    if not _holds_something(path):
        return
    number = 0
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            if not file.schema_arrow.equals(SCHEMA):
                raise SinkError(f"{path}: has other columns than a file of autotag. Name another file.")
            for batch in file.iter_batches(AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield from_row(row)
    except SinkError:
        raise
    except (pyarrow.ArrowException, OSError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SinkError(f"{path}: not a Parquet file, or damaged ({why:.80}). Name another file.") from error
    except ValueError as error:
        raise SinkError(
            f"{path}: row {number} is not a result ({error!s:.80}). Name another file."
        ) from error


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def as_table(outcomes: Iterable[Outcome]) -> Any:
    """A `pyarrow.Table` of `SCHEMA`, a row an outcome."""
    return pyarrow.Table.from_pylist([to_row(outcome) for outcome in outcomes], SCHEMA)


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
