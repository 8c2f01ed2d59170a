"""How far a run is, on stderr."""

import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from autotag.batch import Asked, tag_files
from autotag.result import Failure, Result


def outcomes_of(
    files: list[Path], asked: Asked, jobs: int, quiet: bool = False
) -> Generator[Result | Failure, None, None]:
    """What comes of the files, with a line of progress on a terminal."""
    with closing(tag_files(files, asked, jobs)) as outcomes:
        if quiet or len(files) < 2 or not sys.stderr.isatty():
            yield from outcomes
        else:
            yield from _progress(outcomes, len(files))


def _progress(outcomes: Iterable[Result | Failure], total: int) -> Iterator[Result | Failure]:
    """The outcomes, with a line that shows how many of the total there are, until they end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()
    # Results on stdout are not its business; lines on stderr appear above it.
    with Progress(*columns, console=Console(file=sys.stderr), transient=True, redirect_stdout=False) as line:
        task = line.add_task("", total=total)
        started = time.perf_counter()
        seconds, failed = 0.0, 0
        for done, outcome in enumerate(outcomes, 1):
            if isinstance(outcome, Failure):
                failed += 1
            else:
                seconds += outcome.duration
            elapsed = time.perf_counter() - started
            facts = f"{done / elapsed:.1f} files/s  {seconds / elapsed:.0f}x real time  {failed} failed"
            line.update(task, completed=done, description=facts)
            yield outcome
