"""Audio that libsndfile does not know, AAC above all: through PyAV, else an ffmpeg program on the PATH."""

import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from autotag.audio.mel import Array
from autotag.audio.sndfile import BLOCK, dropped
from autotag.errors import NotAudio

if TYPE_CHECKING:
    import av

PREROLL = Fraction(1, 5)
"""Seconds decoded before an excerpt, because an AAC frame needs those before it."""


GUESSED = 0x100
"""Flag AVFMT_GENERIC_INDEX: of a format without an index ffmpeg guesses the length, and where a time is."""


class Format(NamedTuple):
    """A format by the bytes at an offset, ffmpeg's name for what reads it, and ours."""

    offset: int
    magic: bytes
    demuxer: str
    name: str


FORMATS = (
    Format(4, b"ftyp", "mov", "MPEG-4 audio (AAC or ALAC)"),
    Format(0, b"\xff\xf0", "aac", "AAC"),
    Format(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf", "Windows Media Audio"),
    Format(0, b"\x1a\x45\xdf\xa3", "matroska", "Matroska or WebM"),
    Format(0, b"\x0b\x77", "ac3", "AC-3"),
    Format(0, b"wvpk", "wv", "WavPack"),
    Format(0, b"MAC ", "ape", "Monkey's Audio"),
)
"""What is given to ffmpeg, by the first bytes: left to guess, it would also follow lists of other files."""


def recognised(head: bytes) -> Format | None:
    """The format of a file that starts so."""
    if head[:1] == b"\xff" and head[1:2] >= b"\xf0" and head[1] & 0b110 == 0:
        head = b"\xff\xf0"  # the other bits say which MPEG it is, and whether there are checksums
    return next((f for f in FORMATS if head[f.offset :].startswith(f.magic)), None)


def opened(path: Path, found: Format) -> "PyAV | Program":
    """Open a file of that format as a `Source` (see `autotag.audio.decode`).

    Raises:
        NotAudio: it cannot be decoded, or there is nothing here to do it with.
    """
    try:
        import av  # noqa: F401
    except ImportError:
        from shutil import which

        program = which("ffmpeg")
        if program is None:
            raise NotAudio(
                f"{path}: {found.name}, which autotag reads with PyAV or an ffmpeg program: "
                "pip install 'autotag[av]', or put ffmpeg on the PATH"
            ) from None
        return Program(program, path, found)
    return PyAV(path, found)


class PyAV:
    """A file through the ffmpeg libraries that come with PyAV; one damaged packet does not end it."""

    def __init__(self, path: Path, found: Format) -> None:
        import av

        # A file object, because ffmpeg takes some names for addresses, and PyAV wants names to be UTF-8.
        self._file = path.open("rb")
        try:
            self._container = av.open(self._file, "r", format=found.demuxer)
            if not self._container.streams.audio:
                raise NotAudio(f"{path}: {found.name} without a track of sound")
            self._stream = self._container.streams.audio[0]
            codec = self._stream.codec_context
            if not codec.sample_rate or not codec.channels:
                raise NotAudio(f"{path}: {found.name} that cannot be decoded: protected, or damaged")
        except av.FFmpegError as error:
            self._file.close()
            raise NotAudio(f"{path}: {found.name} that cannot be decoded: {error.strerror}") from error
        except NotAudio:
            self.__exit__()
            raise
        self.samplerate: int = codec.sample_rate
        self.channels: int = codec.channels
        self._converter = self._new_converter()
        self.problem = ""
        self.warnings: list[str] = []
        self.frames: int | None = None
        if self._container.duration and not self._container.format.flags & GUESSED:
            self.frames = self._container.duration * self.samplerate // av.time_base

    def blocks(self, start: int = 0) -> Iterator[Array]:
        self.problem = ""
        if not start or self.frames is None:
            return dropped(self._samples(self._decoded()), start)
        return self._from(start)

    def _from(self, start: int) -> Iterator[Array]:
        import av

        unit = self._stream.time_base or Fraction(1, av.time_base)
        begin = self._stream.start_time or 0
        time = max(Fraction(0), Fraction(start, self.samplerate) - PREROLL)
        try:
            self._container.seek(begin + int(time / unit), stream=self._stream)
        except av.FFmpegError as error:
            self.problem = str(error.strerror)
            return
        frames = self._decoded()
        if (first := next(frames, None)) is None:
            return
        at = start if first.pts is None else round((first.pts - begin) * unit * self.samplerate)
        yield from dropped(self._samples(chain([first], frames)), max(0, start - at))

    def _decoded(self) -> Iterator["av.AudioFrame"]:
        """Frames as ffmpeg decodes them, without those it cannot."""
        import av

        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError as error:
                    self.problem = str(error.strerror)
                    continue
                yield from frames
        except av.FFmpegError as error:
            self.problem = str(error.strerror)

    def _samples(self, frames: Iterator["av.AudioFrame"]) -> Iterator[Array]:
        """The frames, of about 1,000 samples each, in blocks of many."""
        held: list[Array] = []
        for frame in frames:
            held.append(self._converted(frame))
            if sum(map(len, held)) * self.channels >= BLOCK:
                yield np.concatenate(held)
                held = []
        if any(map(len, held)):
            yield np.concatenate(held)

    def _converted(self, frame: "av.AudioFrame") -> Array:
        """Samples [n, channels] at the rate of the file, should that of a frame be another."""
        try:
            frames = self._converter.resample(frame)
        except ValueError:  # its format is not that of the frames before
            self._converter = self._new_converter()
            frames = self._converter.resample(frame)
        return np.concatenate([f.to_ndarray().reshape(-1, self.channels) for f in frames])

    def _new_converter(self) -> "av.AudioResampler":
        import av

        return av.AudioResampler("flt", self._stream.codec_context.layout, self.samplerate)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()
        self._file.close()


class Program:
    """A file through an ffmpeg program that writes samples into a pipe, also those before an excerpt."""

    def __init__(self, program: str, path: Path, found: Format) -> None:
        import subprocess  # slow to import, seldom needed
        import tempfile

        self.frames: int | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        # "file:" because a name may look like an address. Sun's AU is a short header, then samples.
        command = [
            *(program, "-nostdin", "-v", "error", "-f", found.demuxer, "-i", f"file:{path}"),
            *("-map", "0:a:0", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._errors, bufsize=BLOCK)
        assert self._process.stdout
        self._samples = self._process.stdout
        self.problem = ""
        self.warnings: list[str] = []
        head = self._samples.read(24)
        if len(head) < 24:
            self._process.wait()
            problem = self._said() or "it holds no sound"
            self.__exit__()
            raise NotAudio(f"{path}: {found.name} that cannot be decoded: {problem}")
        _, offset, _, _, self.samplerate, self.channels = struct.unpack(">4s5I", head)
        self._samples.read(offset - len(head))

    def blocks(self, start: int = 0) -> Iterator[Array]:
        return dropped(self._blocks(), start)

    def _blocks(self) -> Iterator[Array]:
        frame = 4 * self.channels
        while len(data := self._samples.read(max(1, BLOCK // self.channels) * frame)) >= frame:
            whole = data[: len(data) - len(data) % frame]
            yield np.frombuffer(whole, ">f4").astype(np.float32).reshape(-1, self.channels)
        self._process.wait()
        self.problem = self._said()

    def _said(self) -> str:
        """The first line that ffmpeg wrote, "" if none."""
        self._errors.seek(0)
        line = self._errors.readline().decode("utf-8", "replace").strip()
        return re.sub(r"^\[[^]]*\] ", "", line)  # without the address of what said it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._samples.close()
        self._errors.close()
