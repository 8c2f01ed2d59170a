"""One channel of many, as they are heard: not what is left where they cancel, and no constant offset."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from autotag.audio.mel import Array

CANCELS = 0.2
"""Channels cancel nearly if their sum, over some seconds, has less than this of the power of them all added
up. It has 2 in two equal channels, and 1 in two that have nothing to do with each other."""

CANCELS_WHOLLY = 0.01
"""In a single window, channels cancel if their sum has less than this share."""

OFFSET = 3e-4
"""A constant offset below this, -70 dBFS, is left alone."""

SCATTER = 2.0
"""An offset of fewer standard deviations of the means of windows is left alone too: it is not constant."""

FEW = 4
"""Fewer windows than this do not show how much their means scatter."""

AHEAD = 6.0
"""Seconds that the first estimate of an offset is made from."""

MEMORY = 10.0
"""Seconds over which cancelling and offset are averaged."""

FLOOR = 1e-9
"""Power per sample, -90 dBFS: what is quieter cannot cancel."""


class Mono:
    """Turns window after window [n, channels] into [n].

    Attributes:
        cancelled: seconds in which one channel was taken, because they cancel.
        peak: of the windows so far, without a constant offset.
    """

    def __init__(self, channels: int, samplerate: int) -> None:
        self._average = np.full(channels, 1 / channels, np.float32)
        self._channels = channels
        self._samplerate = samplerate
        self._power = self._power_of_sum = 0.0  # averaged
        self._taken = -1  # channel
        self.cancelled = 0.0
        self.peak = 0.0

    def __call__(self, window: Array, power: float) -> tuple[Array, float]:
        """The window as one channel, and its mean.

        Args:
            power: sum of the squares of all samples.
        """
        mono: Array = window @ self._average
        mean = _mean(mono)
        seconds = len(window) / self._samplerate
        if self._channels > 1 and self._cancels(window, mono, mean, power):
            mono = np.ascontiguousarray(window[:, self._loudest(window)])
            mean = _mean(mono)
            self.cancelled += seconds
        self.peak = max(self.peak, float(mono.max()) - mean, mean - float(mono.min()))
        return mono, mean

    def _cancels(self, window: Array, mono: Array, mean: float, power: float) -> bool:
        count = len(window)
        of_sum = max(0.0, float(mono @ mono) - count * mean**2) * self._channels**2
        if of_sum > power / 2 and self._power_of_sum >= self._power / 2:  # far from it, the usual case
            self._power = self._power_of_sum = 0.0
            return False
        means = _ones(count) @ window / count
        power = max(0.0, power - count * float(means @ means))
        if power < FLOOR * count:
            return False
        memory = min(1.0, count / self._samplerate / MEMORY) if self._power else 1.0
        self._power += memory * (power / count - self._power)
        self._power_of_sum += memory * (of_sum / count - self._power_of_sum)
        return of_sum < CANCELS_WHOLLY * power or self._power_of_sum < CANCELS * self._power

    def _loudest(self, window: Array) -> int:
        """The channel to take: the one taken before, unless another is twice as loud."""
        powers = window.var(axis=0)
        if self._taken < 0 or powers[self._taken] < powers.max() / 4:
            self._taken = int(powers.argmax())
        return self._taken


@lru_cache(8)
def _ones(count: int) -> Array:
    return np.ones(count, np.float32)


def _mean(block: Array) -> float:
    """The mean of a block [n], sooner than `mean` gives it."""
    return float(block @ _ones(len(block))) / len(block)


def without_offset(blocks: Iterator[tuple[Array, float]], samplerate: int) -> Iterator[Array]:
    """The blocks [n], which come with their means, without a constant offset if there is one.

    Some seconds are looked at before the first block is given out. It is an offset if their means are alike;
    in a song that rumbles below what can be heard they are not, and it stays as it is.
    """
    held: list[tuple[Array, float]] = []
    seconds = 0.0
    offset: _Offset | None = None
    for block, mean in blocks:
        if offset is not None:
            yield offset.removed(block, mean)
            continue
        held.append((block, mean))
        seconds += len(block) / samplerate
        if seconds >= AHEAD:
            offset = _Offset(held, samplerate)
            yield from (offset.removed(*item) for item in held)
            held = []
    if held:
        offset = _Offset(held, samplerate)
        yield from (offset.removed(*item) for item in held)


class _Offset:
    """The offset, estimated from blocks and followed from there on."""

    def __init__(self, blocks: list[tuple[Array, float]], samplerate: int) -> None:
        means = [mean for _, mean in blocks]
        self._samplerate = samplerate
        self._mean = sum(means) / len(means)
        self._variance = sum((mean - self._mean) ** 2 for mean in means) / len(means)
        if len(blocks) < FEW:  # so that these may be alike by chance: their parts say how far they may be off
            parts = [_mean(part) for block, _ in blocks for part in np.array_split(block, 8) if len(part)]
            self._variance = max(self._variance, float(np.var(parts)) / len(parts))
        self._known = len(blocks)
        self._now = self._target()

    def _target(self) -> float:
        certain = max(OFFSET, SCATTER * self._variance**0.5)
        return self._mean if abs(self._mean) > certain else 0.0

    def removed(self, block: Array, mean: float) -> Array:
        if self._known > 0:  # it is one of those that the estimate is of
            self._known -= 1
        else:
            memory = min(1.0, len(block) / self._samplerate / MEMORY)
            away = mean - self._mean
            self._mean += memory * away
            self._variance += memory * (away**2 - self._variance)
        before, self._now = self._now, self._target()
        if not before and not self._now:
            return block
        # It slides from one estimate to the next, because a step would be heard.
        return block - np.linspace(before, self._now, len(block), endpoint=False, dtype=np.float32)
