"""Keep libmpg123 from writing notes on odd MP3s to file descriptor 2; what others write there arrives.

While a decoder runs, the descriptor is a file in memory. What was written to it by then and is not a
decoder's is passed on, so that a line that another thread writes meanwhile comes some milliseconds later, and
is not lost, unless it falls into the middle of a note.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_NOTES = re.compile(
    rb"^.*(?:mpg123|Note:|Warning: |Error: |error: |warning: |big_values|frankenstein).*\n?|^\s*\n", re.M
)

_lock = threading.Lock()
_inside = 0
_real = _held = -1


@contextmanager
def decoder_notes_dropped() -> Iterator[None]:
    """Drop what libmpg123 says; may be entered by several threads at once."""
    entered = _enter()
    try:
        yield
    finally:
        if entered:
            _leave()


def _enter() -> bool:
    global _inside, _real, _held
    if not hasattr(os, "memfd_create"):
        return False
    with _lock:
        if not _inside:
            try:
                if _held < 0:
                    _held = os.memfd_create("notes")
                _real = os.dup(2)
                os.dup2(_held, 2, inheritable=True)
            except OSError:  # it is closed, or no descriptor is left
                return False
        _inside += 1
    return True


def _leave() -> None:
    global _inside, _real
    with _lock:
        _inside -= 1
        if _inside:
            return
        with suppress(OSError):
            os.dup2(_real, 2, inheritable=True)
            os.close(_real)
            if size := os.lseek(_held, 0, os.SEEK_CUR):
                written = os.pread(_held, size, 0)
                os.ftruncate(_held, 0)
                os.lseek(_held, 0, os.SEEK_SET)
                if others := _NOTES.sub(b"", written):
                    os.write(2, others)
