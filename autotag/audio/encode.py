"""Sound files written block by block."""

import io
import os
from collections.abc import Iterable, Iterator
from errno import EIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from autotag.audio.mel import Array

SOUND_FORMATS = {".flac": "FLAC", ".wav": "WAV", ".mp3": "MP3", ".ogg": "OGG"}
"""libsndfile's name of a format, by the ending of a file."""

PROBE = 1 << 20
"""Bytes that a full disk has no room for."""

PLAYER_RATE = 24000
"""Hz of what a page plays: it reaches beyond what any model hears, and every browser knows it."""


def write(file: Path | BinaryIO, blocks: Iterable[Array], sr: int, ending: str) -> int:
    """Write mono blocks [n] in the format of an ending; how many samples.

    Raises:
        OSError: the file cannot be written, or the disk is full.
    """
    if isinstance(file, Path):
        file.touch()  # which says why it cannot be written: libsndfile does not
    try:
        return _write(file, blocks, sr, ending)
    except soundfile.LibsndfileError as error:
        if isinstance(file, Path):
            with file.open("ab", buffering=0) as same:
                same.write(bytes(PROBE))  # so does this
        raise OSError(EIO, os.strerror(EIO)) from error


def _write(file: Path | BinaryIO, blocks: Iterable[Array], sr: int, ending: str) -> int:
    samples = 0
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
