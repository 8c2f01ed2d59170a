"""The standard streams of a command: closed ones, and decoders that write on the terminal."""

import os
import sys


def keep_descriptors() -> None:
    """Take the standard descriptors that the caller has closed, so that no file gets their numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)  # a process that is started must not get them either
    os.close(descriptor)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]


def quiet_decoders() -> None:
    """Send file descriptor 2 to nowhere and `sys.stderr` to a copy of it; a second call changes nothing.

    libmpg123 writes its notes on odd MP3s straight to the descriptor, across progress bars; what is
    worth knowing about a file stands in its result's warnings. For programs, not for libraries.
    """
    sys.stderr.flush()
    if sys.stderr.fileno() == 2:
        sys.stderr = os.fdopen(
            os.dup(2), "w", encoding=sys.stderr.encoding, errors="backslashreplace", buffering=1
        )
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
