"""One channel of many, as they are heard: not what is left where they cancel, and no offset."""

from collections import deque
from collections.abc import Collection, Iterator
from functools import cached_property, lru_cache
from itertools import chain, islice

import numpy as np

from autotag.audio.mel import Array

CANCELS = 0.2
"""Channels cancel nearly if their sum, over some seconds, has less than this of the power of them all added
up. It has 2 in two equal channels, and 1 in two that have nothing to do with each other."""

CANCELS_WHOLLY = 0.01
"""In a single window, channels cancel if their sum has less than this share."""

OFFSET = 3e-4
"""A constant offset below this, -70 dBFS, is left alone."""

CERTAIN = 4.0
"""An offset that is fewer standard errors from 0 may be chance: bass that does not end with a piece."""

SCATTER = 2.0
"""At the beginning it may be fewer, if it is constant: so many standard deviations of the means of pieces."""

ALIKE = 3
"""Pieces in a row that are no coincidence."""

PIECE = 2.0
"""Seconds of which an offset is estimated."""

PARTS = 8
"""Parts of a piece, or more, whose means show by how much its own may be off."""

MEMORY = 10.0
"""Seconds over which cancelling is averaged."""

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
    """The blocks [n], which come with their means, without an offset that is constant or moves slowly.

    It is estimated piece by piece, and goes in a straight line from the middle of one piece to the middle of
    the next, because a step would be heard. A song that rumbles below what can be heard stays as it is.
    """
    earlier: _Piece | None = None
    now: _Piece | None = None
    for later in chain(_estimated(_pieces(blocks, round(PIECE * samplerate))), (None,)):
        if now is not None:
            yield from now.without_offset(earlier, later)
        earlier, now = now, later


def _estimated(pieces: "Iterator[_Piece]") -> "Iterator[_Piece]":
    """The pieces with their offsets: from where `ALIKE` in a row have one until one has none."""
    coming = deque(islice(pieces, ALIKE))
    has_one = _alike(coming) or _constant(coming)
    while coming:
        now = coming.popleft()
        has_one = abs(now.mean) > OFFSET and has_one
        now.offset = now.mean if has_one else 0.0
        yield now
        coming.extend(islice(pieces, 1))
        has_one = has_one or (len(coming) == ALIKE and _alike(coming))


def _alike(pieces: "Collection[_Piece]") -> bool:
    """Whether their means are of one sign, and none is chance."""
    return len({piece.mean > 0 for piece in pieces}) == 1 and all(piece.certain for piece in pieces)


def _pieces(blocks: Iterator[tuple[Array, float]], samples: int) -> "Iterator[_Piece]":
    """The blocks in pieces of so many samples or more; what is left at the end is part of the last one."""
    piece: list[tuple[Array, float]] = []
    held: list[tuple[Array, float]] = []
    count = 0
    for each in blocks:
        for block, mean in _split(*each, samples):
            held.append((block, mean))
            count += len(block)
            if count >= samples:
                if piece:
                    yield _Piece(piece)
                piece, held, count = held, [], 0
    if piece or held:
        yield _Piece([*piece, *held])


def _split(block: Array, mean: float, samples: int) -> list[tuple[Array, float]]:
    """A block, with its mean, in parts that have so many samples or more, but fewer than twice as many."""
    parts = len(block) // samples
    return [(part, _mean(part)) for part in np.array_split(block, parts)] if parts > 1 else [(block, mean)]


def _constant(pieces: "Collection[_Piece]") -> bool:
    """Whether their means are nearly the same, and not nearly 0."""
    if len(pieces) < ALIKE:
        return False
    means = [piece.mean for piece in pieces]
    return bool(abs(np.mean(means)) > max(OFFSET, SCATTER * float(np.std(means))))


class _Piece:
    """Blocks one after the other.

    Attributes:
        mean: of them.
        offset: what of it is one.
    """

    def __init__(self, blocks: list[tuple[Array, float]]) -> None:
        self.blocks = blocks
        self.samples = sum(len(block) for block, _ in blocks)
        self.mean = sum(len(block) * mean for block, mean in blocks) / max(1, self.samples)
        self.offset = 0.0

    @cached_property
    def certain(self) -> bool:
        """Whether the mean is more than chance."""
        if abs(self.mean) <= OFFSET:
            return False
        count = -(-PARTS // len(self.blocks))  # of each block
        parts = [
            _mean(part) for block, _ in self.blocks for part in np.array_split(block, count) if len(part)
        ]
        return bool(abs(self.mean) > CERTAIN * np.std(parts) / len(parts) ** 0.5)

    def without_offset(self, earlier: "_Piece | None", later: "_Piece | None") -> Iterator[Array]:
        """The blocks without it, next to the pieces before and behind."""
        known = [(0.5 * self.samples, self.offset)]
        if earlier is not None:
            known.insert(0, (-0.5 * earlier.samples, earlier.offset))
        if later is not None:
            known.append((self.samples + 0.5 * later.samples, later.offset))
        places, offsets = zip(*known, strict=True)
        at = 0
        for block, _ in self.blocks:
            if any(offsets):
                block = block - np.interp(np.arange(at, at + len(block)), places, offsets).astype(np.float32)
            at += len(block)
            yield block
