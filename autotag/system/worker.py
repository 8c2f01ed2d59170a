"""A process that calls a function on item after item, and how it ends."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

from autotag.errors import AutotagError
from autotag.system.cores import ONE_THREAD
from autotag.system.progress import tell_progress

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

GRACE = 10.0
"""Seconds for a process that is killed, which ends only once a system call of it has returned."""

_starting = Lock()


@dataclass(frozen=True, slots=True)
class Crash:
    """An item has no result.

    Attributes:
        how: what the process did, such as `"crashed (Killed)"`.
    """

    how: str


class Working:
    """Sent by a process while it makes progress."""


class Worker(Generic[Item, Outcome]):
    """A process and the item it is at, with its number.

    Attributes:
        ready: whether it has started.
        silence: seconds without a sign of progress at the item.
    """

    def __init__(self, make: Callable[[], Callable[[Item], Outcome]]) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of other threads may hold their locks
        self.connection, theirs = context.Pipe()
        self.item: tuple[int, Item] | None = None
        self.ready = False
        self.silence = 0.0
        self._process = context.Process(target=_work, args=(theirs, make), daemon=True)
        with _starting, _environment(ONE_THREAD), _script_left_out(make):
            self._process.start()
        theirs.close()  # so that its end closes with the process

    def give(self, item: tuple[int, Item]) -> bool:
        """Let it work at an item; whether it still can. Raises what pickling the item raises."""
        data = ForkingPickler.dumps(item[1])
        try:
            self.connection.send_bytes(data)
        except OSError:
            return False
        self.item, self.silence = item, 0.0
        return True

    def take(self, patience: float) -> Any:
        """What it has to say: the result of the item; at its start, nothing or an error; `Working`; or a
        Crash if it has ended, as one does here that was silent for longer than its patience.
        """
        if self.silence > patience:
            self.end()
            return Crash(f"made no progress for {patience:g} s and was ended")
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            return Crash(f"crashed ({self.end(patience=10)})")
        if answer is not Working:
            self.item, self.ready = None, True
        return answer

    def end(self, patience: float = 0) -> str:
        """End it and what it has started, unless it ends by itself in so many seconds; how it ended."""
        self._process.join(patience)
        if self._process.exitcode is None and hasattr(os, "killpg") and self._process.pid:
            with suppress(OSError):  # it does not lead a group yet
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join(GRACE)
        self.connection.close()
        code = self._process.exitcode or 0
        return (signal.strsignal(-code) if code < 0 else None) or f"exit code {code}"


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _script_left_out(make: object) -> Iterator[None]:
    """Hide where the program's own script is from processes that are started meanwhile, if they need nothing
    of it. They would run it again, and it would start processes, if it does not ask whether it is `__main__`.
    """
    script = vars(sys.modules["__main__"])
    if b"__main__" in bytes(ForkingPickler.dumps(make)):
        yield
        return
    before: dict[str, Any] = {}
    before |= {name: script[name] for name in ("__file__", "__spec__") if name in script}
    script.pop("__file__", None)
    script["__spec__"] = None
    try:
        yield
    finally:
        script.update(before)


def _work(connection: Connection, make: Callable[[], Callable[[Any], Any]]) -> None:
    """What a process does: says when it is ready, then answers for item after item."""
    Thread(target=follow_parent, daemon=True).start()
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # so that a decoder that it starts can be ended with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent will end it
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (1, 2):  # decoders write there, and who reads the parent's stdout waits for its end
        os.dup2(nowhere, descriptor)
    try:
        function = make()
    except AutotagError as error:
        connection.send(error)
        return
    tell_progress(lambda: connection.send(Working))
    with suppress(EOFError, OSError):
        connection.send(None)
        while True:
            connection.send(function(connection.recv()))


def follow_parent() -> None:
    """End with the parent process, which would leave its workers waiting for ever when it is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
