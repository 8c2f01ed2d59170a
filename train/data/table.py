"""Tables of clips: a row a clip, by the names of columns, and an error for whatever is no such table."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.errors import DataError

Row = dict[str, str]
"""The values of a line, by column."""


def rows_of(path: Path, columns: Sequence[str], delimiter: str = "\t") -> list[Row]:
    """The rows of a table in UTF-8 that has these columns; the first one is line 2.

    Raises:
        DataError: it is no such table.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file: it holds the labels that were asked for")
    data = path.read_bytes()
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter)
        rows = list(reader)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: line {line} is not a table in UTF-8: byte 0x{data[error.start]:02x}. Save it as UTF-8."
        ) from error
    except csv.Error as error:
        raise DataError(f"{path}: not a table in UTF-8: {error}") from error
    if not rows:
        raise DataError(f"{path}: no rows")
    missing = [column for column in columns if column not in rows[0]]
    if missing:
        tab = " (tab separated?)" if delimiter == "\t" else ""
        raise DataError(f"{path}: {len(missing)} columns are missing, for example {missing[0]!r}{tab}")
    names = Counter(reader.fieldnames)
    if len(names) < len(reader.fieldnames or ()):
        raise DataError(f"{path}: two columns are named {names.most_common(1)[0][0]!r}")
    for line, row in enumerate(rows, 2):
        if None in row:
            raise DataError(f"{path}: line {line} has more values than there are columns")
        short = [column for column in row if row[column] is None]
        if short:
            raise DataError(f"{path}: line {line} has no value for {short[0]!r}")
    return rows


def clips_of(path: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a table, tab separated, which has these columns and one row for each `clip_id`.

    Raises:
        DataError: it is no such table.
    """
    rows = rows_of(path, columns)
    clip, count = Counter(row["clip_id"] for row in rows).most_common(1)[0]
    if count > 1:
        raise DataError(f"{path}: clip {clip} has {count} rows")
    return rows


def matrix_of(path: Path, rows: list[Row], tags: Sequence[str]) -> NDArray[np.float32]:
    """The values in 0..1 of the columns `tags` of some rows of a table: [rows, tags].

    Raises:
        DataError: one of them is not in 0..1.
    """
    matrix = np.empty((len(rows), len(tags)), np.float32)
    for i, row in enumerate(rows):
        for j, tag in enumerate(tags):
            try:
                matrix[i, j] = float(row[tag])
            except ValueError as error:
                clip = row["clip_id"]
                raise DataError(f"{path}: clip {clip}, tag {tag!r}: {row[tag]!r} is not a number") from error
    if not ((matrix >= 0) & (matrix <= 1)).all():
        i, j = np.argwhere(~((matrix >= 0) & (matrix <= 1)))[0]
        raise DataError(f"{path}: clip {rows[i]['clip_id']}, tag {tags[j]!r}: {matrix[i, j]} is not in 0..1")
    return matrix
