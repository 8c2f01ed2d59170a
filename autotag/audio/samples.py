"""Samples that are in memory already, as a source of sound."""

from collections.abc import Iterator
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autotag.audio.mel import Array
from autotag.audio.sndfile import window
from autotag.errors import BadSamples, EmptyAudio

MOST_CHANNELS = 32
"""More columns than this are samples, and the array stands on its side."""


class Samples:
    """A `Source` (see `autotag.audio.source`) of an array [n] or [n, channels] and its rate in Hz.

    Integers are scaled to -1..1 by the range of their type; floats are taken as they are.

    Raises:
        TypeError: not an array and a number.
        BadSamples: of another shape or type, or a rate that is none.
        EmptyAudio: no samples.
    """

    problem = ""
    lossless = True
    left = 0

    def __init__(self, samples: Any, samplerate: Any, name: str) -> None:
        if isinstance(samples, Real) and isinstance(samplerate, np.ndarray):
            raise TypeError(f"{name}: (rate, samples) stand the wrong way round. Give (samples, rate).")
        if not isinstance(samples, np.ndarray):
            raise TypeError(
                f"{name}: samples are a {type(samples).__name__}. Give a NumPy array: numpy.asarray(...)."
            )
        if isinstance(samplerate, bool) or not isinstance(samplerate, int | float | np.integer | np.floating):
            raise TypeError(f"{name}: the sample rate is {samplerate!r}. Give a number of Hz, such as 44100.")
        if not 0 < samplerate < 1 << 31 or int(samplerate) != samplerate:
            raise BadSamples(
                f"{name}: the sample rate is {samplerate} Hz. Give a whole number above 0, such as 44100."
            )
        if samples.dtype.kind not in "iuf":
            raise BadSamples(f"{name}: samples of type {samples.dtype}. Use floats in -1..1, or integers.")
        if samples.ndim not in (1, 2):
            raise BadSamples(f"{name}: samples of shape {samples.shape}. Give [n] or [n, channels].")
        if samples.ndim == 2 and samples.shape[1] > MOST_CHANNELS:
            raise BadSamples(
                f"{name}: samples of shape {samples.shape} have {samples.shape[1]} channels, "
                f"{MOST_CHANNELS} at most. Give [n, channels], perhaps samples.T."
            )
        if not samples.size:
            raise EmptyAudio(f"{name}: samples of shape {samples.shape}: there are none")
        self.name = name
        self._samples: NDArray[Any] = samples.reshape(len(samples), -1)
        self.samplerate = int(samplerate)
        self.channels: int = self._samples.shape[1]
        self.frames: int | None = len(samples)
        self.announced: int | None = self.frames
        self.warnings: list[str] = []

    def blocks(self, start: int = 0) -> Iterator[Array]:
        step = window(self.channels)
        for at in range(start, len(self._samples), step):
            yield _scaled(self._samples[at : at + step])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""


def _scaled(samples: NDArray[Any]) -> Array:
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what float32 cannot hold is refused later, as infinite
            return np.ascontiguousarray(samples, np.float32)
    bits = 8 * samples.dtype.itemsize
    middle = float(1 << (bits - 1)) if samples.dtype.kind == "u" else 0.0
    # Divided in float64, which holds 32 bits exactly.
    return ((samples.astype(np.float64) - middle) / (1 << (bits - 1))).astype(np.float32)
