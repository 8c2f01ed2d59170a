"""Vary clips in ways that leave their tags alone, or change them in a known way; all on mel power.

Every step takes a `Batch` and returns one; noise is made in the mel bands of the network's sample rate.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, arange, linspace, rand, randint, randperm

from autotag.audio.mel import mel_basis

GAIN = (-3.0, 3.0)
"""Change of level, in dB."""

TILT = 6.0
"""Largest change of the lowest band against the highest, in dB."""

NOISE = 1 / 64
"""Share of the clips in whose place there is noise."""

HUM = (40.0, 160.0)
"""Lowest and highest fundamental of the hum that is in half of the noise, in Hz."""


class Batch(NamedTuple):
    """Clips on their way into the network.

    Attributes:
        power: mel power [batch, mels, frames].
        target: probabilities [batch, outputs].
        hint: embeddings of the teachers [batch, d]; NaN for what is no longer the clip that they heard.
    """

    power: Tensor
    target: Tensor
    hint: Tensor


def roll(batch: Batch) -> Batch:
    """Begin each clip anywhere, and go on with its begin after its end."""
    power = batch.power
    clips, mels, frames = power.shape
    shift = randint(frames, (clips, 1), device=power.device)
    index = (arange(frames, device=power.device) + shift) % frames
    return batch._replace(power=power.gather(2, index[:, None, :].expand(-1, mels, -1)))


def gain(batch: Batch) -> Batch:
    """Change the level of each clip."""
    return batch._replace(power=_amplified(batch.power, _uniform(batch.power, *GAIN)))


def tilt(batch: Batch) -> Batch:
    """Raise the treble of each clip against its bass, or the other way round."""
    power = batch.power
    slope = linspace(-1, 1, power.shape[1], device=power.device)
    return batch._replace(power=_amplified(power, TILT / 2 * _uniform(power, -1, 1) * slope))


def mix(batch: Batch) -> Batch:
    """Mix the clips of half of the batches in pairs, and their probabilities with them."""
    if rand(()) >= 0.5:
        return batch
    power, target, hint = batch
    other = randperm(len(power), device=power.device)
    share = rand(len(power), 1, device=power.device)
    return Batch(
        share[:, :, None] * power + (1 - share[:, :, None]) * power[other],
        share * target + (1 - share) * target[other],
        torch.full_like(hint, torch.nan),
    )


def noise(batch: Batch, sr: int) -> Batch:
    """Put noise in place of some clips: of any level and colour, half with a hum, and with no tag at all."""
    power, target, hint = batch
    chosen = torch.nonzero(rand(len(power), device=power.device) < NOISE)[:, 0]
    made = power[chosen]
    # The power of noise in a bin of the spectrum is exponential, in a band a mean of a few of those (of
    # bins that a window correlates a little, so that it is less steady by a tenth to a third).
    basis = torch.from_numpy(mel_basis(sr, power.shape[1])).to(power)
    bins = power.new_empty(len(made), basis.shape[1], power.shape[2]).exponential_()
    octaves = (1 + arange(basis.shape[1], device=power.device)).log2()
    bins = _amplified(bins, _uniform(made, -9, 3) * octaves)  # white is 0 dB an octave, brown -6
    humming = rand(len(made), 1, 1, device=power.device) < 0.5
    under = _amplified(bins / bins.mean((1, 2), keepdim=True), _uniform(made, -120, 0))
    bins = torch.where(humming, under + _hum(made, basis.shape[1], sr)[:, :, None], bins)
    made = basis / basis.sum(1, keepdim=True).clamp(min=1e-9) @ bins
    made = _amplified(made / made.mean((1, 2), keepdim=True), _uniform(made, -90, 10))
    return Batch(
        power.index_copy(0, chosen, made),
        target.index_fill(0, chosen, 0),
        hint.index_fill(0, chosen, torch.nan),
    )


STEPS = ("roll", "gain", "tilt", "mix", "noise")
"""In the order in which they are done."""


def augment(batch: Batch, steps: Collection[str], sr: int) -> Batch:
    """Do some of the steps to a batch of clips at a sample rate."""
    does: dict[str, Callable[[Batch], Batch]] = {
        "roll": roll,
        "gain": gain,
        "tilt": tilt,
        "mix": mix,
        "noise": partial(noise, sr=sr),
    }
    for name in STEPS:
        if name in steps:
            batch = does[name](batch)
    return batch


def _hum(like: Tensor, bins: int, sr: int) -> Tensor:
    """Mean power 1 in the bins of a spectrum [batch, bins]: a steady low tone and some of its overtones.

    The lobe of a tone is that of the front-end's Hann window (`autotag.audio.mel.hann`).
    """
    lowest, highest = HUM
    fundamental = lowest * (highest / lowest) ** rand(len(like), 1, device=like.device)
    overtones = arange(1, 9, device=like.device)
    levels = (overtones - 1) * _uniform(like, -40, 0)  # in dB
    places = (overtones * fundamental * 2 * (bins - 1) / sr)[:, :, None]
    away = arange(bins, device=like.device) - places
    lobes = (torch.sinc(away) + torch.sinc(away - 1) / 2 + torch.sinc(away + 1) / 2) ** 2
    spectrum = _amplified(lobes, levels).sum(1)
    return spectrum / spectrum.mean(1, keepdim=True)


def _amplified(power: Tensor, decibels: Tensor) -> Tensor:
    return power * 10 ** (decibels / 10)[:, :, None]


def _uniform(like: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * rand(len(like), 1, device=like.device)
