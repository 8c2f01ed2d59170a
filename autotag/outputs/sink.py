"""Where results are kept, by the ending of the file: rows that a later run goes on with."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from autotag.batch import Asked
from autotag.errors import SinkError
from autotag.models.metadata import Metadata
from autotag.result import Failure, Result
from autotag.system.files import size_and_time
from autotag.system.lock import locked

ENDINGS = (".jsonl", ".csv", ".parquet", ".sqlite")


class Stamp(NamedTuple):
    """What is kept of a file: its bytes and time (ns), the model if it was tagged, and whether it was."""

    size: int | None
    modified: int | None
    model: str | None
    ok: bool


class Sink(Protocol):
    """Keeps outcomes, one a path: a new one takes the place of the old one."""

    def stamps(self) -> Mapping[str, Stamp]:
        """What is kept, by path."""

    def write(self, outcome: Result | Failure) -> None:
        """Keep an outcome; a crash may lose what came in within the last second."""

    def close(self) -> None: ...


@contextmanager
def open_sink(path: Path, metadata: Metadata, asked: Asked, force: bool = False) -> Iterator[Sink]:
    """Open or make a file of results.

    One that holds results of another choice of tags than `asked` is refused, unless all are made again.

    Raises:
        SinkError: the ending is none of `ENDINGS`, another process writes the file, it holds something else
            or results of another choice.
        ExtraMissing: the package is not installed that it takes.
    """
    if path.suffix not in ENDINGS:
        raise SinkError(f"{path}: the ending of its name must be one of {', '.join(ENDINGS)}")
    if path.exists() and not path.is_file():
        raise SinkError(f"{path}: a folder, pipe or device: name a file")
    with (
        alone(path) as notes,
        closing(_open(path.resolve(), path.suffix, metadata, asked)) as sink,
        _one_choice(path, notes, metadata, asked, bool(sink.stamps()), force),
    ):
        yield sink


def unfinished(
    files: Iterable[Path], stamps: Mapping[str, Stamp], model: str, retry_failed: bool = False
) -> tuple[list[Path], list[Stamp]]:
    """Files that are to be tagged, and the stamps of the others: the same by size, time and model as then."""
    todo, kept = [], []
    for file in files:
        stamp = stamps.get(str(file))
        same = stamp and stamp[:2] == size_and_time(file) and stamp.model in (None, model)
        if stamp and same and (stamp.ok or not retry_failed):
            kept.append(stamp)
        else:
            todo.append(file)
    return todo, kept


def _open(path: Path, ending: str, metadata: Metadata, asked: Asked) -> Sink:
    if ending == ".sqlite":
        from autotag.library.database import Library

        return Library(path, metadata, asked.seconds)
    if ending == ".parquet":
        from autotag.outputs.parquet import Parquet

        return Parquet(path)
    from autotag.outputs.rows import Csv, Jsonl, Rows

    return Rows(path, Csv() if ending == ".csv" else Jsonl())


@contextmanager
def alone(path: Path) -> Iterator[BinaryIO]:
    """Keep other processes from the file, by a hidden one beside it that also holds notes."""
    with ExitStack() as stack:
        try:
            file = path.resolve()
            notes = stack.enter_context(locked(file.with_name(f".{file.name}.lock")))
        except BlockingIOError as error:
            raise SinkError(f"{path}: another process writes it now: name another file, or wait") from error
        except OSError as error:
            raise SinkError(f"{path}: cannot be written: {error.strerror}") from error
        yield notes


@contextmanager
def _one_choice(
    path: Path, notes: BinaryIO, metadata: Metadata, asked: Asked, rows: bool, force: bool
) -> Iterator[None]:
    """See to it that all tags in a file are by one model of a name and chosen as `asked` says; note how."""
    chosen = asdict(asked) | {"model": [metadata.name, metadata.precision, metadata.commit]}
    del chosen["embed"]
    notes.seek(0)
    noted = json.loads(notes.read() or "{}")
    if noted and noted["model"][0] != metadata.name:
        noted["model"] = chosen["model"]  # rows of another one are tagged again
    differs = rows and noted not in ({}, chosen)
    if differs and not force:
        before = ", ".join(f"{name} {value}" for name, value in noted.items() if value != chosen[name])
        raise SinkError(
            f"{path}: its tags were chosen otherwise ({before}): ask for the same, use --force to choose all "
            "anew, or name another file"
        )
    # Should this be interrupted, then there are tags of both choices.
    _note(notes, dict.fromkeys(chosen, "changed in part") if differs else chosen)
    yield
    _note(notes, chosen)


def _note(notes: BinaryIO, chosen: dict[str, object]) -> None:
    notes.truncate(0)
    notes.write(json.dumps(chosen).encode())
    notes.flush()
