"""Tag many files: outcomes in the order of the files, each as soon as it is there."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from autotag.errors import AudioError, Crashed
from autotag.result import Failure, Result
from autotag.system.files import size_and_time

if TYPE_CHECKING:
    from autotag.tagger import Tagger


@dataclass(frozen=True, slots=True)
class Asked:
    """What to do with every file.

    Attributes:
        model: name of a model at hand, or an ONNX file.
        top, threshold, merge_synonyms: which tags to show, as `autotag.request.choose` does.
        seconds: tag only the middle so many seconds of a file.
        embed: whether results hold the embedding; `"segments"` for that of each segment.
    """

    model: str | Path
    top: int = 5
    threshold: float | str | None = None
    merge_synonyms: bool = False
    seconds: float | None = None
    embed: bool | str = False


def tag_files(paths: Iterable[Path], asked: Asked, jobs: int) -> Generator[Result | Failure, None, None]:
    """The outcome of each file, in the order of the paths, each as soon as it and those before it are done.

    Args:
        jobs: processes of one thread each, of which one that crashes is a Failure of the file it was at;
            0 to tag in this process, with all cores it may use.

    Raises:
        ModelNotFound, ModelError, WorkerError
    """
    # Threads instead of processes: as many files/s (40 copies of examples/song.mp3 on 2 cores, warm: 49 to
    # 51 against 46 to 50 at x10, 9.3 to 9.5 against 9.1 to 9.5 at x2), but a crash would end them all.
    if jobs == 0:
        yield from map(start(asked), paths)
        return
    from autotag.system.pool import in_processes

    with closing(in_processes(partial(start, asked, threads=1), paths, jobs)) as outcomes:
        for path, outcome in outcomes:
            yield _failure(path, outcome) if isinstance(outcome, Crashed) else outcome


def processes(files: Sequence[Path], jobs: int) -> int:
    """The `jobs` of `tag_files` that are worth their start: none for a single job or file."""
    return 0 if jobs == 1 or len(files) < 2 else jobs


def start(asked: Asked, threads: int | None = None) -> Callable[[Path], Result | Failure]:
    """Load the model; what to call with each file."""
    from autotag.tagger import Tagger

    return partial(_tag, Tagger(asked.model, threads), asked)


def _tag(tagger: "Tagger", asked: Asked, path: Path) -> Result | Failure:
    size, modified = size_and_time(path)
    try:
        result = tagger.tag(
            path, asked.top, asked.threshold, asked.merge_synonyms, asked.seconds, asked.embed
        )
    except AudioError as error:
        return _failure(path, error)
    except Exception as error:  # whatever it is, the other files can be tagged
        return _failure(path, Crashed(f"{path}: {type(error).__name__}: {error}"))
    return replace(result, size=size, modified=modified)


def _failure(path: Path, error: AudioError) -> Failure:
    return Failure(str(path), error.kind, str(error), *size_and_time(path))
