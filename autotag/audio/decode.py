"""Decode sound, or excerpts of it, to mono samples at a model's rate, in blocks and constant memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from autotag.audio import loudness
from autotag.audio.bitstream import Bitstream, unpacked
from autotag.audio.chunks import LOUDEST
from autotag.audio.content import AudioInput, Content, is_one
from autotag.audio.joined import opened
from autotag.audio.mel import Array
from autotag.audio.mono import Mono, without_offset
from autotag.audio.parts import LIE
from autotag.audio.samples import Samples
from autotag.audio.sndfile import window
from autotag.audio.source import Source
from autotag.config import FRAME, Excerpt
from autotag.errors import BadSamples, EmptyAudio, NotAudio, SilentAudio
from autotag.system.progress import reading

SLOWEST = 1000
"""A lower sample rate in Hz is not one of music but a damaged header."""


class Audio:
    """Sound that iterates as float32 blocks [n], mono, at `sr` Hz.

    Channels are averaged before resampling; where they cancel, one is taken. A constant offset is removed. A
    file that is damaged, or breaks off, gives what can be decoded of it.

    Args:
        source: a path; the content of a file as bytes, or as a file object that is read from where it stands;
            or (samples, their rate in Hz) with samples [n] or [n, channels].
        sr: sample rate in Hz of the blocks.
        excerpt: what to read of it: so many seconds from the middle, or several excerpts; all of a file that
            is shorter. What lies before and between is not decoded, unless the file does not say how long it
            is, or wrongly. Where less than half of what is read sounds, one excerpt is taken instead, where
            there is sound.
        name: what messages call it; by default its path, or "audio".

    Attributes, complete once the iteration is:
        name: what messages call it.
        path: of the file; None where it has none.
        duration: seconds of the file.
        seconds_read: of the blocks, which is less for an excerpt.
        start: seconds of the file at which the first starts.
        warnings: what a listener should know.

    Raises:
        TypeError, BadSamples: `source` is none of these.
        AudioNotFound, UnreadableAudio, EmptyAudio, NotAudio, BadSamples, SilentAudio: while iterating.
    """

    def __init__(
        self, source: AudioInput, sr: int, excerpt: Excerpt | float | None = None, *, name: str | None = None
    ) -> None:
        self._input = _input(source, name)
        self.name = self._input.name
        self.path = Path(os.fsdecode(source)) if isinstance(source, str | os.PathLike) else None
        self.sr = sr
        self.excerpt = Excerpt.of(excerpt)
        self._plain = False  # whether it is known that samples are samples
        self._reset()

    def _reset(self) -> None:
        self.duration = self.seconds_read = self.start = 0.0
        self._peak = self._cancelled = 0.0
        self.warnings: list[str] = []
        self._levels = loudness.Levels(self.sr)

    def __iter__(self) -> Iterator[Array]:
        for _, blocks in self.parts():
            yield from blocks

    def parts(self) -> Iterator[tuple[float, Iterator[Array]]]:
        """Each excerpt, or all as one: the second of the file at which it starts, and its blocks [n]."""
        self._reset()
        with reading(self.name), self._input:
            places = None if self.excerpt is None else self._places(self.excerpt)
            if places is None:
                yield 0.0, self._whole()
            else:
                yield from self._excerpts(*places)

    def weights(self, starts: NDArray[np.float64], seconds: float) -> Array:
        """The share of each segment that sounds, by which a mean over segments weighs them.

        Args:
            starts: seconds [segments] at which segments start in what was read.
            seconds: of a segment.

        Returns:
            float32 [segments], in 0..1, and not all 0.
        """
        return loudness.shares(self._levels.all(), starts, seconds)

    def _whole(self) -> Iterator[Array]:
        yield from self._sound(0, None)
        self._check()
        self.duration = self.seconds_read

    def _excerpts(self, starts: list[int], frames: int, rate: int) -> Iterator[tuple[float, Iterator[Array]]]:
        """Excerpts or, where they hardly sound, one from where there is sound."""
        duration = self.duration
        parts = [(start, list(self._sound(start, frames))) for start in starts]  # no longer than asked for
        if self._peak < loudness.SILENCE or loudness.may_be_silence(self._levels.all()):
            kept = vars(self).copy()
            self._reset()
            for _ in self._sound(0, None):
                pass
            better = loudness.best_start(self._levels.all(), frames / rate)
            if better is None:
                vars(self).update(kept)
            else:
                self._reset()
                parts = [(start := round(better * rate), list(self._sound(start, frames)))]
                what = "the middle is silent: the" if len(starts) == 1 else "most excerpts are silent: one"
                self._warn(f"{what} excerpt starts at {better:.1f} s")
        self._check()
        self.duration = duration
        self.start = parts[0][0] / rate
        for start, blocks in parts:
            yield start / rate, iter(blocks)

    def _places(self, excerpt: Excerpt) -> tuple[list[int], int, int] | None:
        """Where each excerpt starts, how many frames it has, and their rate; None for all of the file."""
        with self._opened() as file:
            rate = file.samplerate
            wanted = round(excerpt.seconds * rate)
            total = file.frames
            if total is not None and excerpt.count * wanted < total:
                last = _starts(total, wanted, excerpt.count)[-1] + wanted - 1
                if next(file.blocks(last), None) is None:  # the file breaks off, or is damaged before
                    total = None
                else:
                    self._say_what_is_missing(file, total)
        if total is None:
            with self._opened() as file:
                total = sum(map(len, file.blocks()))
                if total > excerpt.count * wanted:
                    self._say_what_is_missing(file, total)
        if total <= excerpt.count * wanted:
            return None
        self.duration = total / rate
        return _starts(total, wanted, excerpt.count), wanted, rate

    @contextmanager
    def _opened(self) -> Iterator[Source]:
        source: Source = self._input if isinstance(self._input, Samples) else opened(self._input)
        with source if self._plain else unpacked(source, self.name) as file:
            self._plain = not isinstance(file, Bitstream)
            if file.samplerate < SLOWEST:
                raise NotAudio(f"{self.name}: announces a sample rate of {file.samplerate} Hz: not music")
            yield file

    def _sound(self, start: int, frames: int | None) -> Iterator[Array]:
        """The blocks of an excerpt, or of all."""
        with self._opened() as file:
            if file.samplerate < self.sr:
                self._warn(
                    f"sample rate {file.samplerate} Hz: no sound above {file.samplerate // 2} Hz, "
                    f"where the model listens up to {self.sr // 2} Hz"
                )
            resampler = soxr.ResampleStream(file.samplerate, self.sr, 1, dtype="float32")
            mono = Mono(file.channels, file.samplerate)
            for samples in without_offset(self._monos(file, mono, start, frames), file.samplerate):
                self.seconds_read += len(samples) / file.samplerate
                yield self._kept(samples if file.samplerate == self.sr else resampler.resample_chunk(samples))
            if self.seconds_read * self.sr < FRAME:
                raise EmptyAudio(
                    f"{self.name}: holds {1000 * self.seconds_read:.1f} ms of sound: nothing to tag"
                )
            self._peak = max(self._peak, mono.peak)
            self._cancelled += mono.cancelled
            if file.samplerate != self.sr:
                yield self._kept(resampler.resample_chunk(np.zeros(0, np.float32), last=True))

    def _check(self) -> None:
        """What only all of the blocks tell."""
        if self._peak < loudness.SILENCE:
            raise SilentAudio(
                f"{self.name}: is silence (below -90 dBFS) for all {self.seconds_read:.1f} s: nothing to tag"
            )
        if self._cancelled:
            self._warn(
                "channels cancel, as if one were wired the wrong way round: one channel was heard for "
                f"{self._cancelled:.1f} of {self.seconds_read:.1f} s"
            )

    def _warn(self, *warnings: str) -> None:
        self.warnings += [warning for warning in warnings if warning not in self.warnings]

    def _monos(
        self, file: Source, mono: Mono, start: int, frames: int | None
    ) -> Iterator[tuple[Array, float]]:
        """Windows [n], of samples that may be sound, with their means."""
        at = start
        for block in self._read(file, start, frames):
            yield mono(block, self._power(block, at, file.samplerate))
            at += len(block)

    def _kept(self, block: Array) -> Array:
        self._levels.add(block)
        return block

    def _read(self, file: Source, start: int, frames: int | None) -> Iterator[Array]:
        """Windows [n, channels] of the file."""
        read = 0
        for block in loudness.windows(self._cut(file, start, frames), window(file.channels)):
            read += len(block)
            yield block
        if not read and file.problem:
            raise NotAudio(f"{self.name}: cannot be decoded: {file.problem}")
        self._warn(*file.warnings)
        if frames is None:
            self._say_what_is_missing(file, read)
        elif read < 0.99 * frames:
            self._warn(
                f"damaged: {read / file.samplerate:.1f} of the {frames / file.samplerate:.1f} s in the "
                "middle could be decoded"
            )

    @staticmethod
    def _cut(file: Source, start: int, frames: int | None) -> Iterator[Array]:
        left = frames
        for block in file.blocks(start):
            yield block if left is None else block[:left]
            if left is not None and (left := left - len(block)) <= 0:
                return

    def _say_what_is_missing(self, file: Source, read: int) -> None:
        """Add a warning if fewer frames could be read than the file announces."""
        what = "damaged" if file.problem else "ends early"
        seconds = read / file.samplerate
        announced = file.announced
        if announced is None or announced > LIE * read:  # which no file of that size could hold
            if file.problem:
                self._warn(f"{what}: {seconds:.1f} s could be decoded")
        elif read < 0.99 * announced or (file.problem and read < announced - file.samplerate / 10):
            whole = announced / file.samplerate
            self._warn(f"{what}: {seconds:.1f} of {whole:.1f} s could be decoded")

    def _power(self, block: Array, start: int, samplerate: int) -> float:
        """The sum of the squares of a block [n, channels]; samples that are no sound are refused."""
        flat = block.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            power = float(flat @ flat)
        if power <= LOUDEST**2 or float(np.abs(block).max()) <= LOUDEST:
            return power
        loud = np.abs(block).max(axis=1)
        first = int(np.argmax(~(loud <= LOUDEST)))
        raise BadSamples(
            f"{self.name}: a sample at {(start + first) / samplerate:.3f} s is {loud[first]:g}, "
            "where full scale is 1. Write the file again with samples in -1..1."
        )


def decode(
    source: AudioInput, sr: int, excerpt: Excerpt | float | None = None, *, name: str | None = None
) -> Array:
    """Sound, or excerpts of it, as mono float32 samples [n] at `sr` Hz; the rest is as of `Audio`."""
    return np.concatenate(list(Audio(source, sr, excerpt, name=name)))


def _starts(total: int, wanted: int, count: int) -> list[int]:
    """Where excerpts of so many frames start: each is the middle of one of `count` equal parts."""
    return [((2 * i + 1) * total - count * wanted) // (2 * count) for i in range(count)]


def _input(source: Any, name: str | None) -> Content | Samples:
    """What is to be decoded.

    Raises:
        TypeError: nothing that can be.
    """
    if isinstance(source, tuple) and len(source) == 2:
        return Samples(*source, name or "audio")
    if is_one(source):
        return Content(source, name)
    raise TypeError(
        f"audio is {source!r:.60}, of type {type(source).__name__}. Give a path, bytes, a file opened in "
        "binary mode, or (samples, rate)."
    )
