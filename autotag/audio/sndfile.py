"""Audio through libsndfile: WAV, FLAC, OGG, Opus, MP3, AIFF and its many others."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import numpy as np
import soundfile

from autotag.audio.content import View
from autotag.audio.mel import Array
from autotag.audio.quiet import decoder_notes_dropped

UNKNOWN = 1 << 62
"""libsndfile announces more frames than this where a stream does not say how many it has."""


class Refused(Exception):
    """A decoder does not know the format, or cannot decode it; the words say why."""


def window(channels: int) -> int:
    """Frames that are decoded, and looked at, together: 256 KiB of float32."""
    return max(256, (1 << 16) // channels)


class _SoundFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that reads through a View.

    Whatever is raised while C waits for a read, Ctrl-C too, is kept in its content and not printed and
    forgotten, as cffi does by default.
    """

    def seekable(self) -> bool:
        """Not, as far as `read` is concerned: else it would seek to where it is after each block."""
        return False

    def _init_virtual_io(self, view: View) -> Any:
        ffi = soundfile._ffi

        buffer, memmove = ffi.buffer, ffi.memmove

        def read(to: Any, count: int, _: Any) -> int:
            held = view.held(count)  # most reads are of a few bytes, and there are thousands of them
            if held is None:
                return view.readinto(buffer(to, count))
            memmove(to, held, count)
            return count

        def callback(kind: str, function: Callable[..., int]) -> Any:
            return ffi.callback(
                kind, function, error=0, onerror=lambda _, error, __: view.content.failed(error)
            )

        self._virtual_io = {
            "get_filelen": callback("sf_vio_get_filelen", lambda _: view.size),
            "seek": callback("sf_vio_seek", lambda offset, whence, _: view.seek(offset, whence)),
            "read": callback("sf_vio_read", read),
            "write": callback("sf_vio_write", lambda _, __, ___: 0),
            "tell": callback("sf_vio_tell", lambda _: view.tell()),
        }
        return ffi.new("SF_VIRTUAL_IO*", self._virtual_io)


class Libsndfile:
    """A `Source` (see `autotag.audio.source`).

    Raises:
        Refused: the format is not one of libsndfile's.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        view.seek(0)
        try:
            with decoder_notes_dropped():
                self._file = _SoundFile(view)
        except (soundfile.LibsndfileError, TypeError) as error:
            raise Refused(str(getattr(error, "error_string", error))) from error
        # Only libmpg123 writes to the terminal, which decodes what is in some WAVs too.
        self._quiet: Callable[[], AbstractContextManager[None]] = (
            decoder_notes_dropped if self._file.subtype.startswith("MPEG") else nullcontext
        )
        self.samplerate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.frames: int | None = self._file.frames if self._file.frames < UNKNOWN else None
        self.announced = self.frames
        self.lossless: bool = self._file.format not in ("MP3", "OGG") and "MPEG" not in self._file.subtype
        self.problem = ""
        self.warnings: list[str] = []
        self._begun = False

    @property
    def left(self) -> int:
        """Bytes behind those that were decoded."""
        return self._view.left

    def blocks(self, start: int = 0) -> Iterator[Array]:
        self.problem = ""
        if self.frames is None:
            return dropped(self._blocks(), start)
        try:
            if start or self._begun:  # libsndfile cannot go back to where a FLAC without its header begins
                with self._quiet():
                    self._file.seek(start)
        except soundfile.LibsndfileError as error:
            self.problem = error.error_string or "its middle cannot be reached"
            return iter(())
        return self._blocks()

    def _blocks(self) -> Iterator[Array]:
        out = np.empty((window(self.channels), self.channels), np.float32)
        self._begun = True
        read = 0
        while not self.problem:
            out.fill(np.nan)  # so that what was decoded before an error can be told
            try:
                with self._quiet():
                    block = self._file.read(out=out)
            except soundfile.LibsndfileError as error:
                self.problem = error.error_string
                block = out[: np.argmax(np.append(np.isnan(out[:, 0]), True))]
            if not len(block):
                break
            read += len(block)
            yield block
        if read and self.frames is None:
            self.problem = ""  # which is what libsndfile calls the end that it did not know of

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def dropped(blocks: Iterator[Array], frames: int) -> Iterator[Array]:
    """The blocks without the first frames."""
    for block in blocks:
        if frames < len(block):
            yield block[frames:]
        frames = max(0, frames - len(block))
