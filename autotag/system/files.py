"""Files: replaced as a whole, told apart by size and time, and where a user's programs keep theirs."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    return state.st_size, state.st_mtime_ns


def data() -> Path:
    """The folder for what must last, such as a library."""
    return _folder("XDG_DATA_HOME", ".local/share", "Application Support")


def cache() -> Path:
    """The folder for what can be made again."""
    return _folder("XDG_CACHE_HOME", ".cache", "Caches")


def _folder(variable: str, linux: str, macos: str) -> Path:
    if sys.platform == "win32":
        place = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        place = Path.home() / "Library" / macos
    else:
        place = Path(os.environ.get(variable) or Path.home() / linux)
    return place / "autotag"
