"""Keep other processes off a file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_OFFSET = 1 << 30
"""The byte that is locked on Windows, where nobody can read it then."""


@contextmanager
def locked(path: Path) -> Iterator[BinaryIO]:
    """Hold the lock file at `path`, which is made if need be and stays; it is open to be read and written.

    The system frees it when the process ends, by kill -9 too.

    Raises:
        BlockingIOError: another process holds it.
    """
    with path.open("a+b") as file:
        if sys.platform == "win32":
            file.seek(LOCK_OFFSET)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            except OSError as error:
                raise BlockingIOError(*error.args) from error
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file
