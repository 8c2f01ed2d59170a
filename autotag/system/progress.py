"""Signs of progress, by which a process that works for long is told from one that hangs."""

import time
from collections.abc import Callable

SIGNS_APART = 1.0
"""Seconds between two signs that are passed on; there may be thousands in between."""

_tell: Callable[[], object] | None = None
_told = 0.0


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
