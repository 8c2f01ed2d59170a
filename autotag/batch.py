"""Tag many files: outcomes in the order of the files, each as soon as it is there."""

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from autotag.config import DEFAULT
from autotag.errors import Crashed, UnreadableAudio
from autotag.request import TagRequest
from autotag.result import Failure, Outcome
from autotag.system.cores import usable_cores
from autotag.system.files import size_and_time

if TYPE_CHECKING:
    from autotag.models.registry import ModelChoice
    from autotag.system.worker import Crash
    from autotag.tagger import Tagger

PathInput = str | os.PathLike[str]


def tag_files(
    paths: Iterable[PathInput] | PathInput,
    model: "ModelChoice" = DEFAULT,
    request: TagRequest = TagRequest(),
    *,
    jobs: int | None = None,
) -> Generator[Outcome, None, None]:
    """The outcome of each file, in the order of the paths, each as soon as it and those before it are done.

    Args:
        paths: of files; one path is a list of one.
        model: a configuration, the name of an installed model, or an ONNX file.
        request: which tags, and what else.
        jobs: processes of one thread each; by default one a core. One that crashes, or makes no progress for
            5 minutes, is a Failure of the file it was at. 0 tags in this process, with all cores it may use,
            where nothing ends a decoder that hangs, as does a daemonic process of `multiprocessing`, which
            may have no children.

    Raises:
        ModelNotFound, ModelError, VocabularyNotFound, WorkerError
    """
    # Threads instead of processes: as many files/s (40 copies of examples/song.mp3 on 2 cores, warm: 49 to
    # 51 against 46 to 50 at x10, 9.3 to 9.5 against 9.1 to 9.5 at x2), but a crash would end them all.
    listed = entries(paths)
    jobs = usable_cores() if jobs is None else jobs
    if jobs:  # or else nothing of processes is loaded
        from autotag.system.pool import in_processes, may_start_processes
        from autotag.system.worker import Crash

        if may_start_processes():
            with closing(in_processes(partial(start, model, request, threads=1), listed, jobs)) as outcomes:
                for path, outcome in outcomes:
                    yield _crashed(path, outcome) if isinstance(outcome, Crash) else outcome
            return
    yield from map(start(model, request), listed)


def entries(paths: Iterable[PathInput] | PathInput) -> Generator[str, None, None]:
    """Paths as text, of whatever class they are; one path is a list of one. What is none stays as it is."""
    from autotag.audio.content import is_one

    for path in [paths] if is_one(paths) else paths:  # type: ignore[union-attr]
        yield str(os.fsdecode(path)) if isinstance(path, str | os.PathLike) else path  # type: ignore[misc]


def processes(files: int, jobs: int) -> int:
    """The `jobs` of `tag_files` that are worth their start: none for a single file."""
    return jobs if files > 1 else 0


def start(
    model: "ModelChoice", request: TagRequest, threads: int | None = None
) -> Callable[[PathInput], Outcome]:
    """Load the model; what to call with each file."""
    from autotag.tagger import Tagger

    tagger = Tagger(model, threads=threads)
    request.check(tagger.metadata.outputs)
    return partial(tag_file, tagger, request)


def tag_file(tagger: "Tagger", request: TagRequest, path: PathInput) -> Outcome:
    """The outcome of a file, with its size and time."""
    size, modified = _state(path)  # before it is read: what changes meanwhile is tagged again
    outcome = tagger.attempt(path, request)
    if isinstance(outcome, Failure) and outcome.error == UnreadableAudio.__name__:
        return outcome  # without size and time, so that the next run tries again
    return replace(outcome, size=size, modified=modified)


def _crashed(path: PathInput, crash: "Crash") -> Failure:
    if not isinstance(path, str | os.PathLike):
        message = f"{path!r:.60}: the process that read it {crash.how}. Give its path."
        return Failure(None, Crashed.__name__, message)
    message = (
        f"{path}: the process that read it {crash.how}. Convert it, or leave it out; if memory ran out, use "
        "fewer --jobs."
    )
    return Failure(str(path), Crashed.__name__, message, *_state(path))


def _state(path: PathInput) -> tuple[int, int] | tuple[None, None]:
    try:
        return size_and_time(Path(path))
    except TypeError:  # no path at all
        return None, None
