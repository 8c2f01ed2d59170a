"""Results of many files kept in one: `tag_into` fills it and goes on, `read_outcomes` reads it back."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from autotag.batch import PathInput, entries, tag_files
from autotag.config import DEFAULT
from autotag.errors import Crashed, SinkError
from autotag.library.gone import is_missing
from autotag.library.spelling import as_known
from autotag.models.registry import ModelChoice, ModelFile, find
from autotag.outputs.sink import ENDINGS, Sink, Stamp, alone, one_choice
from autotag.request import Selection, TagRequest
from autotag.result import Failure, Outcome, Result
from autotag.system.cores import usable_cores
from autotag.system.files import same_time, size_and_time

Progress = Callable[[int, int, Outcome | None], None]
"""Called with how many files are done, how many there are, and the outcome of the last one."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run did.

    Attributes:
        tagged, failed: files of this run.
        skipped: files that were there already; of them
        failed_before: so many without tags.
    """

    tagged: int
    failed: int
    skipped: int
    failed_before: int


def tag_into(
    paths: Iterable[PathInput] | PathInput,
    out: PathInput,
    model: ModelChoice = DEFAULT,
    request: TagRequest = TagRequest(),
    *,
    jobs: int | None = None,
    force: bool = False,
    retry_failed: bool = False,
    progress: Progress | None = None,
) -> Tally:
    """Tag files into a `.jsonl`, `.csv`, `.parquet` or `.sqlite` file; those that it holds are skipped.

    A file is skipped if its path, size, time and model are those of its row. Each result is in the file as
    soon as it is there, and stays whatever happens, so that the same call goes on after an interruption. So
    does the row of a link whose target is away, which has failed.

    Args:
        paths: of audio files; one path is a list of one. An entry that is none has failed, and has no row.
        model, request, jobs: as of `autotag.batch.tag_files`, but that there is always a process apart, so
            that a file that crashes a decoder is a failure.
        force: tag all files again.
        retry_failed: tag again those that failed and have not changed.
        progress: is called first with (0, total, None), then after each file.

    Raises:
        SinkError: the file cannot take the results, see `open_sink`.
        ModelNotFound, ModelError, VocabularyNotFound, WorkerError, ExtraMissing
    """
    tell = progress or (lambda *_: None)
    found = find(model)
    counts = {True: 0, False: 0}
    with open_sink(Path(out), found, request, force) as sink:
        stamps = sink.stamps()
        listed = list(entries(paths))
        files = as_known([path for path in listed if isinstance(path, str)], stamps)
        bad = [path for path in listed if not isinstance(path, str)]
        todo, kept = unfinished(files, {} if force else stamps, found, retry_failed)
        total = len(todo) + len(bad)
        tell(0, total, None)
        wanted = replace(request, embed="mean") if Path(out).suffix == ".sqlite" else request
        with closing(tag_files(todo, model, wanted, jobs=jobs or usable_cores())) as outcomes:
            for done, outcome in enumerate(outcomes, 1):
                if not _is_away(outcome, stamps):
                    sink.write(outcome)
                counts[outcome.ok] += 1
                tell(done, total, outcome)
        for done, entry in enumerate(bad, len(todo) + 1):
            counts[False] += 1
            message = f"{entry!r:.60}, of type {type(entry).__name__}, is no path. Give the path of a file."
            tell(done, total, Failure(None, Crashed.__name__, message))
    return Tally(counts[True], counts[False], len(kept), sum(not stamp.ok for stamp in kept))


@contextmanager
def open_sink(path: Path, model: ModelFile, request: TagRequest, force: bool = False) -> Iterator[Sink]:
    """Open or make a file of results.

    One that holds results of another model or request is refused, unless all are made again.

    Raises:
        SinkError: the ending is none of `ENDINGS`, another process writes the file, it holds something else
            or results of another choice.
        ExtraMissing: the package is not installed that it takes.
    """
    if path.suffix not in ENDINGS:
        raise SinkError(f"{path}: its name must end in one of {', '.join(ENDINGS)}.")
    if path.exists() and not path.is_file():
        raise SinkError(f"{path}: a folder, pipe or device. Name a file.")
    with alone(path) as notes, closing(_open(path.resolve(), path.suffix, model, request, force)) as sink:
        if path.suffix == ".sqlite":  # a library keeps all scores, and checks that they are of one model
            yield sink
            return
        with one_choice(path, notes, sink.stamps(), model, request, force):
            yield sink


def unfinished(
    paths: Iterable[PathInput], stamps: Mapping[str, Stamp], model: ModelFile, retry_failed: bool = False
) -> tuple[list[Path], list[Stamp]]:
    """Files that are to be tagged, and the stamps of the others: the same by size, time and model as then."""
    todo, kept = [], []
    for path in map(Path, paths):
        stamp = stamps.get(str(path))
        if stamp and _is_done(stamp, model, retry_failed) and _is_as_it_was(path, stamp):
            kept.append(stamp)
        else:
            todo.append(path)
    return todo, kept


def read_outcomes(path: PathInput, selection: Selection = Selection()) -> Iterator[Outcome]:
    """The outcomes that a file of results holds, the last one of each path.

    Args:
        path: what `tag_into`, `scan`, or the command line with `--out` or `--format jsonl` wrote.
        selection: which of their tags; a library holds all scores, other files only the tags chosen then.

    Raises:
        SinkError: the file cannot be read, or a row of it is damaged; the message names the row.
        ExtraMissing: the package is not installed that it takes.
    """
    file = Path(path)
    if file.suffix == ".sqlite":
        from autotag.library.database import Library

        with Library(file) as library:
            yield from library.outcomes(selection)
        return
    last = {outcome.path: outcome for outcome in _outcomes(file)}
    for outcome in last.values():
        yield (
            replace(outcome, tags=selection.narrow(outcome.tags)) if isinstance(outcome, Result) else outcome
        )


def _outcomes(path: Path) -> Iterator[Outcome]:
    from autotag.outputs.rows import Csv, Jsonl, read_rows

    if path.suffix == ".parquet":
        from autotag.outputs import parquet

        yield from parquet.read_outcomes(path)
        path = parquet.journal_of(path)
        if not path.exists():
            return
    try:
        with path.open("rb") as lines:
            for outcome, _ in read_rows(path, lines, Csv() if path.suffix == ".csv" else Jsonl()):
                yield outcome
    except OSError as error:
        raise SinkError(f"{path}: cannot be read: {error.strerror}.") from error


def _is_as_it_was(path: Path, stamp: Stamp) -> bool:
    """Whether a file is as it was tagged, but for what `autotag write` has put into it since."""
    size, modified = size_and_time(path)
    if size == stamp.size and same_time(stamp.modified, modified):
        return True
    from autotag.outputs.filetags import is_own_write

    return stamp.ok and stamp.modified is not None and is_own_write(path, stamp.size, stamp.modified)


def _is_away(outcome: Outcome, stamps: Mapping[str, Stamp]) -> bool:
    """Whether what is known of a file is behind a link that leads nowhere now, its disk not mounted."""
    path = outcome.path
    if outcome.ok or path is None or path not in stamps or not stamps[path].ok:
        return False
    return os.path.islink(path) and is_missing(path, behind_links=True)  # noqa: PTH114


def _is_done(stamp: Stamp, model: ModelFile, retry_failed: bool) -> bool:
    if not stamp.ok:
        return not retry_failed
    return (stamp.model, stamp.sha256) == (model.name, model.sha256)


def _open(path: Path, ending: str, model: ModelFile, request: TagRequest, force: bool) -> Sink:
    if ending == ".sqlite":
        from autotag.library.database import Library

        return Library(path, model, request.excerpt, force=force)
    if ending == ".parquet":
        from autotag.outputs.parquet import Parquet

        return Parquet(path)
    from autotag.outputs.rows import Csv, Jsonl, Rows

    return Rows(path, Csv() if ending == ".csv" else Jsonl())
