"""Audio through the ffmpeg libraries that come with PyAV; one damaged packet does not end it."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from autotag.audio.content import View
from autotag.audio.mel import Array
from autotag.audio.sndfile import Refused, dropped, window

if TYPE_CHECKING:
    import av

PREROLL = Fraction(1, 5)
"""Seconds decoded before an excerpt, because an AAC frame needs those before it."""

GUESSED = 0x100
"""Flag AVFMT_GENERIC_INDEX: of a format without an index ffmpeg guesses the length, and where a time is."""

STATED = ("ogg", "avi")
"""Formats with that flag that do say how long they are."""

LOSSLESS = ("alac", "ape", "flac", "shorten", "tak", "truehd", "tta", "wavpack")
"""Codecs that give the samples back as they were."""

SAMPLES: dict[str, tuple[type, np.float32]] = {
    "flt": (np.float32, np.float32(1)),
    "s16": (np.int16, np.float32(2**-15)),
    "s32": (np.int32, np.float32(2**-31)),
}
"""The samples of most frames, packed or (with a p behind the name) planar, and what brings them to -1..1."""


class PyAV:
    """A `Source` (see `autotag.audio.source`).

    Args:
        file: a View, or another file object that can be read.
        demuxer: ffmpeg's name of the format.
        track: which track of sound, the first being 0.

    Attributes:
        tracks: how many tracks of sound there are.

    Raises:
        Refused: it cannot be decoded.
        ImportError: PyAV is not installed.
    """

    left = 0  # ffmpeg reads on after damage

    def __init__(self, file: Any, demuxer: str, track: int = 0) -> None:
        import av

        self._container: Any = None
        try:
            if isinstance(file, View):
                file.seek(0)
            # A file object, because ffmpeg takes some names for addresses, and PyAV wants names to be UTF-8.
            self._container = av.open(file, "r", format=demuxer, metadata_errors="replace")
            self.tracks = len(self._container.streams.audio)
            if self.tracks <= track:
                raise Refused("it is without a track of sound")
            self._stream = self._container.streams.audio[track]
            codec = self._stream.codec_context
            if codec is None or not codec.sample_rate or not codec.channels:
                raise Refused("protected, or damaged")
            self.lossless = codec.name.startswith("pcm_") or codec.name in LOSSLESS
            self.samplerate: int = codec.sample_rate
            self.channels: int = codec.channels
            self.frames: int | None = None
            self.announced: int | None = None
            if self._container.duration:
                frames = max(0, self._container.duration) * self.samplerate // av.time_base
                self.frames = None if self._container.format.flags & GUESSED else frames
                self.announced = frames if demuxer in STATED else self.frames
        except Refused:
            self.__exit__()
            raise
        except Exception as error:  # also AttributeError and OSError, whatever a damaged file makes it raise
            self.__exit__()
            raise Refused(_words(error)) from error
        self._converter: Any = None
        self._kind: object = None  # of the frames that it converts
        self.problem = ""
        self.warnings: list[str] = []

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
        except Exception as error:
            self.problem = _words(error)
            return
        frames = self._decoded()
        if (first := next(frames, None)) is None:
            return
        at = start if first.pts is None else round((first.pts - begin) * unit * self.samplerate)
        yield from dropped(self._samples(chain([first], frames)), max(0, start - at))

    def _decoded(self) -> Iterator["av.AudioFrame"]:
        """Frames as ffmpeg decodes them, without those it cannot."""
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except Exception as error:
                    self.problem = _words(error)
                    continue
                yield from frames
        except Exception as error:
            self.problem = _words(error)

    def _samples(self, frames: Iterator["av.AudioFrame"]) -> Iterator[Array]:
        """The frames, of about 1,000 samples each, in blocks of many."""
        held: list[Array] = []
        count = 0
        for frame in chain(frames, [None]):
            for piece in self._converted(frame):
                held.append(piece)
                count += len(piece)
            if count >= window(self.channels):
                yield np.concatenate(held)
                held, count = [], 0
        if count:
            yield np.concatenate(held)

    def _converted(self, frame: "av.AudioFrame | None") -> Iterator[Array]:
        """Samples [n, channels] in the layout and at the rate of the opening, whatever those of the frame
        are.

        None stands for the end.
        """
        kind = frame and (frame.format.name, frame.layout.name, frame.sample_rate)
        try:
            if kind != self._kind and self._converter is not None:
                yield from map(self._as_opened, self._converter.resample(None))
                self._converter = None
            self._kind = kind
            if frame is not None and self._is_as_opened(frame):
                yield packed(frame)
            elif frame is not None:
                if self._converter is None:
                    import av

                    self._converter = av.AudioResampler("flt", frame.layout, self.samplerate)
                yield from map(self._as_opened, self._converter.resample(frame))
        except Exception as error:
            self.problem = _words(error)
            self._converter = None

    def _is_as_opened(self, frame: "av.AudioFrame") -> bool:
        """Whether a frame needs no converter but `packed`, which takes a fraction of the time."""
        known = frame.format.name.removesuffix("p") in SAMPLES
        return known and frame.sample_rate == self.samplerate and frame.layout.nb_channels == self.channels

    def _as_opened(self, frame: "av.AudioFrame | None") -> Array:
        """Packed samples as [n, channels]: those of other channels are averaged, and heard in all."""
        if frame is None:
            return np.empty((0, self.channels), np.float32)
        samples: Array = np.asarray(frame.to_ndarray(), np.float32).reshape(-1, len(frame.layout.channels))
        if samples.shape[1] == self.channels:
            return samples
        return np.repeat(samples.mean(axis=1, keepdims=True), self.channels, axis=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._container is not None:
            self._container.close()


def packed(frame: "av.AudioFrame") -> Array:
    """The samples of a frame of one of `SAMPLES`, as float32 [n, channels] in -1..1."""
    kind, scale = SAMPLES[frame.format.name.removesuffix("p")]
    samples = np.empty((frame.samples, frame.layout.nb_channels), np.float32)
    places = samples.T if frame.format.is_planar else [samples.reshape(-1)]
    for place, plane in zip(places, frame.planes, strict=True):
        np.multiply(np.frombuffer(plane, kind, len(place)), scale, place)  # type: ignore[call-overload]
    return samples


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
