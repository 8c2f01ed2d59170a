"""Run a function on many items in processes of their own: one that crashes costs an item, not the run."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import Any, Generic, TypeVar

from autotag.errors import AutotagError, WorkerError
from autotag.system.cores import ONE_THREAD

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

QUEUE_PER_WORKER = 64
"""Items for each process that may be done while an earlier one is not: a song in the time of a long mix."""

MAX_WORKERS = 61
"""Processes; more cannot be waited for on Windows."""

ATTEMPTS = 3
"""Processes in a row that may end before they are ready."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A process ended at an item.

    Attributes:
        how: the signal or exit code.
    """

    how: str


def may_start_processes() -> bool:
    """Whether this process may have children: a daemonic one, such as a pool's worker, may not."""
    return not multiprocessing.current_process().daemon


def in_processes(
    make: Callable[[], Callable[[Item], Outcome]], items: Iterable[Item], jobs: int
) -> Generator[tuple[Item, Outcome | Crash], None, None]:
    """Each item in its order with the result of the function that `make` returns in every process.

    Memory is constant for any number of items. The processes end at once when the iteration is closed, and
    when this process is killed.

    Args:
        make: is sent to the processes; called once in each.
        jobs: how many processes; no more than there are items are started.

    Raises:
        AutotagError: what `make` raised.
        WorkerError: processes end before they are ready.
    """
    jobs = min(jobs, MAX_WORKERS)
    coming = enumerate(items)
    waiting: deque[tuple[int, Item]] = deque()
    done: dict[int, tuple[Item, Outcome | Crash]] = {}
    first = taken = 0  # the next to yield; how many were taken from `coming`
    deaths = 0
    workers: list[_Worker[Item, Outcome]] = []
    try:
        while True:
            while (
                len(waiting) < jobs
                and taken < first + QUEUE_PER_WORKER * jobs
                and (item := next(coming, None))
            ):
                waiting.append(item)
                taken += 1
            unoccupied = sum(not worker.item for worker in workers)
            lacking = min(len(waiting) - unoccupied, jobs - len(workers))
            workers += [_Worker(make) for _ in range(lacking)]
            for worker in [worker for worker in workers if worker.ready and not worker.item]:
                if waiting and worker.give(waiting[0]):
                    waiting.popleft()
                elif waiting:  # it has ended without a file
                    workers.remove(worker)
                    worker.kill()
            if not waiting and not any(worker.item for worker in workers):
                return
            for worker in _answering(workers):
                item = worker.item
                try:
                    answer = worker.take()
                    deaths = 0
                except (EOFError, OSError):
                    workers.remove(worker)
                    how = worker.kill(patience=10)
                    if item:
                        answer = Crash(how)
                    else:
                        deaths += 1
                        if deaths < ATTEMPTS:
                            continue
                        raise WorkerError(
                            f"Processes end before they have loaded the model ({how}). Use fewer --jobs; "
                            "in a script of your own, work below `if __name__ == '__main__':`."
                        ) from None
                if item:
                    number, given = item
                    done[number] = given, answer
                elif answer:
                    raise answer
            while first in done:
                yield done.pop(first)
                first += 1
    finally:
        for worker in workers:
            worker.kill()


def _answering(workers: "list[_Worker[Item, Outcome]]") -> "list[_Worker[Item, Outcome]]":
    """Those at a file or at their start that have answered, or ended; waits for one, or a second."""
    awaited = {worker.connection: worker for worker in workers if worker.item or not worker.ready}
    # On Windows an interrupt is not seen before the wait is over.
    found = wait(list(awaited), timeout=1) if awaited else []
    return [worker for connection, worker in awaited.items() if connection in found]


class _Worker(Generic[Item, Outcome]):
    """A process and the item it is at, with its number."""

    def __init__(self, make: Callable[[], Callable[[Item], Outcome]]) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of other threads may hold their locks
        self.connection, theirs = context.Pipe()
        self.item: tuple[int, Item] | None = None
        self.ready = False
        self._process = context.Process(target=_work, args=(theirs, make), daemon=True)
        with _environment(ONE_THREAD):
            self._process.start()
        theirs.close()  # so that its end closes with the process

    def give(self, item: tuple[int, Item]) -> bool:
        """Let it work at a file; whether it still can."""
        try:
            self.connection.send(item[1])
        except OSError:
            return False
        self.item = item
        return True

    def take(self) -> Any:
        """What came of the file; of the start, nothing or an error. EOFError or OSError if it has ended."""
        answer = self.connection.recv()
        self.item, self.ready = None, True
        return answer

    def kill(self, patience: float = 0) -> str:
        """End it, unless it ends by itself in so many seconds; how it ended."""
        self._process.join(patience)
        self._process.kill()
        self._process.join()
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


def _work(connection: Connection, make: Callable[[], Callable[[Any], Any]]) -> None:
    """What a process does: says when it is ready, then answers for path after path."""
    Thread(target=follow_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent will end it
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (1, 2):  # decoders write there, and who reads the parent's stdout waits for its end
        os.dup2(nowhere, descriptor)
    try:
        function = make()
    except AutotagError as error:
        connection.send(error)
        return
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
