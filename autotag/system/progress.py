"""Signs of progress, by which a process that works for long is told from one that hangs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

SIGNS_APART = 1.0
"""Seconds between two signs that are passed on; there may be thousands in between."""

PATIENCE = 300.0
"""Seconds without a sign of progress after which what works at a file is ended. From one block of samples to
the next it takes milliseconds; a disk that starts, or a network that comes back, takes less than this.
"""

LOOK = 1.0
"""Seconds of one look at the progress. A longer one counts as that: this process, or the machine, slept."""

_tell: Callable[[], object] | None = None
_told = 0.0
_at: list[str] = []  # files that are being read


def progressed() -> None:
    """Say that there was progress: bytes were read, samples decoded or segments scored."""
    global _told
    if _tell is not None and (now := time.monotonic()) - _told >= SIGNS_APART:
        _told = now
        _tell()


def tell_progress(tell: Callable[[], object]) -> None:
    """Have a function called at signs of progress in this process."""
    global _tell
    _tell = tell


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Say which file is being read meanwhile."""
    _at.append(name)
    progressed()
    try:
        yield
    finally:
        _at.remove(name)


def watch(give_up: Callable[[str], object], patience: float) -> None:
    """Have a function called with the name of a file at which this process makes no progress for so long."""
    silence = 0.0

    def heard() -> None:
        nonlocal silence
        silence = 0.0

    def look() -> None:
        nonlocal silence
        while silence <= patience or not _at:
            silence = silence + LOOK if _at else 0.0
            time.sleep(LOOK)
        give_up(_at[-1])

    tell_progress(heard)
    Thread(target=look, daemon=True).start()
