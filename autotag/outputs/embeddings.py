"""The embeddings of many files in one, with their names: `.npy`, or `.parquet`."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from autotag.result import Result
from autotag.system.files import replacing

AT_ONCE = 1000
"""Rows that are held in memory, 8 MB of VGG-CNN's."""


def write_embeddings(path: Path, results: Iterable[Result], longest: int) -> int:
    """Write a row a result, or a row a segment where results have `times`; in constant memory.

    A row has `path`, `model`, with segments also `start` (s), and `embedding`, float32 [d]. In `.npy` it is
    an element of a structured array. Without results no file is written, and one that is there stays.

    Args:
        path: ends in `.npy` or `.parquet`.
        longest: characters of the longest path of a result.

    Returns:
        How many rows were written.

    Raises:
        ExtraMissing: the package is not installed that Parquet takes.
    """
    write = _write_npy
    if path.suffix == ".parquet":
        from autotag.outputs.parquet import write_embeddings as write
    results = iter(results)
    first = next(results, None)
    if first is None:
        return 0
    assert first.embedding is not None
    fields: list[tuple[Any, ...]] = [("path", f"U{longest}"), ("model", f"U{len(first.model)}")]
    fields += [("start", "f8")] if first.times is not None else []
    fields += [("embedding", "f4", first.embedding.shape[-1:])]
    tables = _tables(chain([first], results), np.dtype(fields))
    with replacing(path) as part:
        return write(part, tables)


def _tables(results: Iterable[Result], dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """The rows, `AT_ONCE` or a few more at a time."""
    held: list[NDArray[Any]] = []
    for result in results:
        rows = np.empty(1 if result.times is None else len(result.times), dtype)
        rows["path"], rows["model"], rows["embedding"] = result.path, result.model, result.embedding
        if result.times is not None:
            rows["start"] = result.times
        held.append(rows)
        if sum(map(len, held)) >= AT_ONCE:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


def _write_npy(path: Path, tables: Iterable[NDArray[Any]]) -> int:
    count = 0
    with path.open("wb") as file:
        for rows in tables:
            if not count:
                _write_header(file, rows.dtype, 0)
            count += len(rows)
            file.write(rows.tobytes())
        file.seek(0)
        _write_header(file, rows.dtype, count)  # of the same length: NumPy leaves room for the number
    return count


def _write_header(file: Any, dtype: np.dtype[Any], count: int) -> None:
    description = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
    npy.write_array_header_1_0(file, description)
