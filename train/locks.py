"""Processes that share a folder take turns."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from autotag.system.lock import locked
from train.console import say

PAUSE = 0.5
"""Seconds between two tries."""


@contextmanager
def in_turn(path: Path, waiting: str) -> Iterator[None]:
    """Hold the lock file at `path` once no other process does, and say `waiting` until then."""
    with ExitStack() as held:
        for attempt in range(1 << 62):
            try:
                held.enter_context(locked(path))
                break
            except BlockingIOError:
                if not attempt:
                    say(waiting)
                time.sleep(PAUSE)
        yield
