"""Cut a signal of any length into the segments a network sees; training and tagging share this.

Nothing is dropped: the last segment is moved back to end with the file, and a file shorter than one
segment is filled up.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from autotag.audio.mel import Array

LACK = 0.01
"""A lack of under 1 % of a segment is padded with zeros, a larger one filled by repetition."""


def is_short(samples: int, segment_samples: int) -> bool:
    """Whether a file of so many samples is repeated to fill one segment."""
    return samples < (1 - LACK) * segment_samples


def fill(blocks: Iterable[Array], segment_samples: int) -> Iterator[Array]:
    """The blocks of a signal, with one that is shorter than a segment filled up to it.

    A clip of 29.1 s lacks 240 samples at 12 kHz: zeros. A much shorter one is repeated.
    """
    held: list[Array] = []
    missing = segment_samples
    for block in blocks:
        if missing > 0:
            held.append(block)
            missing -= len(block)
            if missing > 0:
                continue
            block = np.concatenate(held)
        yield block
    if missing > 0 and held:
        signal = np.concatenate(held)
        if is_short(len(signal), segment_samples):
            yield np.resize(signal, segment_samples)
        else:
            yield np.pad(signal, (0, missing))


def segments(blocks: Iterable[Array], frames: int, step: int | None = None) -> Iterator[Array]:
    """Segments [bands, frames] of a spectrogram that comes in blocks [bands, some frames].

    Args:
        step: frames from one segment to the next: fewer than `frames` and they overlap, by default not.

    >>> song = np.arange(7, dtype=np.float32)[None]
    >>> [segment.tolist() for segment in segments([song], 3)]
    [[[0.0, 1.0, 2.0]], [[3.0, 4.0, 5.0]], [[4.0, 5.0, 6.0]]]
    >>> [segment[0, 0].item() for segment in segments([song], 3, step=2)]
    [0.0, 2.0, 4.0]
    """
    step = step or frames
    held: list[Array] = []
    count = start = 0  # frames held, and where among them the next segment starts
    for block in blocks:
        held.append(block)
        count += block.shape[1]
        if count >= start + frames:
            signal = np.concatenate(held, axis=1)
            last = 0
            for last in range(start, count - frames + 1, step):
                yield signal[:, last : last + frames]
            held = [signal[:, last:]]
            count -= last
            start = step
    if count and not start:
        raise ValueError(f"{count} frames are less than one segment of {frames}: fill() the signal first")
    if count > frames:
        yield np.concatenate(held, axis=1)[:, -frames:]
