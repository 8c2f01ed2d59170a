"""A spectrogram as a small grey picture, a pixel a value."""

import struct
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from autotag.audio.mel import Array

COLUMNS = 1500
"""Frames that a picture holds at most: neighbours are averaged."""

RANGE = 80.0
"""Decibels from black, the loudest, to white."""


def spectrogram(blocks: Iterable[Array]) -> bytes:
    """PNG of decibels that come in blocks [bands, some frames]: time to the right, high above, loud black."""
    values = np.concatenate(list(blocks), axis=1)
    starts = np.arange(0, values.shape[1], -(-values.shape[1] // COLUMNS))
    counts = np.diff(starts, append=values.shape[1])
    means = np.add.reduceat(values, starts, axis=1) / counts
    quiet = (means.max() - means[::-1]) / RANGE
    return png((255 * quiet.clip(0, 1)).astype(np.uint8))


def png(grey: NDArray[np.uint8]) -> bytes:
    """A PNG of brightness [rows, columns]."""
    rows, columns = grey.shape
    # A line begins with the number of its filter: none.
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), grey], axis=1)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
