"""Run a function on many items in processes of their own: one that crashes or hangs costs an item, not the
run.
"""

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from multiprocessing.connection import wait
from typing import TypeVar

from autotag.errors import WorkerError
from autotag.system.progress import LOOK, PATIENCE
from autotag.system.worker import Crash, Worker, Working

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

QUEUE_PER_WORKER = 64
"""Items for each process that may be done while an earlier one is not: a song in the time of a long mix."""

MAX_WORKERS = 61
"""Processes; more cannot be waited for on Windows."""

ATTEMPTS = 3
"""Processes in a row that may end before they are ready."""


def may_start_processes() -> bool:
    """Whether this process may have children: a daemonic one, such as a pool's worker, may not."""
    return not multiprocessing.current_process().daemon


def in_processes(
    make: Callable[[], Callable[[Item], Outcome]],
    items: Iterable[Item],
    jobs: int,
    patience: float = PATIENCE,
) -> Generator[tuple[Item, Outcome | Crash], None, None]:
    """Each item in its order with the result of the function that `make` returns in every process.

    Memory is constant for any number of items. The processes end at once when the iteration is closed, and
    when this process is killed.

    Args:
        make: is sent to the processes; called once in each.
        jobs: how many processes; no more than there are items are started.
        patience: seconds in which a process that is at an item has to call `progressed`, or it is ended.

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
    workers: list[Worker[Item, Outcome]] = []
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
            workers += [Worker(make) for _ in range(lacking)]
            for worker in [worker for worker in workers if worker.ready and not worker.item]:
                if not waiting:
                    break
                number, given = waiting[0]
                try:
                    alive = worker.give((number, given))
                except Exception as error:  # it cannot be pickled
                    done[number] = given, Crash(f"could not get it ({error})")
                    alive = True
                if alive:
                    waiting.popleft()
                else:  # it has ended without an item
                    workers.remove(worker)
                    worker.end()
            if not (waiting or done or any(worker.item for worker in workers)):
                return
            for worker in _heard(workers, patience):
                item = worker.item
                answer = worker.take(patience)
                if answer is Working:
                    continue
                if isinstance(answer, Crash):
                    workers.remove(worker)
                    deaths += item is None
                    if deaths >= ATTEMPTS:
                        raise WorkerError(
                            f"Processes end before they have loaded the model: each {answer.how}. Use fewer "
                            "--jobs; in Python, jobs=0 starts none."
                        )
                else:
                    deaths = 0
                if item:
                    number, given = item
                    done[number] = given, answer
                elif isinstance(answer, Exception):
                    raise answer
            while first in done:
                yield done.pop(first)
                first += 1
    finally:
        for worker in workers:
            worker.end()


def _heard(workers: list[Worker[Item, Outcome]], patience: float) -> list[Worker[Item, Outcome]]:
    """The workers at an item or at their start that have something to say, have ended, or were silent for too
    long; waits for one, or a second.
    """
    awaited = {worker.connection: worker for worker in workers if worker.item or not worker.ready}
    started = time.monotonic()
    # On Windows an interrupt is not seen before the wait is over.
    found = wait(list(awaited), timeout=LOOK) if awaited else []
    waited = min(LOOK, time.monotonic() - started)
    for connection, worker in awaited.items():
        worker.silence = 0.0 if connection in found or not worker.item else worker.silence + waited
    return [w for connection, w in awaited.items() if connection in found or w.silence > patience]
