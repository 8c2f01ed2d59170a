"""Put a changed copy in the place of a file, checked before it takes it, and leave nothing else behind."""

import hashlib
import os
import re
import shutil
import signal
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from autotag.errors import TagsUnwritable
from autotag.outputs.containers import Patch, patched
from autotag.system.lock import locked

TEMPORARY = ".autotag-", ".tmp"
"""Start and end of the name of a file that is being written: no music to a run over its folder."""

_LEFT = re.compile(r"\.autotag-\w{8}\.tmp")

DAY = 24 * 3600
SECOND = 10**9
HOUR = 3600 * SECOND

_tidied: set[Path] = set()


def digest(path: Path, patches: Iterable[Patch]) -> bytes:
    """SHA-256 of a file as patches would leave it."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        for data in patched(file, patches):
            found.update(data)
    return found.digest()


def check_writable(target: Path, status: os.stat_result) -> None:
    """Refuse a file that is read-only, though a rename would get round it, as would root.

    Raises:
        TagsUnwritable
    """
    bits = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    if not status.st_mode & bits or not os.access(target, os.W_OK):
        raise TagsUnwritable(f"{target}: tags cannot be written: the file is read-only")


def put_copy(
    target: Path, patches: list[Patch], status: os.stat_result, modified: int, check: Callable[[Path], None]
) -> list[str]:
    """Put a copy with patches in the place of a file, of the same mode, group and, if possible, owner.

    The file is the old or the new one whenever the machine stops.

    Args:
        status: of the file when it was read; one that has changed since is left alone.
        modified: the copy's time of modification, in nanoseconds since 1970.
        check: raises TagsUnwritable if the copy is not as it should be.

    Returns:
        What a person should know of it.

    Raises:
        TagsUnwritable: the file is as it was.
    """
    try:
        with _copy(target.parent) as (name, file, release):
            owner = _give(file, target, status)
            with target.open("rb") as source:
                _write(file, patched(source, patches), _has_holes(status))
            file.flush()
            shutil.copystat(target, name)
            os.utime(name, ns=(status.st_atime_ns, modified))
            os.fsync(file.fileno())
            check(Path(name))
            now = target.stat()
            if (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
                raise TagsUnwritable(f"{target}: was changed by another program just now. Try again.")
            release()
            os.replace(name, target)  # noqa: PTH105 names need not be UTF-8
    except OSError as error:
        if isinstance(error, TagsUnwritable):
            raise
        raise TagsUnwritable(f"{target}: tags cannot be written: {error.strerror or error}") from error
    if sys.platform != "win32":
        with suppress(OSError):  # not every file system can
            folder = os.open(target.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
    return owner


def _has_holes(status: os.stat_result) -> bool:
    """Whether a file takes less of the disk than its size, as one does that was not yet downloaded whole."""
    return hasattr(status, "st_blocks") and 512 * status.st_blocks < status.st_size


def _write(file: BinaryIO, pieces: Iterable[bytes], holes: bool) -> None:
    """Write pieces; if there are to be holes, one in place of each that is all zeros."""
    for data in pieces:
        if holes and data.count(0) == len(data):
            file.seek(len(data), os.SEEK_CUR)
        else:
            file.write(data)
    file.truncate()  # so that a hole at the end counts


def tidy(folder: Path) -> None:
    """Remove the copies of runs that were killed; each folder once in a process."""
    if folder in _tidied:
        return
    _tidied.add(folder)
    with suppress(OSError), os.scandir(folder) as entries:
        left = [e.path for e in entries if _LEFT.fullmatch(e.name) and e.is_file(follow_symlinks=False)]
        for path in left:
            _remove_left(path)


def _remove_left(path: str) -> None:
    try:
        with locked(Path(path)):  # as its process holds it for as long as it writes
            _remove(path)
    except BlockingIOError:
        pass
    except OSError:  # a file system without locks
        if os.stat(path).st_mtime < time.time() - DAY:  # noqa: PTH116
            _remove(path)


@contextmanager
def _copy(folder: Path) -> Iterator[tuple[str, BinaryIO, Callable[[], None]]]:
    """A new file that is locked, and gone at the end unless it has another name then."""
    with _exit_on_sigterm(), ExitStack() as stack:
        while True:
            handle, name = tempfile.mkstemp(TEMPORARY[1], TEMPORARY[0], folder)
            os.close(handle)
            stack.callback(_remove, name)
            try:
                file = stack.enter_context(locked(Path(name)))
            except BlockingIOError:  # another process is about to tidy it away
                continue
            except OSError:
                file = stack.enter_context(Path(name).open("wb"))
            with suppress(FileNotFoundError):  # as it was tidied away before it was locked
                if os.path.samestat(os.stat(name), os.fstat(file.fileno())):  # noqa: PTH116
                    break
        yield name, file, file.close if sys.platform == "win32" else lambda: None


def _remove(name: str) -> None:
    with suppress(OSError):
        os.unlink(name)  # noqa: PTH108


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Make of SIGTERM an exit with code 143 that cleans up, where nobody else handles it."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _give(file: BinaryIO, target: Path, status: os.stat_result) -> list[str]:
    """Give a file the group and the owner of another."""
    if not hasattr(os, "fchown"):
        return []
    for owner in (status.st_uid, -1):
        with suppress(OSError):
            os.fchown(file.fileno(), owner, status.st_gid)
            break
    now = os.fstat(file.fileno())
    if now.st_gid != status.st_gid:
        raise TagsUnwritable(
            f"{target}: tags cannot be written: a copy would not have its group {status.st_gid}. "
            "Run as its owner or as a member of that group."
        )
    if now.st_uid != status.st_uid:
        return [f"it is owned by user {now.st_uid} now, no longer by {status.st_uid}"]
    return []


def time_of_change(status: os.stat_result, keep: bool, same_size: bool) -> int:
    """The time of modification for a changed file, in nanoseconds since 1970: now, unless it is to be kept.

    Where the size may stay, it is later than before also to what goes by two seconds, however soon that was.
    """
    now, then = time.time_ns(), status.st_mtime_ns
    if keep:
        return then
    soon = same_size and then < now + HOUR  # later than that, the time is wrong anyway
    return max(now, then + 2 * SECOND) if soon else now
