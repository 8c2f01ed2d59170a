"""Files that results are kept in: rows that a later run goes on with, kept from other processes."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, Self

from autotag.config import Excerpt
from autotag.errors import SinkError
from autotag.models.registry import ModelFile
from autotag.request import TagRequest
from autotag.result import Outcome, Result
from autotag.system.lock import locked

ENDINGS = (".jsonl", ".csv", ".parquet", ".sqlite")


BOTH = "both"
"""Noted in place of each option while all tags are made again, and some are by either choice."""


class Stamp(NamedTuple):
    """What is kept of a file: its bytes and time (ns), the model if it was tagged, and whether it was."""

    size: int | None
    modified: int | None
    model: str | None
    sha256: str | None
    ok: bool

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        model, sha256 = (outcome.model, outcome.sha256) if isinstance(outcome, Result) else (None, None)
        return cls(outcome.size, outcome.modified, model, sha256, outcome.ok)


class Sink(Protocol):
    """Keeps outcomes, one a path: a new one takes the place of the old one."""

    def stamps(self) -> Mapping[str, Stamp]:
        """What is kept, by path."""

    def write(self, outcome: Outcome) -> None:
        """Keep an outcome; a crash may lose what came in within the last second."""

    def close(self) -> None: ...


@contextmanager
def alone(path: Path) -> Iterator[BinaryIO]:
    """Keep other processes from the file, by a hidden one beside it that also holds notes."""
    with ExitStack() as stack:
        lock = path
        try:
            file = path.resolve()
            lock = file.with_name(f".{file.name}.lock")
            notes = stack.enter_context(locked(lock))
        except BlockingIOError as error:
            raise SinkError(
                f"{path}: another process is writing it. Wait for it, or name another file."
            ) from error
        except OSError as error:
            why = error.strerror or error
            if os.path.lexists(lock):
                raise SinkError(f"{lock}: cannot be written: {why}. Remove it.") from error
            raise SinkError(f"{path}: cannot be written: {why}. Name another file.") from error
        yield notes


@contextmanager
def one_choice(
    path: Path,
    notes: BinaryIO,
    stamps: Mapping[str, Stamp],
    model: ModelFile,
    request: TagRequest,
    force: bool,
) -> Iterator[None]:
    """See to it that all tags in a file are by one model and chosen by one request; note which.

    Raises:
        SinkError: those that are there are not, and are not all to be made again.
    """
    if not force:
        _same_model(path, stamps, model)
    chosen = _options(request)
    noted = _read(notes)
    differs = bool(stamps) and noted is not None and noted != chosen
    if differs and not force and BOTH in (noted or {}).values():
        raise SinkError(
            f"{path}: a run that was interrupted left tags of two choices. Add --force to tag all files "
            "again, or name another file."
        )
    if differs and not force:
        before, now = _differences(noted or {}, chosen)
        raise SinkError(
            f"{path}: made with {before}, not {now}. Use {before}, add --force to tag all files again, or "
            "name another file."
        )
    # Should this be interrupted, then there are tags of both choices.
    _note(notes, dict.fromkeys(chosen, BOTH) if differs else chosen)
    yield
    _note(notes, chosen)


def _same_model(path: Path, stamps: Mapping[str, Stamp], model: ModelFile) -> None:
    other = next(
        (s for s in stamps.values() if s.ok and (s.model, s.sha256) != (model.name, model.sha256)), None
    )
    if other is None:
        return
    if other.model == model.name:
        raise SinkError(
            f"{path}: made with another version of {model.name}, whose scores differ. Add --force to tag all "
            "files again, or name another file."
        )
    raise SinkError(
        f"{path}: made with {other.model}, not {model.name}. Use --model {other.model}, add --force to tag "
        "all files again, or name another file."
    )


def _options(request: TagRequest) -> dict[str, Any]:
    """How tags are chosen, by option."""
    chosen = asdict(request) | {"merge": bool(request.merge)}
    del chosen["embed"]
    return chosen


def _differences(noted: dict[str, Any], chosen: dict[str, Any]) -> tuple[str, str]:
    """The options that differ, as they were and as they are, spelled as on the command line."""
    differing = [name for name in chosen if noted.get(name) != chosen[name]]

    def spelled(values: dict[str, Any], name: str) -> str:
        value = values[name]
        if name == "merge":
            return "--merge" if value else "--no-merge"
        if name == "excerpt":
            return str(Excerpt(**value)) if value else "whole files"
        return f"--{name} {value}"

    before, now = (" ".join(spelled(values, name) for name in differing) for values in (noted, chosen))
    return before, now


def _read(notes: BinaryIO) -> dict[str, Any] | None:
    """What was noted; None where it is torn, foreign or not there."""
    try:
        notes.seek(0)
        found = json.loads(notes.read(1 << 16))
        if set(found) != set(_options(TagRequest())):
            return None
        if BOTH in found.values():
            return dict.fromkeys(found, BOTH)
        excerpt = found["excerpt"] and Excerpt(**found["excerpt"])
        return _options(TagRequest(**found | {"excerpt": excerpt}))
    except (AttributeError, TypeError, ValueError, RecursionError):
        return None


def _note(notes: BinaryIO, chosen: dict[str, Any]) -> None:
    notes.truncate(0)
    notes.write(json.dumps(chosen).encode())
    notes.flush()
