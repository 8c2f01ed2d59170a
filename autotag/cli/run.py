"""What a command says on stderr while it works: warnings, errors, progress, counts and the last line; its exit code."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import typer

from autotag.errors import AudioError
from autotag.result import Failure, Outcome, Result
from autotag.system.text import printable

Item = TypeVar("Item")

EVERY = 30.0
"""Seconds between two lines of progress where stderr is no terminal."""


class Run:
    """One run of a command.

    Args:
        quiet: whether progress and the last line are left out; warnings and errors never are.

    Attributes:
        counts: outcomes `"ok"` and `"failed"`, and what else a command counts.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.counts: Counter[str] = Counter()

    def warn(self, path: str | Path | None, *warnings: str) -> None:
        for warning in warnings:
            say(f"warning: {path}: {warning}")

    def error(self, message: str) -> None:
        """Say what is wrong with one file; the command goes on, and ends with exit code 1."""
        self.counts["failed"] += 1
        say(f"error: {message}")

    def outcomes(self, outcomes: Iterable[Outcome], total: int, shown: bool = False) -> Iterator[Outcome]:
        """The outcomes, with their warnings, errors and progress said and counted.

        Args:
            total: how many there will be.
            shown: whether results go to stdout, which on a terminal, or read by another program, are progress
                enough.
        """
        silent = self.quiet or total < 2 or (shown and (sys.stdout.isatty() or not sys.stderr.isatty()))
        for outcome in outcomes if silent else self.progress(outcomes, total, "files"):
            if isinstance(outcome, Failure):
                self.error(outcome.message)
            else:
                self.counts["ok"] += 1
                self.warn(outcome.path, *outcome.warnings)
            yield outcome

    def progress(self, items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
        """The items, with how many of the total there are: a bar on a terminal, else a line now and then.

        Args:
            what: the items are, such as `"files"`.
        """
        if self.quiet:
            return iter(items)
        return self._bar(items, total) if sys.stderr.isatty() else self._lines(items, total, what)

    @contextmanager
    def about_a_file(self) -> Iterator[None]:
        """An error about the file that a command is about is a line and exit code 1."""
        try:
            yield
        except AudioError as error:
            self.error(str(error))
            self.end()

    def end(self, line: str = "") -> None:
        """Say the last line, and end with exit code 1 if a file failed."""
        if line and not self.quiet:
            say(line)
        if self.counts["failed"]:
            raise typer.Exit(1)

    def _lines(self, items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
        say(f"{total} {what}")
        said = time.monotonic()
        for done, item in enumerate(items, 1):
            yield item
            if time.monotonic() - said >= EVERY:
                said = time.monotonic()
                say(f"{done} of {total} {what}, {self.counts['failed']} failed")

    def _bar(self, items: Iterable[Item], total: int) -> Iterator[Item]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()
        console = Console(file=sys.stderr)
        # Results on stdout are not its business; lines on stderr appear above it.
        with Progress(*columns, console=console, transient=True, redirect_stdout=False) as line:
            task = line.add_task("", total=total)
            started = time.perf_counter()
            seconds = 0.0
            for done, item in enumerate(items, 1):
                yield item
                seconds += item.duration if isinstance(item, Result) else 0.0
                elapsed = time.perf_counter() - started
                speed = f"  {seconds / elapsed:.0f}x real time" if seconds else ""
                facts = f"{done / elapsed:.1f}/s{speed}  {self.counts['failed']} failed"
                line.update(task, completed=done, description=facts)


def say(line: str) -> None:
    """A line on stderr, with what would move a terminal's cursor escaped."""
    typer.echo(printable(line), err=True)
