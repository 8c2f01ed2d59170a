"""Samples that are none: a WAV or FLAC from a disc, a cable or an import may hold AC-3, DTS or a file."""

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any, NamedTuple, Self, cast

import numpy as np

from autotag.audio.mel import Array
from autotag.audio.mpeg import adts_length, mp3_length
from autotag.audio.sndfile import Refused
from autotag.audio.source import Source
from autotag.audio.streams import DTS, IEC_61937, ac3_length, begins, chained
from autotag.errors import NotAudio

QUIET_BLOCKS = 160
"""Blocks of zeros that may come before a bitstream: at 48 kHz in stereo almost two minutes."""


class Coded(NamedTuple):
    """What samples are in truth: ffmpeg's name of it, ours, and whether bytes are swapped in pairs."""

    demuxer: str
    name: str
    swapped: bool


_TYPES = {
    1: "AC-3",
    4: "MPEG audio",
    5: "MPEG audio",
    7: "AAC",
    11: "DTS",
    12: "DTS",
    13: "DTS",
    17: "DTS-HD",
    21: "E-AC-3",
    22: "TrueHD",
}


def recognised(block: Array) -> Coded | None:
    """What samples [n, channels] are, if they are a bitstream."""
    words = _words(block)
    for swapped, data in ((False, words.tobytes()), (True, words.byteswap().tobytes())):
        bursts = _places(IEC_61937, data)
        if len(bursts) > 1 and all(at % 2 == 0 for at in bursts):
            name = _TYPES.get(data[bursts[0] + 4] & 0x1F, "coded sound")
            return Coded("spdif", f"{name} in an IEC 61937 bitstream", swapped)
        if (at := chained(data, b"\x0b\x77", ac3_length)) is not None:
            extended = data[at + 5] >> 3 > 10
            return Coded("ac3", f"an {'E-' * extended}AC-3 bitstream", swapped)
        for sync in DTS if not swapped else ():
            places = _places(sync, data)
            if len(places) > 2 and len({after - before for before, after in pairwise(places)}) == 1:
                return Coded("dts", "a DTS bitstream", swapped)
        if (file := _file(data.lstrip(b"\0"))) is not None:
            return Coded(*file, swapped)
    return None


def _file(data: bytes) -> tuple[str, str] | None:
    """The file that bytes begin with, by ffmpeg's name and ours."""
    if data.startswith(b"ID3") or begins(data, 0, mp3_length):
        return "mp3", "an MP3"
    if begins(data, 0, adts_length):
        return "aac", "an AAC stream"
    return {b"fLaC": ("flac", "a FLAC"), b"OggS": ("ogg", "an Ogg file")}.get(data[:4])


def _places(pattern: bytes, data: bytes) -> list[int]:
    found = []
    at = data.find(pattern)
    while at >= 0:
        found.append(at)
        at = data.find(pattern, at + 1)
    return found


def _words(block: Array) -> np.ndarray[Any, np.dtype[np.int16]]:
    with np.errstate(invalid="ignore"):
        return np.rint(np.clip(block, -1, 1) * 32768).clip(-32768, 32767).astype("<i2")


def unpacked(source: Source, name: str) -> Source:
    """The source, or if its samples are a bitstream what that decodes to.

    Raises:
        NotAudio: it cannot be decoded here.
    """
    if not source.lossless or source.channels > 2:
        return source
    blocks = source.blocks()
    zeros = 0
    while (
        (first := next(blocks, None)) is not None and zeros < QUIET_BLOCKS and not first.view(np.int32).any()
    ):
        zeros += 1
    if first is not None and (coded := recognised(first)) is not None:
        try:
            return Bitstream(source, coded)
        except (Refused, ImportError) as error:
            source.__exit__()
            why = "pip install av, which decodes it" if isinstance(error, ImportError) else f"{error}"
            raise NotAudio(f"{name}: holds {coded.name} in place of samples, not decoded: {why}") from error
    return source if zeros else cast(Source, _Begun(source, first, blocks))


class _Begun:
    """A source whose first block is there already."""

    def __init__(self, source: Source, first: Array | None, rest: Iterator[Array]) -> None:
        self._source = source
        self._begun: Iterator[Array] | None = chain(() if first is None else (first,), rest)

    def blocks(self, start: int = 0) -> Iterator[Array]:
        begun, self._begun = self._begun, None
        return begun if begun is not None and not start else self._source.blocks(start)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.__exit__()


class Bitstream:
    """A `Source` of what samples decode to.

    Raises:
        Refused: it cannot be decoded.
        ImportError: PyAV is not installed.
    """

    lossless = False
    left = 0

    def __init__(self, source: Source, coded: Coded) -> None:
        from autotag.audio.ffmpeg import PyAV

        self._source = source
        self._coded = coded
        with PyAV(_Bytes(source, coded.swapped), coded.demuxer) as opened:
            self.samplerate, self.channels = opened.samplerate, opened.channels
        self.frames: int | None = None
        self.announced: int | None = None
        self.problem = "it does not decode"
        self.warnings = [*source.warnings, f"holds {coded.name} in place of samples: decoded"]

    def blocks(self, start: int = 0) -> Iterator[Array]:
        from autotag.audio.ffmpeg import PyAV

        with PyAV(_Bytes(self._source, self._coded.swapped), self._coded.demuxer) as opened:
            for block in opened.blocks(start):
                self.problem = ""  # what does not decode at the ends is padding
                yield block

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.__exit__()


class _Bytes:
    """The samples of a source as a file object."""

    def __init__(self, source: Source, swapped: bool) -> None:
        self._blocks = source.blocks()
        self._swapped = swapped
        self._held = b""

    def read(self, count: int) -> bytes:
        while len(self._held) < count and (block := next(self._blocks, None)) is not None:
            words = _words(block)
            self._held += (words.byteswap() if self._swapped else words).tobytes()
        given, self._held = self._held[:count], self._held[count:]
        return given

    def seekable(self) -> bool:
        return False
