"""The outcome of one file as a value, good or bad, and its one schema for every kind of file.

As JSON an outcome is an object (`to_dict`, `from_dict`). CSV, Parquet and SQLite hold the same as a flat row
(`to_row`, `from_row`), whose columns are `FIELDS`.
"""

import base64
import binascii
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeGuard

from autotag.system.text import as_unicode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Tag(NamedTuple):
    tag: str
    score: float


FIELDS: dict[str, type] = {
    "path": str,
    "path_bytes": str,
    "size": int,
    "modified": int,
    "ok": bool,
    "model": str,
    "sha256": str,
    "duration": float,
    "excerpt": float,
    "segments": int,
    "tags": list,
    "decode_ms": float,
    "mel_ms": float,
    "model_ms": float,
    "warnings": list,
    "error_kind": str,
    "error_message": str,
}
"""The columns of a flat row and what they hold; `tags` are objects of tag and score, `warnings` texts."""

LONGEST = 200
"""Characters of the name of a tag, a model or an error."""

STEPS = ("decode", "mel", "model")
"""What milliseconds are of."""


@dataclass(frozen=True, slots=True)
class Result:
    """Tags of a sound.

    Attributes:
        path: the file as it was named; None for a sound without a name.
        model: name of the model.
        sha256: of the model's file: a name alone does not tell its weights.
        duration: seconds of audio in the file.
        segments: how many segments the scores are the mean of.
        tags: the chosen tags, highest score first.
        ms: milliseconds spent on `"decode"`, `"mel"` and `"model"`.
        warnings: what a reader of the tags should know, such as that the file breaks off.
        excerpt: seconds that the tags are of, from the middle; None for the whole file.
        size, modified: of the file, in bytes and in nanoseconds since 1970, where it was one of a batch.
        scores: mean score of every output of the model, float32 [outputs]; None in a row that was read.
        embedding: float32 [d], the mean over the segments, where it was asked for; or [segments, d], and then
        times: float64 [segments], seconds at which each segment starts.
        uncalibrated: tags whose scores do not say how likely they are; empty in a row that was read.
    """

    path: str | None
    model: str
    sha256: str
    duration: float
    segments: int
    tags: tuple[Tag, ...]
    ms: dict[str, float]
    warnings: tuple[str, ...] = ()
    excerpt: float | None = None
    size: int | None = None
    modified: int | None = None
    scores: "NDArray[np.float32] | None" = field(default=None, compare=False, repr=False)
    embedding: "NDArray[np.float32] | None" = field(default=None, compare=False, repr=False)
    times: "NDArray[np.float64] | None" = field(default=None, compare=False, repr=False)
    uncalibrated: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    ok: ClassVar[bool] = True

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values for JSON, without scores and embedding."""
        return {
            **_file(self),
            "ok": True,
            "model": self.model,
            "sha256": self.sha256,
            "duration": round(self.duration, 3),
            **({} if self.excerpt is None else {"excerpt": round(self.excerpt, 3)}),
            "segments": self.segments,
            "tags": [{"tag": tag, "score": round(score, 4)} for tag, score in self.tags],
            "ms": {step: round(ms, 2) for step, ms in self.ms.items()},
            "warnings": [as_unicode(warning) for warning in self.warnings],
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a sound has no tags.

    Attributes:
        path: as of `Result`.
        error: the name of the error, such as `"NotAudio"`.
        message: what it says.
        size, modified: as of `Result`.
    """

    path: str | None
    error: str
    message: str
    size: int | None = None
    modified: int | None = None
    ok: ClassVar[bool] = False

    def to_dict(self) -> dict[str, Any]:
        """The failure as plain values for JSON."""
        return {
            **_file(self),
            "ok": False,
            "error": {"kind": self.error, "message": as_unicode(self.message)},
        }


Outcome = Result | Failure


def from_dict(found: Any) -> Outcome:
    """The outcome of an object as `to_dict` makes it.

    Raises:
        ValueError: it is no such object; the message names the field and its value.
    """
    if not isinstance(found, Mapping):
        raise ValueError(f"it is {found!r:.40}, not an object")
    row = {name: found[name] for name in FIELDS if name in found}
    for part, prefix, suffix in (("ms", "", "_ms"), ("error", "error_", "")):
        inner = found.get(part, {})
        if not isinstance(inner, Mapping):
            raise ValueError(f"its {part!r} is {inner!r:.40}")
        row |= {f"{prefix}{name}{suffix}": value for name, value in inner.items()}
    return from_row(row)


def to_row(outcome: Outcome) -> dict[str, Any]:
    """The outcome as values of `FIELDS`, those that it lacks left out."""
    found = outcome.to_dict()
    row = {name: found[name] for name in FIELDS if name in found}
    row |= {f"{step}_ms": ms for step, ms in found.get("ms", {}).items()}
    return row | {f"error_{name}": text for name, text in found.get("error", {}).items()}


def from_row(row: Mapping[str, Any]) -> Outcome:
    """The outcome of a row as `to_row` makes it; what is missing or None is as if it were not there.

    Raises:
        ValueError: a value is missing, or not what its column holds.
    """
    values: dict[str, Any] = {}
    for name, kind in FIELDS.items():
        value = row.get(name)
        if value is not None:
            values[name] = _checked(name, kind, value)
    path = _path(values)
    size, modified = values.get("size"), values.get("modified")
    if not _needed(values, "ok"):
        return Failure(path, _needed(values, "error_kind"), _needed(values, "error_message"), size, modified)
    return Result(
        path,
        _needed(values, "model"),
        values.get("sha256", ""),
        values.get("duration", 0.0),
        values.get("segments", 0),
        tuple(_tag(item) for item in _needed(values, "tags")),
        {step: values[f"{step}_ms"] for step in STEPS if f"{step}_ms" in values},
        tuple(str(warning) for warning in values.get("warnings", ())),
        values.get("excerpt"),
        size,
        modified,
    )


def _file(outcome: Outcome) -> dict[str, Any]:
    """Path, size and time of the file, as far as they are known."""
    known = {"size": outcome.size, "modified": outcome.modified}
    found: dict[str, Any] = {"path": None if outcome.path is None else as_unicode(outcome.path)}
    if outcome.path is not None and found["path"] != outcome.path:
        found["path_bytes"] = path_bytes(outcome.path)
    return found | {name: value for name, value in known.items() if value is not None}


def path_bytes(path: str) -> str:
    """The bytes of a path in base64, by which it is known where its text in a file is another one."""
    return base64.b64encode(os.fsencode(path)).decode()


def _path(values: Mapping[str, Any]) -> str | None:
    """The path of a row: by its bytes where it is not UTF-8."""
    if "path_bytes" in values:
        try:
            path = os.fsdecode(base64.b64decode(values["path_bytes"], validate=True))
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"its 'path_bytes' is {values['path_bytes']!r:.40}") from error
        shown = values.get("path")
        if shown is not None and str(shown).removeprefix("./") != as_unicode(path).removeprefix("./"):
            raise ValueError(f"its 'path' is {shown!a:.40}, and its 'path_bytes' are of {path!a:.40}")
    elif "path" in values:
        path = values["path"]
    else:
        return None
    try:
        possible = path and b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise ValueError(f"its 'path' is {path!a:.40}, which no file can have")
    return str(path)


def _checked(name: str, kind: type, value: Any) -> Any:
    allowed = (int, float) if kind is float else kind
    good = isinstance(value, allowed) and isinstance(value, bool) == (kind is bool)
    if good and kind is float:
        good = math.isfinite(value) and value >= 0
    if good and kind is int:
        good = -(1 << 63) <= value < 1 << 63 and (name == "modified" or value >= 0)
    if name in ("model", "error_kind"):
        good = _is_name(value)
    if not good:
        raise ValueError(f"its {name!r} is {value!r:.40}")
    return value


def _tag(item: Any) -> Tag:
    if isinstance(item, Mapping):
        tag, score = item.get("tag"), item.get("score")
        if (
            _is_name(tag)
            and isinstance(score, float | int)
            and not isinstance(score, bool)
            and 0 <= score <= 1
        ):
            return Tag(tag, float(score))
    raise ValueError(f"one of its 'tags' is {item!r:.60}")


def _is_name(text: Any) -> TypeGuard[str]:
    """Whether a value can be the name of a tag, a model or an error: short, and on one line."""
    return isinstance(text, str) and bool(text.strip()) and text.isprintable() and len(text) <= LONGEST


def _needed(values: Mapping[str, Any], name: str) -> Any:
    if name not in values:
        raise ValueError(f"it has no {name!r}")
    return values[name]
