"""Audio files through libsndfile: WAV, FLAC, OGG, Opus, MP3, AIFF and its many others."""

import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import numpy as np
import soundfile

from autotag.audio.mel import Array

BLOCK = 1 << 16
"""Samples decoded at once, all channels together: 256 KiB of float32."""

UNKNOWN = 1 << 62
"""libsndfile announces more frames than this where a stream does not say how many it has."""


class Refused(Exception):
    """libsndfile does not know the format."""


class Libsndfile:
    """A `Source` (see `autotag.audio.decode`).

    Args:
        path: of a file that is there.
        head: its first bytes, without ID3 tags, and
        offset: where they stand.

    Raises:
        Refused: the format is not one of libsndfile's.
    """

    def __init__(self, path: Path, head: bytes, offset: int) -> None:
        try:
            if _is_mp3_of_unknown_length(head) and sys.platform != "win32":
                self._file = _open_as_pipe(path, offset)
            else:
                # On Windows soundfile wants text; elsewhere it would encode it, and refuse what is not UTF-8.
                self._file = soundfile.SoundFile(str(path) if sys.platform == "win32" else os.fsencode(path))
        except (soundfile.LibsndfileError, TypeError) as error:
            raise Refused(str(error)) from error
        self.samplerate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.frames: int | None = self._file.frames if self._file.frames < UNKNOWN else None
        self.problem = ""
        self.warnings: list[str] = []
        if self.frames is None and self._file.format == "OGG":
            self.warnings.append("several streams one after the other: only the first was read")
        announced = re.search(r"(?:data|SSND) : (\d+) \(should be", self._file.extra_info)
        if announced and int(announced[1]) < 0xFFFFFF00:  # which stands for a length that was not known
            self.warnings.append("ends early: its header announces more")

    def blocks(self, start: int = 0) -> Iterator[Array]:
        self.problem = ""
        if self.frames is None:
            return dropped(self._blocks(), start)
        try:
            self._file.seek(start)
        except soundfile.LibsndfileError as error:
            self.problem = error.error_string or "its middle cannot be reached"
            return iter(())
        return self._blocks()

    def _blocks(self) -> Iterator[Array]:
        out = np.empty((max(1, BLOCK // self.channels), self.channels), np.float32)
        read = 0
        while not self.problem:
            out.fill(np.nan)  # so that what was decoded before an error can be told
            try:
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


def _is_mp3_of_unknown_length(head: bytes) -> bool:
    """Whether this is an MP3 whose first frame does not say how many there are.

    libsndfile then guesses from the bit rate of that frame, and cuts what is longer off.
    """
    frame = head.lstrip(b"\0")
    is_mp3 = frame[:1] == b"\xff" and frame[1:2] >= b"\xe0" and frame[1] & 0b110  # whose layer 0 is AAC
    return bool(is_mp3) and not any(name in frame for name in (b"Xing", b"Info", b"VBRI"))


def _open_as_pipe(path: Path, offset: int) -> soundfile.SoundFile:
    """Open the file through a pipe, whose end libsndfile does not think to know; it cannot skip long tags."""
    receive, send = os.pipe()

    def feed() -> None:
        with suppress(BrokenPipeError), path.open("rb") as file, os.fdopen(send, "wb") as pipe:
            file.seek(offset)
            shutil.copyfileobj(file, pipe)

    threading.Thread(target=feed, daemon=True).start()
    return soundfile.SoundFile(receive)  # which closes it, also when it fails
