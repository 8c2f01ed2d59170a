"""The tags that an earlier run printed, for `autotag write --from`; anybody can have written them."""

import base64
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from autotag.errors import RowsError
from autotag.result import Failure, Tag
from autotag.system.text import printable

MOST_TAGS = 1000
"""Tags in a row; no model has as many outputs."""

LONGEST = 200
"""Characters of the name of a tag, a model or an error."""


class Row(NamedTuple):
    """What is needed of the `Result` of an earlier run.

    Attributes:
        path: the file as it was named.
        model: name of the model.
        tags: with scores in 0..1.
        modified: when the file was modified, in nanoseconds since 1970, if the row says so.
        size: bytes of the file, if the row says so.
    """

    path: str
    model: str
    tags: tuple[Tag, ...] = ()
    modified: int | None = None
    warnings: tuple[str, ...] = ()
    size: int | None = None


def rows(path: Path) -> list[Row | Failure]:
    """What `autotag --format jsonl` printed, the last line of each file.

    Raises:
        RowsError: the file cannot be read, or a line is none of these; the message has its number.
    """
    found: dict[str, Row | Failure] = {}
    try:
        lines = path.read_text("utf-8-sig").split("\n")  # splitlines knows others, which a name may hold
    except (OSError, UnicodeDecodeError) as error:
        raise RowsError(f"{path}: cannot be read: {getattr(error, 'strerror', error)}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = _row(line)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            reason = str(error) if isinstance(error, _Wrong) else printable(f"it begins with {line[:40]!r}")
            raise RowsError(
                f"{path}: line {number} is not a result of autotag --format jsonl: {reason}. "
                "Repair or delete the line, or name another file."
            ) from error
        found[row.path] = row
    return list(found.values())


class _Wrong(ValueError):
    """A value that no run of autotag prints; the message says which."""


def _row(line: str) -> Row | Failure:
    row = json.loads(line)
    path, ok = _path(row), row["ok"]
    modified, size = (_whole(row.get(name), name) for name in ("modified", "size"))
    if ok is False:
        error = row["error"]
        return Failure(path, _name(error["kind"], "kind"), _text(error["message"], "message", 1 << 16))
    if ok is not True:
        raise _Wrong(f"its ok is {_shown(ok)}, not true or false")
    tags = row["tags"]
    if not isinstance(tags, list) or len(tags) > MOST_TAGS:
        raise _Wrong(f"its tags are no list of at most {MOST_TAGS}")
    found = tuple(Tag(_name(tag["tag"], "tag"), _score(tag["score"])) for tag in tags)
    return Row(path, _name(row["model"], "model"), found, modified, size=size)


def _path(row: dict[str, Any]) -> str:
    """The name of the file: its very bytes where it is not UTF-8 and the row has them."""
    if "path_bytes" in row:
        path = os.fsdecode(base64.b64decode(row["path_bytes"], validate=True))
    else:
        path = _text(row["path"], "path", 1 << 16)
    try:
        possible = bool(path) and b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise _Wrong(f"its path {_shown(path)} is none that a file can have")
    return path


def _text(found: Any, name: str, longest: int) -> str:
    if not isinstance(found, str) or len(found) > longest:
        raise _Wrong(f"its {name} {_shown(found)} is no text of at most {longest} characters")
    return found


def _name(found: Any, name: str) -> str:
    text = _text(found, name, LONGEST)
    if not text.strip() or not text.isprintable():
        raise _Wrong(f"its {name} {_shown(found)} is blank or holds characters that cannot be printed")
    return text


def _score(found: Any) -> float:
    if type(found) not in (int, float) or not 0 <= found <= 1:
        raise _Wrong(f"its score {_shown(found)} is no number from 0 to 1")
    return float(found)


def _whole(found: Any, name: str) -> int | None:
    """A size or time; times before 1970 are negative, and those that no file system has are unknown."""
    if found is not None and type(found) is not int:
        raise _Wrong(f"its {name} {_shown(found)} is no whole number")
    return found


def _shown(value: Any) -> str:
    """A value as a message shows it."""
    return printable(ascii(value)[:40])
