"""Keep processes that share a folder apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from train.console import say


@contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Hold the lock at `path`, which ends with the process, kill -9 included; `waiting` is said."""
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        say(waiting)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
