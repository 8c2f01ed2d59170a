"""Which decoder is asked: libsndfile, then PyAV, then an ffmpeg program.

A refusal by one is not the last word, nor is the end of what it could decode: where bytes are left, the next
one goes on from there. (Files that were joined are one after the other: see `autotag.audio.joined`.)
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, Self

import numpy as np
import soxr

from autotag.audio.content import Content, View
from autotag.audio.formats import Format
from autotag.audio.loudness import SILENCE
from autotag.audio.mel import Array
from autotag.audio.ogg import streams
from autotag.audio.parts import Part
from autotag.audio.sndfile import Libsndfile, Refused, dropped
from autotag.errors import AudioError, NotAudio
from autotag.system.progress import progressed

LEFT = 1 << 14
"""Bytes that a decoder may leave at the end: it reads ahead, and tags stand there."""


class Source(Protocol):
    """Sound that is open, whichever library decodes it; a context manager.

    Attributes:
        samplerate, channels: of the blocks.
        frames: how many there are, as far as is known without decoding; None where it is not.
        announced: how many a header says there are; None where none does.
        lossless: whether samples are those that were encoded, bit by bit.
        problem: why blocks ended before the end, or what could not be decoded; "" if nothing.
        warnings: what else should be known.
        left: bytes that the decoder did not come to.
    """

    samplerate: int
    channels: int
    announced: int | None
    lossless: bool
    problem: str
    warnings: list[str]

    @property
    def frames(self) -> int | None: ...

    @property
    def left(self) -> int: ...

    def blocks(self, start: int = 0) -> Iterator[Array]:
        """Samples [n, channels], n > 0, from the frame `start` on; none if it cannot be reached.

        A block is only good until the next one.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class PartSource:
    """A `Source` of one part of a content, by whichever decoder can, and by the next one where it cannot.

    Raises:
        NotAudio: no decoder can.
        UnreadableAudio: the content cannot be read.
    """

    def __init__(self, content: Content, part: Part, found: Format | None) -> None:
        self._content = content
        self._part = part
        self._found = found
        self.problem = "bytes are damaged" if part.damaged else ""
        self.warnings: list[str] = []
        self._open: list[Source] = []
        self._untried = self._decoders()
        reasons: list[str] = []
        now = self._next(reasons)
        if now is None:
            name = found.name if found else "a format that is not known"
            said = next(filter(None, [*reasons[1:], *reasons]), "damaged")  # libsndfile knows least of it
            said = f"it lacks {part.lacks}" if part.lacks else said
            raise NotAudio(f"{content.name}: {name} that cannot be decoded: {said}")
        self.samplerate, self.channels = now.samplerate, now.channels
        self.lossless = now.lossless
        self.frames = None if part.headless else now.frames
        self.announced: int | None = None
        if now.announced is not None and not (part.guessed and not part.missing):
            self.announced = round(now.announced / max(1e-9, 1 - part.missing))
        self.warnings += now.warnings

    @property
    def left(self) -> int:
        return max(source.left for source in self._open)

    def blocks(self, start: int = 0) -> Iterator[Array]:
        self.problem = "bytes are damaged" if self._part.damaged else ""
        at = start
        now: Source | None = self._open[0]
        while now is not None:
            blocks = self._guarded(now, at) if not self._part.headless else dropped(self._guarded(now, 0), at)
            for block in blocks:
                at += len(block)
                yield block
            if not now.problem or (self.frames is not None and at >= self.frames):
                return
            self.problem = now.problem
            # Behind the damage there may be more. What cannot be reached in the middle was never begun.
            if not (now.left > LEFT and at > start) and at > 0:
                return
            now = self._next([])

    def _guarded(self, decoder: Source, start: int) -> Iterator[Array]:
        """Its blocks, conforming to the first decoder; what it raises is a problem of this file."""
        try:
            blocks = decoder.blocks(start)
            for block in conformed(blocks, decoder, self.samplerate, self.channels):
                self._content.check()
                progressed()
                yield block
        except AudioError:
            raise
        except Exception as error:
            decoder.problem = str(error) or type(error).__name__
        self._content.check()

    def _next(self, reasons: list[str]) -> Source | None:
        """The next decoder that can open it."""
        for open_it in self._untried:
            try:
                source = open_it()
                if source.samplerate < 1 or source.channels < 1:
                    source.__exit__()
                    raise Refused(f"a sample rate of {source.samplerate} Hz")
                self._open.append(source)
            except AudioError:
                raise
            except Exception as error:
                self._content.check()
                reasons.append(str(error))
            else:
                self._content.check()
                return self._open[-1]
        return None

    def _decoders(self) -> Iterator[Callable[[], Source]]:
        """What may open it, the quickest first."""
        part, found = self._part, self._found
        view = View(self._content, part.start, part.stop, part.prefix)
        libsndfile = partial(Libsndfile, view)
        # Of several streams it reads the first one, and does not say that there are others.
        several = found is not None and found.demuxer == "ogg" and streams(self._content, part.start) > 1
        if not several:
            yield libsndfile
        if found is None:
            return
        demuxer = found.demuxer
        try:
            import av  # noqa: F401 now, so that it is known whether there is one

            with_av = True
        except ImportError:
            with_av = False
        if with_av:
            from autotag.audio.ffmpeg import PyAV

            yield lambda: self._with_sound(lambda track: PyAV(view, demuxer, track))
        from shutil import which

        if (program := which("ffmpeg")) is not None:
            from autotag.audio.program import Program

            yield lambda: self._with_sound(lambda track: Program(program, view, demuxer, track))
        if several:
            yield libsndfile
        if program is None and not with_av:
            yield self._nothing_here

    def _nothing_here(self) -> Source:
        assert self._found
        if self._open:
            raise Refused("")
        raise NotAudio(
            f"{self._content.name}: {self._found.name}, which autotag reads with PyAV or an ffmpeg program: "
            "pip install av, or put ffmpeg on the PATH"
        )

    def _with_sound(self, track: Callable[[int], Any]) -> Any:
        """The first track that has sound; it is said if there are others."""
        source = track(0)
        count: int = source.tracks
        if count < 2:
            return source
        number = next((number for number in range(count) if self._sounds(track, number)), 0)
        source.__exit__()
        source = track(number)
        source.warnings.append(
            f"{count} tracks of sound: only track {number + 1} was read, the first with sound"
        )
        return source

    def _sounds(self, track: Callable[[int], Any], number: int) -> bool:
        with suppress(Refused), track(number) as source:
            return any(np.abs(block).max(initial=0) > SILENCE for block in source.blocks())
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for source in self._open:
            source.__exit__()


def conformed(blocks: Iterator[Array], source: Source, samplerate: int, channels: int) -> Iterator[Array]:
    """Blocks of a source at another rate and with other channels: their average is heard in all."""
    if source.channels != channels:
        blocks = (np.repeat(b.mean(axis=1, keepdims=True), channels, axis=1) for b in blocks)
    if source.samplerate != samplerate:
        blocks = _resampled(blocks, source.samplerate, samplerate, channels)
    return blocks


def _resampled(blocks: Iterator[Array], old: int, new: int, channels: int) -> Iterator[Array]:
    stream = soxr.ResampleStream(old, new, channels, dtype="float32")
    for block in blocks:
        if len(piece := stream.resample_chunk(np.ascontiguousarray(block))):
            yield piece.reshape(-1, channels)
    if len(piece := stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)):
        yield piece.reshape(-1, channels)
