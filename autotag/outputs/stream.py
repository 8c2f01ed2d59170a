"""Print results on a stream, each as soon as it is there."""

import csv
import io
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TextIO

from autotag.result import Failure, Result
from autotag.system.text import as_json, printable

Results = Iterable[Result | Failure]

COLUMNS = (
    *("path", "size", "modified", "ok", "model", "duration", "excerpt", "segments", "tags", "scores"),
    *("decode_ms", "mel_ms", "model_ms", "warnings", "error_kind", "error_message"),
)
"""Columns of the CSV; tags, scores and warnings are separated by "; "."""


WIDE = 200
"""Columns of a table with many figures, which no terminal should fold."""


def write_jsonl(results: Results, stream: TextIO) -> None:
    """One JSON object a line."""
    for result in results:
        stream.write(as_json(result.as_dict()) + "\n")
        stream.flush()


def write_json(results: Results, stream: TextIO) -> None:
    """One JSON array, an object a file."""
    separator = "["
    for result in results:
        stream.write(f"{separator}\n{as_json(result.as_dict(), indent=2)}")
        stream.flush()
        separator = ","
    stream.write("[]\n" if separator == "[" else "\n]\n")


def write_csv(results: Results, stream: TextIO) -> None:
    """A header and a row a file, with `COLUMNS`."""
    stream.write(",".join(COLUMNS) + "\n")
    for result in results:
        stream.write(as_csv(result))
        stream.flush()


def write_table(results: Results, stream: TextIO) -> None:
    """For people: a heading and a bar chart a file. Failures are left to stderr."""
    from rich.bar import Bar
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    for result in results:
        if isinstance(result, Failure):
            continue
        facts = f"  {result.duration:.1f} s  {result.model}  {sum(result.ms.values()):.0f} ms"
        console.print(Text(printable(result.path), "bold").append(facts, "not bold dim"), soft_wrap=True)
        table = Table.grid(padding=(0, 1))
        for tag, score in result.tags:
            table.add_row("", Text(tag), f"{score:.2f}", Bar(1, 0, score, width=30, color="cyan"))
        console.print(table if result.tags else Text(" no tag", "dim"))


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


WRITERS: dict[Format, Callable[[Results, TextIO], None]] = {
    Format.TABLE: write_table,
    Format.JSON: write_json,
    Format.JSONL: write_jsonl,
    Format.CSV: write_csv,
}


def as_csv(result: Result | Failure) -> str:
    """The line of an outcome in a CSV."""
    line = io.StringIO()
    csv.DictWriter(line, COLUMNS).writerow(as_row(result))  # which quotes the breaks that end its lines
    return line.getvalue().removesuffix("\r\n") + "\n"


def as_row(result: Result | Failure) -> dict[str, Any]:
    """The row of an outcome in a CSV, as far as it has the columns."""
    found = flat(result.as_dict())
    if found["ok"]:
        found["scores"] = "; ".join(str(tag["score"]) for tag in found["tags"])
        found["tags"] = "; ".join(tag["tag"] for tag in found["tags"])
        found["warnings"] = "; ".join(found["warnings"])
    return found


def flat(found: dict[str, Any]) -> dict[str, Any]:
    """An outcome's JSON object without objects in it, its fields named as in `COLUMNS`."""
    row = {column: found[column] for column in COLUMNS if column in found}
    row |= {f"{step}_ms": ms for step, ms in found.get("ms", {}).items()}
    row |= {f"error_{field}": text for field, text in found.get("error", {}).items()}
    return row
