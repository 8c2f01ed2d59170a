"""A sound that is decoded once for several models."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autotag.audio.content import AudioInput
from autotag.audio.decode import Audio
from autotag.config import Excerpt
from autotag.errors import NoRoom

BLOCK = 1 << 18
"""Samples that are read back at once: 1 MiB."""


class Held(AbstractContextManager["Held"]):
    """The samples of a sound at one rate, in a temporary file: it iterates as `Audio` does, and again.

    Attributes:
        sr, duration, seconds_read, start, weights, warnings: as of `Audio`.
        decode_ms: milliseconds that decoding took, without the writing.

    Raises:
        AudioError: as `Audio` does.
    """

    def __init__(
        self, audio: AudioInput, sr: int, excerpt: Excerpt | float | None = None, *, name: str | None = None
    ) -> None:
        sound = Audio(audio, sr, excerpt, name=name)
        self.decode_ms = 0.0
        self._parts: list[tuple[float, int]] = []  # starts in seconds, ends in bytes
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        try:
            started = time.perf_counter()
            for start, blocks in sound.parts():
                for block in blocks:
                    self.decode_ms += 1000 * (time.perf_counter() - started)
                    self._write(block)
                    started = time.perf_counter()
                self._parts.append((start, self._file.tell()))
        except BaseException:
            self._file.close()
            raise
        self.sr, self.duration, self.seconds_read = sr, sound.duration, sound.seconds_read
        self.start, self.weights, self.warnings = sound.start, sound.weights, sound.warnings

    def _write(self, block: NDArray[np.float32]) -> None:
        try:
            data = np.ascontiguousarray(block, np.float32).tobytes()
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise NoRoom(
                f"{tempfile.gettempdir()}: temporary files cannot be written: {error.strerror}. Free some "
                "room, or name another folder with TMPDIR."
            ) from error

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for _, blocks in self.parts():
            yield from blocks

    def parts(self) -> Iterator[tuple[float, Iterator[NDArray[np.float32]]]]:
        """Each excerpt, or all as one: the second at which it starts, and its blocks [n]."""
        self._file.seek(0)
        for start, end in self._parts:
            yield start, self._blocks(end)

    def _blocks(self, end: int) -> Iterator[NDArray[np.float32]]:
        while block := self._file.read(min(4 * BLOCK, end - self._file.tell())):
            yield np.frombuffer(block, np.float32)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
