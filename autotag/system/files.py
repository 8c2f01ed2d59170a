"""Files: replaced as a whole, told apart by size and time, and where a user's programs keep theirs."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autotag.errors import NoHome

LATEST = (1 << 63) - 1
"""Nanoseconds since 1970 that databases and tables can hold; a broken clock gives files times beyond them."""

KEPT = (2 * 10**9, 10**9, 10**7, 10**6, 1000, 100)
"""Nanoseconds to which file systems keep times: FAT, ext3 and HFS+, exFAT, SMB servers, UFS, NTFS."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, whose file takes the other one's place at the end, unless there is an error."""
    path = path.resolve()
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        with part.open("r+b") as file:
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def size_and_time(path: Path) -> tuple[int, int] | tuple[None, None]:
    """Bytes of a file and when it was modified, in nanoseconds since 1970; nothing if there is none."""
    try:
        state = path.stat()
    except (OSError, ValueError):
        return None, None
    return state.st_size, max(-LATEST, min(state.st_mtime_ns, LATEST))


def same_time(one: int | None, other: int | None) -> bool:
    """Whether two times of a file are one, as far as the coarser of two file systems keeps them.

    >>> same_time(1_600_000_001_123_456_789, 1_600_000_001_000_000_000)
    True
    >>> same_time(1_600_000_001_000_000_000, 1_600_000_002_000_000_000)
    False
    """
    if one is None or other is None or one == other:
        return one == other
    coarse, fine = sorted((one, other), key=_precision, reverse=True)
    step = next((kept for kept in KEPT if coarse % kept == 0), 1)
    return fine % 10**9 != 0 and abs(coarse - fine) < step and _precision(fine) < step


def _precision(time: int) -> int:
    """Nanoseconds to which a time may be kept."""
    return next((kept for kept in KEPT if time % kept == 0), 1)


def data() -> Path:
    """The folder for what must last, such as a library.

    Raises:
        NoHome: this user has no folder.
    """
    return _folder("XDG_DATA_HOME", ".local/share", "Application Support")


def cache() -> Path:
    """The folder for what can be made again; raises as `data` does."""
    return _folder("XDG_CACHE_HOME", ".cache", "Caches")


def _folder(variable: str, linux: str, macos: str) -> Path:
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "autotag"
    if sys.platform not in ("win32", "darwin") and os.environ.get(variable):
        return Path(os.environ[variable]) / "autotag"
    try:
        home = Path.home()
    except RuntimeError as error:
        raise NoHome(f"This user has no home folder. Set HOME or {variable}, or name the file.") from error
    below = {"win32": "AppData/Local", "darwin": f"Library/{macos}"}.get(sys.platform, linux)
    return home / below / "autotag"
