"""Files: replaced as a whole, told apart by size and time, and where a user's programs keep theirs."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autotag.errors import NoHome


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
