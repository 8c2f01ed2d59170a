"""Values as the table of tracks holds them, and outcomes made of them."""

import json
import os
import sys
from array import array
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autotag.result import Failure, Outcome, Result, Tag, from_row, to_row
from autotag.system.files import LATEST

TOO_LONG = 1e12
"""Seconds that no file lasts."""


def as_path(kept: Any) -> str:
    """A path as the table has it, as Python has it.

    Raises:
        ValueError: it is none.
    """
    path = os.fsdecode(kept) if isinstance(kept, bytes) else kept
    if not isinstance(path, str) or not path or "\0" in path:
        raise ValueError(f"{kept!r:.60} is no path")
    return path


def as_seconds(kept: Any) -> float:
    """A duration as the table has it, in seconds.

    Raises:
        ValueError: it is none.
    """
    seconds = float(kept or 0)
    if not 0 <= seconds < TOO_LONG:
        raise ValueError(f"{seconds} is no duration")
    return seconds


def stored(path: str) -> str | bytes:
    """A path as Python has it, as the table has it."""
    try:
        path.encode()
    except UnicodeEncodeError:  # a name that is not UTF-8, which SQLite refuses as text
        return os.fsencode(path)
    return path


def values_of(outcome: Outcome) -> dict[str, Any]:
    """An outcome as values of the table of tracks."""
    row = to_row(outcome)
    for name in ("size", "modified"):
        if row.get(name) is not None:
            row[name] = max(-LATEST, min(row[name], LATEST))  # what SQLite holds
    row["path"] = stored(outcome.path or "")
    if isinstance(outcome, Result):
        row["warnings"] = json.dumps(row["warnings"], ensure_ascii=False)
        if outcome.scores is not None:
            row["outputs"] = as_bytes(outcome.scores)
    return row


def outcome_of(row: Mapping[str, Any], tags: tuple[Tag, ...]) -> Outcome:
    """The outcome of values of the table of tracks, with its tags.

    Raises:
        ValueError: a value is not what its column holds.
    """
    path = as_path(row["path"])
    if not row["ok"]:
        kind, message = row["error_kind"], row["error_message"]
        if not isinstance(kind, str) or not isinstance(message, str):
            raise ValueError(f"{path!a:.60} failed without a reason")
        return Failure(path, kind, message, row["size"], row["modified"])
    values = {name: value for name, value in row.items() if name not in ("path", "outputs", "sound")}
    values |= {"ok": True, "tags": [], "warnings": json.loads(row["warnings"] or "[]")}
    found = from_row(values)
    assert isinstance(found, Result)
    return replace(found, path=path, tags=tags)


def as_bytes(scores: Any) -> bytes:
    """Scores as float32, little-endian."""
    floats = array("f", [float(score) for score in scores])
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tobytes()


def as_floats(kept: Any) -> list[float]:
    """The scores of such bytes.

    Raises:
        ValueError: they are none.
    """
    if not isinstance(kept, bytes):
        raise ValueError(f"{kept!r:.60} holds no scores")
    floats = array("f", kept)
    if sys.byteorder == "big":
        floats.byteswap()
    if not all(0 <= score <= 1 for score in floats):
        raise ValueError("scores are outside 0 to 1")
    return floats.tolist()
