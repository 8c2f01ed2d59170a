"""Keep decoders from writing on the terminal."""

import os
import sys


def quiet_decoders() -> None:
    """Send file descriptor 2 to nowhere and `sys.stderr` to a copy of it.

    libmpg123 writes its notes on odd MP3s straight to the descriptor, across progress bars; what is
    worth knowing about a file stands in its result's warnings. For programs, not for libraries.
    """
    sys.stderr.flush()
    sys.stderr = os.fdopen(
        os.dup(2), "w", encoding=sys.stderr.encoding, errors="backslashreplace", buffering=1
    )
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
