"""The bytes of one input, wherever they come from, as every decoder reads them."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from autotag.audio.folders import check
from autotag.errors import AudioError, UnreadableAudio
from autotag.system.progress import progressed

AudioInput = str | os.PathLike[str] | bytes | BinaryIO | tuple[NDArray[Any], int]
"""A file by its path; its content as bytes, or as a file object that is read from where it stands; or samples
[n] or [n, channels] and their rate in Hz."""

PIECE = 1 << 20
"""Bytes read at once where the whole of a file is searched."""


AHEAD = 1 << 16
"""Bytes that are read at once for a decoder that asks for a few."""


def is_one(audio: object) -> bool:
    """Whether this is one sound and no list of some, though it could be gone through as one."""
    if isinstance(audio, tuple):
        return len(audio) == 2 and isinstance(audio[0], np.ndarray) and isinstance(audio[1], Real)
    return isinstance(audio, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(audio, "read")


class Content:
    """The bytes of a path, of bytes or of a file object; a context manager, entered as often as one likes.

    Attributes:
        name: what messages call it.
        path: of a file that has one.
        size: in bytes.
        error: what was raised when a read failed. Decoders, which are C, see the end of the file instead:
            whoever asks them has to look here (`check`).
    """

    def __init__(self, source: str | os.PathLike[str] | bytes | BinaryIO, name: str | None = None) -> None:
        self.path: str | None = None
        self._given: bytes | BinaryIO | None = None
        if isinstance(source, str | os.PathLike):
            self.path = os.fsdecode(source)
        elif isinstance(source, bytes | bytearray | memoryview):
            self._given = bytes(source)
        else:
            self._given = source
        named = getattr(source, "name", None)  # of a file object
        self.name = name or self.path or (named if isinstance(named, str) else "audio")
        self.size = 0
        self.error: BaseException | None = None
        self.known: Any = None  # what was found out of its structure, for the next time that it is opened
        self._start: int | None = None  # where a file object stood
        self._furthest = 0  # byte that was read

    def __enter__(self) -> Self:
        self.error = self.known = None
        self._furthest = 0
        try:
            self._file = self._opened()
            self._base = self._start or 0
            self.size = max(0, self._file.seek(0, os.SEEK_END) - self._base)
        except AudioError:
            raise
        except (OSError, ValueError) as error:  # such as a file object that is closed
            raise UnreadableAudio(f"{self.name}: cannot be read: {_reason(error)}") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self.path is not None:
            self._file.close()
        elif self._start is not None:
            self._file.seek(self._start)

    def _opened(self) -> BinaryIO:
        if self.path is not None:
            check(Path(self.path))
            return open(self.path, "rb", buffering=0)  # noqa: PTH123
        if not isinstance(self._given, bytes):
            assert self._given is not None
            if self._given.seekable():
                self._start = self._given.tell() if self._start is None else self._start
                return self._given
            self._given = self._all(self._given)
        return io.BytesIO(self._given)

    def _all(self, file: BinaryIO) -> bytes:
        data = file.read()
        if not isinstance(data, bytes):
            name = type(data).__name__
            raise UnreadableAudio(f"{self.name}: cannot be read: it reads as {name}. Open it in binary mode.")
        return data

    def failed(self, error: BaseException) -> None:
        """Keep an error until somebody can raise it."""
        self.error = self.error or error

    def check(self) -> None:
        """Raise what was kept: UnreadableAudio if a read failed."""
        if isinstance(self.error, Exception):
            raise UnreadableAudio(f"{self.name}: cannot be read: {_reason(self.error)}") from self.error
        if self.error is not None:
            raise self.error

    def check_all(self) -> None:
        """Raise why a program that read the file by itself could not: read all of it again."""
        at = 0
        while at < self.size and (data := self.read(at, PIECE)):
            at += len(data)
        self.check()

    def read(self, at: int, count: int) -> bytes:
        """So many bytes from that offset; fewer at the end, or where reading fails."""
        pieces: list[bytes] = []
        count = min(count, self.size - at)
        try:
            if self.error is None:
                self._file.seek(self._base + at)
                while count > 0 and (piece := self._file.read(count)):
                    if not isinstance(piece, bytes):
                        raise TypeError(f"it reads as {type(piece).__name__}. Open it in binary mode.")
                    pieces.append(piece)
                    count -= len(piece)
                    at += len(piece)
                    if at > self._furthest:  # a decoder that reads the same again may do so for ever
                        self._furthest = at
                        progressed()
        except Exception as error:  # whatever a file object raises
            self.failed(error)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def find(self, pattern: bytes, start: int, stop: int) -> Iterator[int]:
        """Where the pattern occurs, in order."""
        at = start
        while at < stop and len(data := self.read(at, min(PIECE, stop - at))) >= len(pattern):
            found = data.find(pattern)
            while found >= 0:
                yield at + found
                found = data.find(pattern, found + 1)
            at += len(data) - len(pattern) + 1

    @contextmanager
    def descriptor(self) -> Iterator[int]:
        """A file descriptor of it for another process, at its start."""
        if self.path is not None:
            file = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            try:
                yield file
            finally:
                os.close(file)
            return
        with _in_memory() as copy:
            for at in range(0, self.size, PIECE):
                copy.write(self.read(at, PIECE))
            copy.flush()
            copy.seek(0)
            yield copy.fileno()


class View:
    """A part of a content as a file object for decoders, with bytes that go before it.

    Args:
        start, stop: offsets in the content.
        prefix: stands in front, such as a header that tells the truth.
    """

    def __init__(self, content: Content, start: int, stop: int, prefix: bytes = b"") -> None:
        self.content = content
        self.start = start
        self.stop = stop
        self.prefix = prefix
        self.size = len(prefix) + max(0, stop - start)
        self._at = 0
        self._held = memoryview(b"")  # bytes that were read ahead
        self._held_at = self._held_stop = 0

    def readinto(self, into: Any) -> int:
        self._held = memoryview(self._read(self._at, max(len(into), AHEAD)))
        self._held_at, self._held_stop = self._at, self._at + len(self._held)
        count = min(len(into), len(self._held))
        into[:count] = self._held[:count]
        self._at += count
        return count

    def held(self, count: int) -> memoryview | None:
        """So many bytes, if they have been read ahead."""
        at = self._at
        stop = at + count
        if at < self._held_at or stop > self._held_stop:
            return None
        self._at = stop
        return self._held[at - self._held_at : stop - self._held_at]

    def read(self, count: int = -1) -> bytes:
        data = self._read(self._at, self.size if count < 0 else count)
        self._at += len(data)
        return data

    def _read(self, at: int, count: int) -> bytes:
        before = self.prefix[at : at + count]
        behind = max(0, at - len(self.prefix))
        count = min(count, self.size - at) - len(before)
        if count <= 0:
            return before
        data = self.content.read(self.start + behind, count)
        return before + data if before else data

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self.size)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    @property
    def left(self) -> int:
        """Bytes behind the last one that was read."""
        return max(0, self.size - self._at)


def _in_memory() -> BinaryIO:
    """A file without a name; only where the system has none in memory, on a disk."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("audio"), "w+b")  # noqa: PTH123
    import tempfile

    return tempfile.TemporaryFile()


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
