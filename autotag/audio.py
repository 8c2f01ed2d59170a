"""Decode a file to mono samples at a model's rate, block by block, in constant memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from autotag.errors import (
    AudioNotFound,
    EmptyAudio,
    NotAudio,
    NotFiniteAudio,
    SilentAudio,
    UnreadableAudio,
)
from autotag.mel import Array

BLOCK = 1 << 16
"""Samples decoded at once, all channels together; what a damaged file still holds is lost by the block."""

SILENCE = 10 ** (-90 / 20)
"""A peak below -90 dBFS, the last bit of a 16-bit file, is silence."""


class Audio:
    """An audio file that iterates as float32 blocks [n], mono, at `sr` Hz.

    Channels are averaged before resampling. A file that breaks off or is damaged gives what could
    be decoded of it. `seconds` and `warnings` are complete once the iteration is.

    Raises (while iterating):
        AudioNotFound, UnreadableAudio, EmptyAudio, NotAudio, NotFiniteAudio, SilentAudio
    """

    def __init__(self, path: str | Path, sr: int) -> None:
        self.path = Path(path)
        self.sr = sr
        self.seconds = 0.0
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[Array]:
        with _open(self.path) as file:
            if file.samplerate < self.sr:
                self.warnings.append(
                    f"sample rate {file.samplerate} Hz: no sound above {file.samplerate // 2} Hz, "
                    f"where the model listens up to {self.sr // 2} Hz"
                )
            resampler = soxr.ResampleStream(file.samplerate, self.sr, 1, dtype="float32")
            peak = 0.0
            for block in self._read(file):
                mono = block.mean(axis=1)
                if not np.isfinite(mono).all():
                    at = self.seconds + np.argmin(np.isfinite(mono)) / file.samplerate
                    raise NotFiniteAudio(
                        f"{self.path}: a sample at {at:.3f} s is NaN or infinite: write the file again "
                        "with finite samples"
                    )
                self.seconds += len(mono) / file.samplerate
                peak = max(peak, float(mono.max()), -float(mono.min()))
                yield mono if file.samplerate == self.sr else resampler.resample_chunk(mono)
            if self.seconds == 0:
                raise EmptyAudio(f"{self.path}: holds no samples")
            if peak < SILENCE:
                raise SilentAudio(
                    f"{self.path}: all {self.seconds:.1f} s are silence (below -90 dBFS): nothing to tag"
                )
            if file.samplerate != self.sr:
                yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)

    def _read(self, file: soundfile.SoundFile) -> Iterator[Array]:
        read = 0
        try:
            while len(block := file.read(BLOCK // file.channels, "float32", always_2d=True)):
                yield block
                read += len(block)
        except soundfile.LibsndfileError as error:
            if not read:
                raise NotAudio(f"{self.path}: cannot be decoded: {error.error_string}") from error
            self.warnings.append(f"damaged: only the first {self.seconds:.1f} s could be decoded")
        else:
            if read < 0.99 * file.frames:
                announced = file.frames / file.samplerate
                self.warnings.append(f"ends after {self.seconds:.1f} of the {announced:.1f} s announced")


def decode(path: str | Path, sr: int) -> Array:
    """A whole file as mono float32 samples [n] at `sr` Hz; raises as `Audio` does."""
    return np.concatenate(list(Audio(path, sr)))


def _open(path: Path) -> soundfile.SoundFile:
    """Open, after saying what libsndfile would call "File does not exist" whatever the matter."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioNotFound(f"{path}: no such file") from error
    except OSError as error:
        raise UnreadableAudio(f"{path}: cannot be read: {error.strerror}") from error
    if not head:
        raise EmptyAudio(f"{path}: the file is empty (0 bytes)")
    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError) as error:
        if head[4:8] == b"ftyp":
            what = "MPEG-4 audio (AAC or ALAC)"
        else:
            what = f"not audio in a format that libsndfile reads (it starts with {head!r})"
        formats = "WAV, FLAC, MP3, OGG, Opus or AIFF"
        raise NotAudio(f"{path}: {what}: convert it to {formats}, for example with ffmpeg") from error
