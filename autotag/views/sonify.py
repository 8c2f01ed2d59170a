"""What a network hears: a mel-spectrogram turned back into sound, in constant memory."""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from autotag.audio.mel import Array, compress, mel_basis, mel_power_blocks
from autotag.config import FRAME, HOP
from autotag.errors import ExtraMissing

try:
    from librosa import griffinlim
except ImportError as error:
    raise ExtraMissing("sonify needs the package librosa: pip install librosa") from error
except RuntimeError as error:  # as numba raises, which keeps what it compiles
    raise ExtraMissing(
        "sonify needs a folder for what librosa compiles, and there is none that it may write to. "
        "Set NUMBA_CACHE_DIR to one."
    ) from error

GRIFFIN_LIM_HOP = FRAME // 4
"""Samples between the frames that phases are found for: at 75 % overlap they fit together."""

FINEST = (128, 1)
"""Bands and hop of the finest resolution."""

PIECE = 30.0
"""Seconds that are inverted at once."""

OVERLAP = 0.25
"""Seconds, at least, in which a piece is faded into the next."""

ROUNDS = 30
"""How often a spectrum is fitted to the mel bands. With 48 bands at x2, half of examples/song.mp3 comes back
with a correlation of 0.972 after 10 rounds, 0.978 after 20, 0.982 after 50; with librosa's `mel_to_stft`,
whose least squares do not care for quiet bands, with 0.889."""


def sonify(blocks: Iterable[Array], sr: int, mels: int, hop: int) -> Iterator[Array]:
    """A signal, mono blocks [n] at `sr` Hz, as its mel-spectrogram has it: blocks, as many samples in all.

    Frames of a long hop are joined by interpolation of their decibels; phases, which a mel-spectrogram has
    not, are found by Griffin and Lim's method.

    Args:
        mels, hop: as of `autotag.config.Config`.
    """
    step = hop * HOP
    samples = 0

    def counted() -> Iterator[Array]:
        nonlocal samples
        for block in blocks:
            samples += len(block)
            yield block

    overlap = -int(-OVERLAP * sr // step)
    fade = np.linspace(0, 1, overlap * step, dtype=np.float32)
    power = mel_power_blocks(counted(), sr, mels, hop)
    rest = np.zeros(0, np.float32)
    done = 0
    for piece in _pieces(power, round(PIECE * sr / step), overlap):
        sound = _sound(piece, sr, step)
        if len(rest):  # two sounds whose phases have nothing to do with each other: their powers add up
            sound[: len(fade)] = np.sqrt(1 - fade) * rest + np.sqrt(fade) * sound[: len(fade)]
        ready = max(0, len(sound) - len(fade))
        yield sound[:ready]
        done += ready
        rest = sound[ready:]
    yield rest[: samples - done]


def likeness(song: Iterable[Array], sound: Iterable[Array], sr: int) -> float:
    """How much of a song is left in a sound, both in mono blocks [n]: 1 if all that a network could see.

    It is the correlation of their spectrograms at the finest resolution, in decibels. Seen at the sound's
    own resolution, which is what it was made to fit, a coarse sound would be as good as a fine one.
    """
    return correlation(*(decibels(blocks, sr, *FINEST) for blocks in (song, sound)))


def correlation(one: Iterable[Array], other: Iterable[Array]) -> float:
    """Pearson's of two spectrograms that come in blocks [bands, some frames], over all that both have."""
    pairs = zip(*(chain.from_iterable(block.T for block in blocks) for blocks in (one, other)), strict=False)
    count = 0
    sums, products = np.zeros(2), np.zeros((2, 2))
    for pair in pairs:
        both = np.array(pair, np.float64)
        count += both.shape[1]
        sums += both.sum(axis=1)
        products += both @ both.T
    covariance = products / count - np.outer(sums, sums) / count**2
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def decibels(blocks: Iterable[Array], sr: int, mels: int, hop: int) -> Iterator[Array]:
    """The spectrogram that a network of the resolution sees of mono blocks [n]: [mels, some frames]."""
    return (compress(power, "db") for power in mel_power_blocks(blocks, sr, mels, hop))


def _pieces(blocks: Iterable[Array], frames: int, overlap: int) -> Iterator[Array]:
    """Blocks as pieces of so many frames, the last of fewer; each begins with the end of the one before."""
    held = np.zeros((0, 0), np.float32)
    for block in blocks:
        held = np.concatenate([held, block], axis=1) if held.size else block
        while held.shape[1] > frames:
            yield held[:, :frames]
            held = held[:, frames - overlap :]
    yield held


def _sound(power: Array, sr: int, step: int) -> Array:
    """Samples [frames * step] of mel power [mels, frames]."""
    frames = power.shape[1]
    at = np.arange(1 + frames * step // GRIFFIN_LIM_HOP) * (GRIFFIN_LIM_HOP / step)
    before = np.minimum(at.astype(int), frames - 1)
    after = np.minimum(before + 1, frames - 1)
    share = (at - before).clip(0, 1).astype(np.float32)
    logs = np.log(np.maximum(_spectrum(power, sr), 1e-10))
    magnitudes = np.exp((logs[:, before] * (1 - share) + logs[:, after] * share) / 2)
    sound: Array = griffinlim(
        magnitudes,
        hop_length=GRIFFIN_LIM_HOP,
        n_fft=FRAME,
        length=frames * step,
        pad_mode="constant",
        random_state=0,
    )
    return sound.astype(np.float32, copy=False)


def _spectrum(power: Array, sr: int) -> Array:
    """A power spectrum [257, frames] whose mel bands are these [mels, frames].

    Each round multiplies every bin by the mean ratio of the bands that it lies in to what they are so far
    (Lee and Seung's rule, which lessens the Kullback-Leibler divergence): loud and quiet bands count alike.
    """
    basis = mel_basis(sr, len(power))
    reach = np.maximum(basis.sum(axis=0), 1e-12)[:, None]
    spectrum = np.ones((basis.shape[1], power.shape[1]), np.float32)
    for _ in range(ROUNDS):
        spectrum *= basis.T @ (power / np.maximum(basis @ spectrum, 1e-20)) / reach
    return spectrum
