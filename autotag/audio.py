"""Decode a file to mono samples at a model's rate, block by block, in constant memory."""

import os
import shutil
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from autotag.config import FRAME
from autotag.errors import (
    AudioNotFound,
    BadSamples,
    EmptyAudio,
    NotAudio,
    SilentAudio,
    UnreadableAudio,
)
from autotag.mel import Array

BLOCK = 1 << 16
"""Samples decoded at once, all channels together: 256 KiB of float32."""

SILENCE = 10 ** (-90 / 20)
"""A peak below -90 dBFS, the last bit of a 16-bit file, is silence."""

LOUDEST = 100.0
"""A peak over this is not a loud song (full scale is 1) but integers in a float file, or garbage."""

SLOWEST = 1000
"""A lower sample rate in Hz is not one of music but a damaged header."""

UNKNOWN = 1 << 62
"""libsndfile announces more frames than this where a stream does not say how many it has."""


class Audio:
    """An audio file that iterates as float32 blocks [n], mono, at `sr` Hz.

    Channels are averaged before resampling. A file that is damaged, or an MP3 that breaks off, gives
    what can be decoded of it. `seconds` and `warnings` are complete once the iteration is.

    Raises (while iterating):
        AudioNotFound, UnreadableAudio, EmptyAudio, NotAudio, BadSamples, SilentAudio
    """

    def __init__(self, path: str | Path, sr: int) -> None:
        self.path = Path(path)
        self.sr = sr
        self.seconds = 0.0
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[Array]:
        self.seconds = 0.0
        self.warnings = []
        with _open(self.path) as file:
            if file.samplerate < SLOWEST:
                raise NotAudio(f"{self.path}: announces a sample rate of {file.samplerate} Hz: not music")
            if file.samplerate < self.sr:
                self.warnings.append(
                    f"sample rate {file.samplerate} Hz: no sound above {file.samplerate // 2} Hz, "
                    f"where the model listens up to {self.sr // 2} Hz"
                )
            resampler = soxr.ResampleStream(file.samplerate, self.sr, 1, dtype="float32")
            average = np.full(file.channels, 1 / file.channels, np.float32)
            peak = 0.0
            for block in self._read(file):
                self._check(block, file.samplerate)
                mono = block @ average
                self.seconds += len(mono) / file.samplerate
                peak = max(peak, float(mono.max()), -float(mono.min()))
                yield mono if file.samplerate == self.sr else resampler.resample_chunk(mono)
            if self.seconds * self.sr < FRAME:
                raise EmptyAudio(f"{self.path}: holds {1000 * self.seconds:.1f} ms of sound: nothing to tag")
            if peak < SILENCE:
                raise SilentAudio(
                    f"{self.path}: its channels' average is silence (below -90 dBFS) for all "
                    f"{self.seconds:.1f} s: nothing to tag"
                )
            if file.samplerate != self.sr:
                yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)

    def _check(self, block: Array, samplerate: int) -> None:
        """Refuse samples that are no sound: block [n, channels]."""
        if np.abs(block).max() <= LOUDEST:
            return
        loud = np.abs(block).max(axis=1)
        first = int(np.argmax(~(loud <= LOUDEST)))
        raise BadSamples(
            f"{self.path}: a sample at {self.seconds + first / samplerate:.3f} s is {loud[first]:g}, where "
            "full scale is 1: write the file again with samples in -1..1"
        )

    def _read(self, file: soundfile.SoundFile) -> Iterator[Array]:
        out = np.empty((max(1, BLOCK // file.channels), file.channels), np.float32)
        read = 0
        problem = ""
        while not problem:
            out.fill(np.nan)  # so that what was decoded before an error can be told
            try:
                block = file.read(out=out)
            except soundfile.LibsndfileError as error:
                problem = error.error_string
                block = out[: np.argmax(np.append(np.isnan(out[:, 0]), True))]
            if not len(block):
                break
            read += len(block)
            yield block
        if not read and problem:
            raise NotAudio(f"{self.path}: cannot be decoded: {problem}")
        if file.frames >= UNKNOWN:
            if file.format == "OGG":
                self.warnings.append("several streams one after the other: only the first was read")
        elif read < 0.99 * file.frames:
            announced = file.frames / file.samplerate
            what = "damaged" if problem else "ends early"
            self.warnings.append(f"{what}: {self.seconds:.1f} of {announced:.1f} s could be decoded")


def decode(path: str | Path, sr: int) -> Array:
    """A whole file as mono float32 samples [n] at `sr` Hz; raises as `Audio` does."""
    return np.concatenate(list(Audio(path, sr)))


def _open(path: Path) -> soundfile.SoundFile:
    """Open, after saying what libsndfile would call "File does not exist" whatever the matter."""
    try:
        mode = path.stat().st_mode
        head, endless = b"", False
        if stat.S_ISREG(mode):
            with path.open("rb") as file:
                head = file.read(12)
                endless = _is_mp3_of_unknown_length(file)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioNotFound(f"{path}: no such file") from error
    except OSError as error:
        raise UnreadableAudio(f"{path}: cannot be read: {error.strerror}") from error
    if stat.S_ISDIR(mode) and not os.access(path, os.R_OK | os.X_OK):
        raise UnreadableAudio(f"{path}: this folder cannot be read: Permission denied")
    if stat.S_ISDIR(mode):
        raise AudioNotFound(f"{path}: no audio files were found in this folder")
    if not stat.S_ISREG(mode):
        raise UnreadableAudio(f"{path}: a pipe or device: give a file")
    if not head:
        raise EmptyAudio(f"{path}: the file is empty (0 bytes)")
    try:
        if endless and sys.platform != "win32":
            return _open_as_pipe(path)
        # On Windows soundfile wants text; elsewhere it would encode it, and refuse what is not UTF-8.
        return soundfile.SoundFile(str(path) if sys.platform == "win32" else os.fsencode(path))
    except (soundfile.LibsndfileError, TypeError) as error:
        formats = "WAV, FLAC, MP3, OGG, Opus or AIFF"
        if head[4:8] == b"ftyp":
            what = f"MPEG-4 audio (AAC or ALAC), where autotag reads {formats}"
        else:
            what = f"not {formats}, or damaged (it starts with {head!r})"
        raise NotAudio(f"{path}: {what}: convert it, for example with ffmpeg") from error


def _is_mp3_of_unknown_length(file: BinaryIO) -> bool:
    """Whether this is an MP3 whose first frame does not say how many there are.

    libsndfile then guesses from the bit rate of that frame, and cuts what is longer off.
    """
    file.seek(0)
    head = file.read(10)
    tag = 0
    if head[:3] == b"ID3" and len(head) == 10:  # its length stands there in 4 times 7 bits
        tag = 10 + sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    file.seek(tag)
    frame = file.read(4096).lstrip(b"\0")
    is_mp3 = frame[:1] == b"\xff" and frame[1:2] >= b"\xe0"
    return is_mp3 and not any(name in frame for name in (b"Xing", b"Info", b"VBRI"))


def _open_as_pipe(path: Path) -> soundfile.SoundFile:
    """Open the file through a pipe, whose end libsndfile does not think to know."""
    receive, send = os.pipe()

    def feed() -> None:
        with path.open("rb") as file, os.fdopen(send, "wb") as pipe, suppress(BrokenPipeError):
            shutil.copyfileobj(file, pipe)

    threading.Thread(target=feed, daemon=True).start()
    return soundfile.SoundFile(receive)  # which closes it, also when it fails
