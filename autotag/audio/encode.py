"""Sound files written block by block."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from autotag.audio.mel import Array

SOUND_FORMATS = {".flac": "FLAC", ".wav": "WAV", ".mp3": "MP3", ".ogg": "OGG"}
"""libsndfile's name of a format, by the ending of a file."""

PLAYER_RATE = 24000
"""Hz of what a page plays: it reaches beyond what any model hears, and every browser knows it."""


def write(file: Path | BinaryIO, blocks: Iterable[Array], sr: int, ending: str) -> int:
    """Write mono blocks [n] in the format of an ending; how many samples."""
    samples = 0
    if isinstance(file, Path):
        file.touch()  # which says why it cannot be written: libsndfile does not
    with soundfile.SoundFile(file, "w", sr, 1, format=SOUND_FORMATS[ending]) as sound:
        for block in blocks:
            for start in range(0, len(block), sr):  # libsndfile's encoders do not like much at once
                sound.write(block[start : start + sr].clip(-1, 1))
            samples += len(block)
    return samples


def mp3(blocks: Iterable[Array], sr: int) -> bytes:
    """Mono blocks [n] as an MP3 of `PLAYER_RATE` Hz."""
    resampler = soxr.ResampleStream(sr, PLAYER_RATE, 1, dtype="float32")

    def resampled() -> Iterator[Array]:
        yield from map(resampler.resample_chunk, blocks)
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)

    file = io.BytesIO()
    write(file, resampled(), PLAYER_RATE, ".mp3")
    return file.getvalue()
