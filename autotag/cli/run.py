"""What a command says on stderr while it works, and its exit code: warnings, errors, progress, last line."""

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import typer

from autotag.errors import AudioError
from autotag.result import Failure, Outcome, Result
from autotag.system.text import printable

if TYPE_CHECKING:
    from autotag.library.keep import Progress

Item = TypeVar("Item")

FEW = 3
"""Warnings of one kind that are said, so that those of another kind are seen."""

SOON, EVERY = 7.0, 30.0
"""Seconds to the first line of progress, and between two, where stderr is no terminal."""


class Run:
    """One run of a command.

    Args:
        quiet: whether progress and the last line are left out; warnings and errors never are.
        verbose: whether each file is said with how long it took, and all that is wrong with it.

    Attributes:
        counts: outcomes `"ok"` and `"failed"`, and what else a command counts.
        kept: what an interrupted run leaves, for the last line of the program.
    """

    kept: ClassVar[str] = ""

    def __init__(self, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.counts: Counter[str] = Counter()
        self._warned: Counter[str] = Counter()
        self._unsaid: dict[str, str] = {}

    def warn(self, path: str | Path | None, *warnings: str) -> None:
        """Say what should be known of a file: of warnings that differ in numbers alone the first `FEW`."""
        for warning in warnings:
            kind = re.sub(r"[\d.,]+", "", warning)
            self._warned[kind] += 1
            if self.verbose or self._warned[kind] <= FEW:
                say(f"warning: {path}: {warning}")
            else:
                self._unsaid[kind] = f"{path}: {warning}"

    def error(self, message: str) -> None:
        """Say what is wrong with one file; the command goes on, and ends with exit code 1."""
        self.counts["failed"] += 1
        say(f"error: {message}")

    @contextmanager
    def keeping(self, kept: Callable[[], str]) -> Iterator[None]:
        """Have the program's last line say what is kept, if it is interrupted."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit, OSError):
            Run.kept = kept()
            raise

    @contextmanager
    def tracking(
        self, what: str = "files", shown: bool = False, kept_in: Path | None = None, said: bool = True
    ) -> "Iterator[Progress]":
        """Call it with the number done, the total, and an outcome: it says warnings, errors and progress.

        Args:
            what: the items are.
            shown: whether results go to stdout, which shows well enough how far it is, but where stdout goes
                into a file and stderr to a terminal.
            kept_in: what holds the results, however the run ends.
            said: whether warnings and errors are, which some files of results hold.
        """
        silent = self.quiet or (shown and (sys.stdout.isatty() or not sys.stderr.isatty()))
        show = None if silent else (_Bar if sys.stderr.isatty() else _Lines)(what)

        reached = (0, 0)

        def tell(done: int, total: int, outcome: Outcome | None = None) -> None:
            nonlocal reached
            reached = done, total
            if outcome is not None:
                self._count(outcome, said or self.verbose)
            if show:
                show.update(done, total, self.counts["failed"], getattr(outcome, "duration", 0.0))

        def kept() -> str:
            done, total = reached
            return f"{done} of {total} {what} are kept in {kept_in}. Run again to go on." if done else ""

        try:
            with self.keeping(kept) if kept_in else nullcontext():
                yield tell
        finally:
            if show:
                show.close()

    def _count(self, outcome: Outcome, said: bool) -> None:
        """Count an outcome, and say its warnings or error."""
        self.counts["ok" if outcome.ok else "failed"] += 1
        if said and isinstance(outcome, Failure):
            say(f"error: {outcome.message}")
        elif said and isinstance(outcome, Result):
            if self.verbose:
                say(f"{outcome.path}: {outcome.duration:.1f} s in {sum(outcome.ms.values()):.0f} ms")
            self.warn(outcome.path, *outcome.warnings)

    def outcomes(self, outcomes: Iterable[Outcome], total: int, shown: bool = False) -> Iterator[Outcome]:
        """The outcomes, with their warnings, errors and progress said and counted: see `tracking`."""
        with self.tracking("files", shown) as tell:
            tell(0, total, None)
            for done, outcome in enumerate(outcomes, 1):
                tell(done, total, outcome)
                yield outcome

    def progress(self, items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
        """The items, with progress said."""
        with self.tracking(what) as tell:
            tell(0, total, None)
            for done, item in enumerate(items, 1):
                yield item
                tell(done, total, None)

    @contextmanager
    def about_a_file(self) -> Iterator[None]:
        """An error about the file that a command is about is a line and exit code 1."""
        try:
            yield
        except AudioError as error:
            self.error(str(error))
            self.end()

    def end(self, line: str = "") -> None:
        """Say how many warnings were left out, and the last line; end with exit code 1 if a file failed."""
        for kind, example in self._unsaid.items():
            say(f"warning: {self._warned[kind] - FEW} more like {example}")
        if line and not self.quiet:
            say(line)
        if self.counts["failed"]:
            raise typer.Exit(1)


class _Lines:
    """How many there are, said once it takes a while, and how many are done now and then."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._reached = (0, 0, 0)
        self._ended = Event()
        Thread(target=self._tell, daemon=True).start()  # neither a long file nor a long list keeps it silent

    def update(self, done: int, total: int, failed: int, _: float) -> None:
        self._reached = done, total, failed

    def _tell(self) -> None:
        if not self._ended.wait(SOON) and self._reached[1] > 1:
            say(f"{self._reached[1]} {self._what}")
        while not self._ended.wait(EVERY):
            done, total, failed = self._reached
            reached = f"{done} of {total} {self._what}, {failed} failed"
            say(reached if total else "looking at what is there")

    def close(self) -> None:
        self._ended.set()


class _Bar:
    """A line on a terminal that is gone at the end."""

    def __init__(self, _: str) -> None:
        self._line: Any = None

    def update(self, done: int, total: int, failed: int, seconds: float) -> None:
        if total < 2:
            return
        if self._line is None:
            self._start(total)
        self._seconds += seconds
        elapsed = time.perf_counter() - self._started
        speed = f"  {self._seconds / elapsed:.0f}x real time" if self._seconds else ""
        facts = f"{done / elapsed:.1f}/s{speed}  {failed} failed" if done else ""
        self._line.update(self._task, completed=done, description=facts)

    def _start(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()
        console = Console(file=sys.stderr)
        # Results on stdout are not its business; lines on stderr appear above it.
        self._line = Progress(*columns, console=console, transient=True, redirect_stdout=False)
        self._line.start()
        self._task = self._line.add_task("", total=total)
        self._started, self._seconds = time.perf_counter(), 0.0

    def close(self) -> None:
        if self._line is not None:
            self._line.stop()


def say(line: str) -> None:
    """A line on stderr, with what would move a terminal's cursor escaped. It may be full: results count."""
    try:
        typer.echo(printable(line), err=True)
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 its end would be an error again
