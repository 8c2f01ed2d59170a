"""Print results on a stream, each as soon as it is there."""

import csv
import io
import os
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Protocol, TextIO, get_args

from autotag.meaning import Kind, meaning_of
from autotag.request import LIKELY
from autotag.result import FIELDS, Failure, Outcome, path_bytes, to_row
from autotag.system.text import as_json, printable


class Plain(Protocol):
    """What there is to say of a file."""

    def to_dict(self) -> dict[str, Any]: ...


Results = Iterable[Outcome]

COLUMNS = tuple(name for field in FIELDS for name in ((field, "scores") if field == "tags" else (field,)))
"""Columns of the CSV: the fields of a row, and the scores of its tags; several are separated by "; "."""

BAR = 30
"""Characters of the bar of a score of 1."""

KIND = max(map(len, get_args(Kind)))
"""Characters of the widest kind of tag."""

EIGHTHS = " ▏▎▍▌▋▊▉"

WIDE = 200
"""Columns of a table with many figures, which no terminal should fold."""


def write_jsonl(results: Results, stream: TextIO) -> None:
    """One JSON object a line."""
    for result in results:
        stream.write(as_json(result.to_dict()) + "\n")
        stream.flush()


def write_json(results: Iterable[Plain], stream: TextIO) -> None:
    """One JSON array, an object a file; it is whole if the run is interrupted too."""
    separator = "["
    try:
        for result in results:
            text = f"{separator}\n{as_json(result.to_dict(), indent=2)}"
            separator = ","  # before it is written, for that is when an interrupt comes
            stream.write(text)
            stream.flush()
    finally:
        stream.write("[]\n" if separator == "[" else "\n]\n")


def write_csv(results: Results, stream: TextIO) -> None:
    """A header and a row a file, with `COLUMNS`; on a terminal, of a name what it can show."""
    stream.write(",".join(COLUMNS) + "\n")
    for result in results:
        line = as_csv(result)
        stream.write(printable(line[:-1]) + "\n" if stream.isatty() else line)
        stream.flush()


def write_lines(results: Results, stream: TextIO) -> None:
    """For people with many files: a line a file, its name and tags. Failures are left to stderr."""
    for result in results:
        if not isinstance(result, Failure):
            tags = ", ".join(f"{tag} {score:.2f}" for tag, score in result.tags) or "no tag"
            stream.write(f"{printable(result.path or '')}: {tags}\n")
            stream.flush()


def write_table(results: Results, stream: TextIO) -> None:
    """For people: a heading a file, and its tags by what they are about. Failures are left to stderr.

    From `LIKELY` on a tag with a calibrated score is said to be likely; on a terminal, lower ones are faint.
    """
    coloured = stream.isatty() and not os.environ.get("NO_COLOR")

    def styled(text: str, style: int) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if coloured else text

    for result in results:
        if isinstance(result, Failure):
            continue
        facts = f"  {result.duration:.1f} s  {result.model}  {sum(result.ms.values()):.0f} ms"
        stream.write(styled(printable(result.path or ""), 1) + styled(facts, 2) + "\n")
        width = max((len(printable(tag)) for tag, _ in result.tags), default=0)
        for kind in get_args(Kind):
            about = kind
            for tag, score in result.tags:
                if meaning_of(tag).kind != kind:
                    continue
                named = f"{printable(tag):{width}} {score:.2f}"
                if score >= LIKELY:
                    word = "" if tag in result.uncalibrated else " likely"
                    line = f"{named} {styled(_bar(score), 36)}{word}"
                else:
                    line = styled(f"{named} {_bar(score)}", 2)
                stream.write(f" {about:{KIND}} {line}\n")
                about = ""
        if not result.tags:
            stream.write(styled(" no tag", 2) + "\n")
        stream.flush()


def _bar(score: float) -> str:
    whole, eighths = divmod(round(score * BAR * 8), 8)
    return "█" * whole + (EIGHTHS[eighths] if eighths else "")


class Format(StrEnum):
    TABLE = "table"
    LINE = "line"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


WRITERS: dict[Format, Callable[[Results, TextIO], None]] = {
    Format.TABLE: write_table,
    Format.LINE: write_lines,
    Format.JSON: write_json,
    Format.JSONL: write_jsonl,
    Format.CSV: write_csv,
}


def as_csv(outcome: Outcome) -> str:
    """The line of an outcome in a CSV."""
    line = io.StringIO()
    csv.DictWriter(line, COLUMNS).writerow(_cells(outcome))  # which quotes the breaks that end its lines
    return line.getvalue().removesuffix("\r\n") + "\n"


def from_csv(cells: list[str]) -> dict[str, Any]:
    """The row, as `autotag.result.from_row` takes it, of the cells of a line.

    Raises:
        ValueError: they are not as many as `COLUMNS`, or a cell is no number where it should be one.
    """
    if len(cells) != len(COLUMNS):
        raise ValueError(f"it has {len(cells)} cells, where there are {len(COLUMNS)} columns")
    found = dict(zip(COLUMNS, cells, strict=True))
    row: dict[str, Any] = {}
    for name, kind in FIELDS.items():
        text = found[name]
        if kind is list:
            row[name] = text.split("; ") if text else []
        elif text:
            row[name] = {"True": True, "False": False}[text] if kind is bool else kind(text)
    scores = found["scores"].split("; ") if found["scores"] else []
    pairs = zip(row["tags"], scores, strict=True)
    row["tags"] = [{"tag": tag, "score": float(score)} for tag, score in pairs]
    return row


def _cells(outcome: Outcome) -> dict[str, Any]:
    """The outcome as the cells of a CSV."""
    row = to_row(outcome)
    if row["ok"]:
        row["scores"] = "; ".join(str(tag["score"]) for tag in row["tags"])
        row["tags"] = "; ".join(tag["tag"] for tag in row["tags"])
        row["warnings"] = "; ".join(row["warnings"])
    if (outcome.path or "").startswith(("=", "+", "-", "@")):  # which a spreadsheet would compute
        row |= {name: f"./{row[name]}" for name in ("path", "error_message") if name in row}
        row["path_bytes"] = path_bytes(outcome.path or "")
    return row
