"""The front-end: audio to log-mel spectrogram, one function for training and for tagging.

Frames of 512 samples, hop 256 times the multiple, periodic Hann window, centred with zero padding,
power spectrum, Slaney mel scale with area-normalised triangles over 0..sr/2: the study's (Ferraro
et al., arXiv 1911.04824). Equal to `librosa.feature.melspectrogram(..., pad_mode="constant")` to 1e-4 in
every configuration.
"""

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from autotag.config import FRAME, HOP, Config

Array = NDArray[np.float32]

BLOCK = 256
"""Frames transformed at once: 1 MiB of float64 stays in the cache."""


def log_mel(samples: Array, config: Config) -> Array:
    """Log-mel spectrogram of mono samples at the configuration's rate.

    Args:
        samples: float32 [n] at `config.sr` Hz.

    Returns:
        float32 [config.mels, 1 + n // (256 * config.hop)].
    """
    return np.concatenate(list(log_mel_blocks([samples], config)), axis=1)


def log_mel_blocks(blocks: Iterable[Array], config: Config) -> Iterator[Array]:
    """Log-mel spectrogram of a signal in blocks [n] of any length: yields float32 [mels, some frames]."""
    for power in mel_power_blocks(blocks, config.sr, config.mels, config.hop):
        yield compress(power, config.log)


def compress(power: Array, log: str) -> Array:
    """Mel power to `"log"`, log10(1 + 10000 x), or `"db"`, 10 log10(max(x, 1e-10))."""
    if log == "log":
        return np.log10(1 + 10000 * power)
    return 10 * np.log10(np.maximum(power, 1e-10))


def mel_power_blocks(blocks: Iterable[Array], sr: int, mels: int, hop: int = 1) -> Iterator[Array]:
    """Mel power spectrogram, block by block: yields [mels, some frames]."""
    return (mel_basis(sr, mels) @ power for power in power_blocks(blocks, hop))


def power_blocks(blocks: Iterable[Array], hop: int = 1) -> Iterator[Array]:
    """Power spectrogram [257, some frames]; a longer hop computes only the frames it keeps."""
    step = hop * HOP
    held = np.zeros(FRAME // 2, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        # A frame waits for the start of the next one too, which lies behind its end when step > FRAME.
        frames = 1 + (len(held) - max(FRAME, step)) // step
        if frames > 0:
            yield from _frames(held, frames, step)
            held = held[frames * step :]
    held = np.concatenate([held, np.zeros(FRAME // 2, np.float32)])
    if len(held) >= FRAME:
        yield from _frames(held, 1 + (len(held) - FRAME) // step, step)


def _frames(samples: Array, frames: int, step: int) -> Iterator[Array]:
    windowed = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::step]
    for start in range(0, frames, BLOCK):
        # float64, because float32 noise of a loud bin (1e-7 of it) would show in the dB of a quiet band.
        spectrum = np.fft.rfft(windowed[start : min(start + BLOCK, frames)] * hann())
        yield (spectrum.real**2 + spectrum.imag**2).astype(np.float32).T


@cache
def hann() -> NDArray[np.float64]:
    """Periodic Hann window of one frame."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)


@cache
def mel_basis(sr: int, mels: int) -> Array:
    """Triangles of the mel bands over the bins of the spectrum, each of area 1 in Hz: [mels, 257]."""
    edges = _mel_to_hz(np.linspace(0, _hz_to_mel(sr / 2), mels + 2))
    bins = np.linspace(0, sr / 2, FRAME // 2 + 1)
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rise, fall))
    return (triangles * 2 / (edges[2:] - edges[:-2])[:, None]).astype(np.float32)


# Slaney's scale (Auditory Toolbox, 1998): 15 mels per 1000 Hz up to 1000 Hz, then 27 mels per factor 6.4.


def _hz_to_mel(hz: float) -> float:
    return hz * 15 / 1000 if hz < 1000 else 15 + 27 * float(np.log(hz / 1000) / np.log(6.4))


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, mel * 1000 / 15, 1000 * 6.4 ** ((mel - 15) / 27))
