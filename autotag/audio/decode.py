"""Decode a file, or its middle, to mono samples at a model's rate, block by block, in constant memory."""

import math
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

import numpy as np
import soxr
from numpy.typing import NDArray

from autotag.audio import ffmpeg
from autotag.audio.folders import check
from autotag.audio.mel import Array
from autotag.audio.sndfile import Libsndfile, Refused
from autotag.config import FRAME
from autotag.errors import (
    BadSamples,
    EmptyAudio,
    NotAudio,
    SilentAudio,
    UnreadableAudio,
)

SILENCE = 10 ** (-90 / 20)
"""A peak below -90 dBFS, the last bit of a 16-bit file, is silence."""

LOUDEST = 100.0
"""A peak over this is not a loud song (full scale is 1) but integers in a float file, or garbage."""

SLOWEST = 1000
"""A lower sample rate in Hz is not one of music but a damaged header."""


FORMATS = "WAV, FLAC, MP3, OGG, Opus, AIFF or MPEG-4 audio"


AudioInput = str | PathLike[str] | bytes | BinaryIO | tuple[NDArray[Any], int]
"""A path; the content of an encoded file, or a file object of it; or samples and their rate in Hz."""


class Source(Protocol):
    """An open file, whichever library decodes it; a context manager.

    Attributes:
        samplerate, channels: of the blocks.
        frames: how many the file announces; None where it does not, or only guesses.
        problem: why blocks ended before the file's end, or what could not be decoded; "" if nothing.
        warnings: what else should be known.
    """

    samplerate: int
    channels: int
    frames: int | None
    problem: str
    warnings: list[str]

    def blocks(self, start: int = 0) -> Iterator[Array]:
        """Samples [n, channels], n > 0, from the frame `start` on; none if it cannot be reached."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class Audio:
    """An audio file that iterates as float32 blocks [n], mono, at `sr` Hz.

    Channels are averaged before resampling. A file that is damaged, or an MP3 that breaks off, gives
    what can be decoded of it.

    Args:
        path: of the file.
        sr: sample rate in Hz of the blocks.
        excerpt: how many seconds to hear, from the middle of the file; all of a file that is shorter.
            What comes before is not decoded, unless the file does not say how long it is, or wrongly.

    Attributes, complete once the iteration is:
        duration: seconds of the file.
        seconds_read: seconds of the blocks, which is less for an excerpt.
        warnings: what a listener should know.

    Raises (while iterating):
        AudioNotFound, UnreadableAudio, EmptyAudio, NotAudio, BadSamples, SilentAudio
    """

    def __init__(
        self, path: "AudioInput", sr: int, excerpt: float | None = None, *, name: str | None = None
    ) -> None:
        if excerpt is not None and not 0 < excerpt < math.inf:
            raise ValueError(f"an excerpt of {excerpt} s: use a number of seconds above 0")
        self.path = Path(path)  # type: ignore[arg-type]
        self.sr = sr
        self.excerpt = excerpt
        self.duration = 0.0
        self.seconds_read = 0.0
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[Array]:
        self.duration = self.seconds_read = 0.0
        self.warnings = []
        start, stop = (0, None) if self.excerpt is None else self._middle(self.excerpt)
        with _open(self.path) as file:
            if file.samplerate < SLOWEST:
                raise NotAudio(f"{self.path}: announces a sample rate of {file.samplerate} Hz: not music")
            if file.samplerate < self.sr:
                self.warnings.append(
                    f"sample rate {file.samplerate} Hz: no sound above {file.samplerate // 2} Hz, "
                    f"where the model listens up to {self.sr // 2} Hz"
                )
            resampler = soxr.ResampleStream(file.samplerate, self.sr, 1, dtype="float32")
            average = np.full(file.channels, 1 / file.channels, np.float32)
            peak = 0.0
            for block in self._read(file, start, stop):
                self._check(block, start, file.samplerate)
                mono = block @ average
                self.seconds_read += len(mono) / file.samplerate
                peak = max(peak, float(mono.max()), -float(mono.min()))
                yield mono if file.samplerate == self.sr else resampler.resample_chunk(mono)
            if stop is None:
                self.duration = self.seconds_read
            if self.seconds_read * self.sr < FRAME:
                raise EmptyAudio(
                    f"{self.path}: holds {1000 * self.seconds_read:.1f} ms of sound: nothing to tag"
                )
            if peak < SILENCE:
                raise SilentAudio(
                    f"{self.path}: its channels' average is silence (below -90 dBFS) for all "
                    f"{self.seconds_read:.1f} s: nothing to tag"
                )
            if file.samplerate != self.sr:
                yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)

    def _middle(self, excerpt: float) -> tuple[int, int | None]:
        """Where the excerpt starts and stops, in frames; (0, None) for a file that is no longer."""
        with _open(self.path) as file:
            wanted = round(excerpt * file.samplerate)
            total = file.frames
            if total is not None and wanted < total:
                last = (total + wanted) // 2 - 1
                if next(file.blocks(last), None) is None:  # the file breaks off, or is damaged before
                    total = None
        if total is None:
            with _open(self.path) as file:
                total = sum(map(len, file.blocks()))
                if total > wanted:
                    self._say_what_is_missing(file, total)
        if total <= wanted:
            return 0, None
        self.duration = total / file.samplerate
        return (total - wanted) // 2, (total + wanted) // 2

    def _read(self, file: Source, start: int, stop: int | None) -> Iterator[Array]:
        read = 0
        left = stop - start if stop is not None else None
        for block in file.blocks(start):
            if left is not None:
                block = block[: left - read]
            read += len(block)
            yield block
            if read == left:
                break
        if not read and file.problem:
            raise NotAudio(f"{self.path}: cannot be decoded: {file.problem}")
        self.warnings += file.warnings
        if left is None:
            self._say_what_is_missing(file, read)
        elif read < 0.99 * left:
            self.warnings.append(
                f"damaged: {self.seconds_read:.1f} of the {left / file.samplerate:.1f} s in the middle "
                "could be decoded"
            )

    def _say_what_is_missing(self, file: Source, read: int) -> None:
        """Add a warning if fewer frames could be read than the file announces."""
        what = "damaged" if file.problem else "ends early"
        seconds = read / file.samplerate
        if file.frames is None:
            if file.problem:
                self.warnings.append(f"{what}: {seconds:.1f} s could be decoded")
        elif read < 0.99 * file.frames:
            announced = file.frames / file.samplerate
            self.warnings.append(f"{what}: {seconds:.1f} of {announced:.1f} s could be decoded")

    def _check(self, block: Array, start: int, samplerate: int) -> None:
        """Refuse samples that are no sound: block [n, channels]."""
        if np.abs(block).max() <= LOUDEST:
            return
        loud = np.abs(block).max(axis=1)
        first = int(np.argmax(~(loud <= LOUDEST)))
        raise BadSamples(
            f"{self.path}: a sample at {self.seconds_read + (start + first) / samplerate:.3f} s is "
            f"{loud[first]:g}, where full scale is 1: write the file again with samples in -1..1"
        )


def decode(path: str | Path, sr: int) -> Array:
    """A whole file as mono float32 samples [n] at `sr` Hz; raises as `Audio` does."""
    return np.concatenate(list(Audio(path, sr)))


def _open(path: Path) -> Source:
    """Open with libsndfile, or what it does not know with ffmpeg."""
    check(path)
    try:
        with path.open("rb") as file:
            start = file.read(12)
            offset, head = _head(file)
    except OSError as error:
        raise UnreadableAudio(f"{path}: cannot be read: {error.strerror}") from error
    if not start:
        raise EmptyAudio(f"{path}: the file is empty (0 bytes)")
    try:
        return Libsndfile(path, head, offset)
    except Refused as error:
        if foreign := ffmpeg.recognised(head):
            return ffmpeg.opened(path, foreign)
        what = f"not {FORMATS}, or damaged (it starts with {start!r})"
        raise NotAudio(f"{path}: {what}: convert it, for example with ffmpeg") from error


def _head(file: BinaryIO) -> tuple[int, bytes]:
    """Where the audio of a file begins, after ID3 tags and zeros behind them, and its first 4 KiB."""
    start = 0
    while True:
        file.seek(start)
        head = file.read(4096)
        if head[:3] == b"ID3" and len(head) >= 10:  # its length stands there in 4 times 7 bits
            start += 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        elif start and head[:1] == b"\0":  # room for a longer tag
            start += len(head) - len(head.lstrip(b"\0"))
        else:
            return start, head
