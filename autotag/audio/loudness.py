"""How loud a signal is over time, and where it sounds: silence has no tags."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from autotag.audio.mel import Array

STEP = 0.1
"""Seconds of which one level is kept."""

BELOW = 10 ** (-50 / 20)
"""What is 50 dB below the loudest second is silence: the groove after a record's last song, or a hiss."""

SILENCE = 10 ** (-90 / 20)
"""A level or a peak below -90 dBFS, the last bit of a 16-bit file, is silence too."""

ENOUGH = 0.5
"""An excerpt will do if so much of it sounds."""


class Levels:
    """The level of each `STEP` of a signal that comes in blocks: root mean square without a constant part."""

    def __init__(self, sr: int) -> None:
        self._size = max(1, round(sr * STEP))
        self._held: list[Array] = []
        self._count = 0
        self._levels: list[Array] = []

    def add(self, block: Array) -> None:
        """Take a block of samples [n]."""
        self._held.append(block)
        self._count += len(block)
        if self._count >= self._size:
            signal = np.concatenate(self._held)
            whole = len(signal) - len(signal) % self._size
            self._levels.append(_deviation(signal[:whole].reshape(-1, self._size)))
            self._held, self._count = [signal[whole:]], len(signal) - whole

    def all(self) -> Array:
        """The levels so far; the last one is of what is left."""
        rest = [_deviation(np.concatenate(self._held)[None])] if self._count else []
        return np.concatenate([np.zeros(0, np.float32), *self._levels, *rest])


def _deviation(parts: Array) -> Array:
    """The standard deviation of each row, which is what `std` gives, sooner."""
    size = parts.shape[1]
    means = parts @ np.full(size, 1 / size, np.float32)
    squares = np.einsum("ij,ij->i", parts, parts) / size
    deviation: Array = np.sqrt(np.maximum(0, squares - means**2))
    return deviation


def sounding(levels: Array) -> NDArray[np.bool_]:
    """Which of the levels are not silence."""
    second = max(1, round(1 / STEP))
    loudest = np.sort(levels)[-second:].min(initial=np.inf) if len(levels) > second else levels.max(initial=0)
    result: NDArray[np.bool_] = levels > max(SILENCE, BELOW * float(loudest))
    return result


def may_be_silence(levels: Array) -> bool:
    """Whether an excerpt hardly sounds, or so faintly that next to the rest of the file it may be silence."""
    return bool(sounding(levels).mean() < ENOUGH or levels.max(initial=0) < BELOW)


def shares(levels: Array, starts: NDArray[np.float64], seconds: float) -> Array:
    """The share of each segment that sounds.

    Args:
        levels: float32 [n], one every `STEP` s.
        starts: seconds [segments] at which segments start.
        seconds: of a segment.

    Returns:
        float32 [segments], in 0..1; all 1 where nothing sounds, so that a weighted mean has something to
        weigh.
    """
    sounds = np.concatenate([[0], np.cumsum(sounding(levels))])
    first = np.clip(np.round(starts / STEP).astype(int), 0, max(0, len(levels) - 1))
    last = np.clip(np.round((starts + seconds) / STEP).astype(int), first + 1, len(levels))
    found = ((sounds[last] - sounds[first]) / np.maximum(1, last - first)).astype(np.float32)
    return found if found.any() else np.ones(len(starts), np.float32)


def best_start(levels: Array, seconds: float) -> float | None:
    """Where an excerpt of that length has the most sound, as near to the middle as may be; None: the middle
    will do.

    It will do where no other place has a twentieth of the excerpt more.
    """
    length = round(seconds / STEP)
    sums = np.concatenate([[0], np.cumsum(sounding(levels))])
    if length >= len(levels):
        return None
    sound = sums[length:] - sums[:-length]
    middle = (len(levels) - length) / 2
    if sound[int(middle)] >= sound.max() - length / 20:
        return None
    candidates = np.flatnonzero(sound == sound.max())
    return float(candidates[np.abs(candidates - middle).argmin()]) * STEP


def windows(blocks: Iterator[Array], frames: int) -> Iterator[Array]:
    """Blocks [n, channels] regrouped to as many frames each, but for the last, however they come."""
    held: list[Array] = []
    count = 0
    for block in blocks:
        if not count and len(block) == frames:
            yield block
            continue
        held.append(block.copy())  # for a block is only good until the next one
        count += len(block)
        if count >= frames:
            signal = np.concatenate(held)
            for start in range(0, count - frames + 1, frames):
                yield signal[start : start + frames]
            count %= frames
            held = [signal[len(signal) - count :]]
    if count:
        yield np.concatenate(held)
