"""Spectrograms of fewer bits: values of log-mel, and the mel cache in bytes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotag.audio.mel import Array

RANGES = {"db": (-90.0, 20.0), "log": (0.0, 6.0)}
"""Lowest and highest value of each scale that one range for all bands tells apart.

In dB, a narrower range keeps more at 3 bits and less at 8, on clips to validate on.
"""

TAILS = (0.02, 0.998)
"""Shares of the training clips' values below the ends of a band's own range."""


@dataclass(frozen=True)
class Quantiser:
    """A uniform quantiser: each value becomes the middle of one of 2^bits equal parts of its range.

    Attributes:
        bits: 1 to 8.
        low, high: ends of the range, numbers or [mels, 1] where each band has its own.

    >>> Quantiser(2, 0.0, 4.0)(np.array([[-3.0, 0.2, 1.7, 9.0]], np.float32))
    array([[0.5, 0.5, 1.5, 3.5]], dtype=float32)
    """

    bits: int
    low: float | Array
    high: float | Array

    @classmethod
    def fixed(cls, bits: int, log: str) -> "Quantiser":
        """One range for all bands of a scale, which no music needs to be asked for."""
        return cls(bits, *RANGES[log])

    @classmethod
    def by_band(cls, bits: int, mels: Array) -> "Quantiser":
        """A range for each band.

        Args:
            mels: log-mel segments of training clips [n, mels, frames].
        """
        low, high = np.quantile(mels, TAILS, axis=(0, 2))[:, :, None].astype(np.float32)
        return cls(bits, low, high)

    def __call__(self, mel: Array) -> Array:
        """Log-mel values [..., mels, frames] as they come back from so many bits."""
        step = (self.high - self.low) / 2**self.bits
        code = np.clip(np.floor((mel - self.low) / step), 0, 2**self.bits - 1)
        back: Array = (self.low + (code + 0.5) * step).astype(np.float32)
        return back


FLOOR, STEP = -100.0, 0.5
"""A byte of the cache in dB: what 0 stands for, and how much each number is more: up to 27.5 dB."""

POWERS: Array = (10 ** ((FLOOR + STEP * np.arange(256)) / 10)).astype(np.float32)
"""The mel power that each byte stands for."""


def to_bytes(power: Array) -> NDArray[np.uint8]:
    """Mel power as bytes: at most 0.25 dB away, and limited to the range of a byte."""
    level = 10 * np.log10(np.maximum(power, 1e-10))
    return np.clip(np.rint((level - FLOOR) / STEP), 0, 255).astype(np.uint8)


class PowerInBytes:
    """Mel power that is kept in bytes: whatever is taken of it is float32, as of an array.

    Args:
        codes: bytes [clips, mels, frames], memory-mapped.
    """

    def __init__(self, codes: np.memmap) -> None:
        self.codes = codes
        self.filename = codes.filename

    def __getitem__(self, item: Any) -> Array:
        power: Array = POWERS[self.codes[item]]
        return power

    def __setitem__(self, clip: int, power: Array) -> None:
        self.codes[clip] = to_bytes(power)
