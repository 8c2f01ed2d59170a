"""Vary clips in ways that leave their tags alone, or change them in a known way; all on mel power.

Every step takes mel power [batch, mels, frames] and probabilities [batch, tags], and returns both.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, arange, linspace, rand, randint, randperm

from autotag.audio.mel import mel_basis
from autotag.config import RATES

GAIN = (-20.0, 6.0)
"""Change of level, in dB: files are softer than the corpus rather than louder."""

TILT = 6.0
"""Largest change of the lowest band against the highest, in dB."""


def roll(power: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Begin each clip anywhere, and go on with its begin after its end."""
    batch, mels, frames = power.shape
    shift = randint(frames, (batch, 1), device=power.device)
    index = (arange(frames, device=power.device) + shift) % frames
    return power.gather(2, index[:, None, :].expand(-1, mels, -1)), target


def gain(power: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Change the level of each clip."""
    return _amplified(power, _uniform(power, *GAIN)), target


def tilt(power: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Raise the treble of each clip against its bass, or the other way round."""
    slope = linspace(-1, 1, power.shape[1], device=power.device)
    return _amplified(power, TILT / 2 * _uniform(power, -1, 1) * slope), target


def mix(power: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Mix the clips of half of the batches in pairs, and their probabilities likewise."""
    if rand(()) < 0.5:
        other = randperm(len(power), device=power.device)
        share = rand(len(power), 1, device=power.device)
        power = share[:, :, None] * power + (1 - share[:, :, None]) * power[other]
        target = share * target + (1 - share) * target[other]
    return power, target


def noise(power: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Put noise in place of one clip in sixteen: of any level and colour, and with no tag at all."""
    chosen = torch.nonzero(rand(len(power), device=power.device) < 1 / 16)[:, 0]
    made = power[chosen]
    # The power of noise in a bin of the spectrum is exponential, in a band a mean of a few of those (of
    # bins that a window correlates a little, so that it is less steady by a tenth to a third).
    basis = torch.from_numpy(mel_basis(RATES[0], power.shape[1])).to(power)
    bins = power.new_empty(len(made), basis.shape[1], power.shape[2]).exponential_()
    octaves = (1 + arange(basis.shape[1], device=power.device)).log2()
    colour = _amplified(bins, _uniform(made, -9, 3) * octaves)  # white is 0 dB an octave, brown -6
    made = basis / basis.sum(1, keepdim=True).clamp(min=1e-9) @ colour
    made = _amplified(made / made.mean((1, 2), keepdim=True), _uniform(made, -90, 10))
    return power.index_copy(0, chosen, made), target.index_fill(0, chosen, 0)


STEPS: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    step.__name__: step for step in (roll, gain, tilt, mix, noise)
}
"""In the order in which they are done."""


def augment(power: Tensor, target: Tensor, steps: Iterable[str]) -> tuple[Tensor, Tensor]:
    """Do some of the steps to a batch."""
    for name in STEPS:
        if name in steps:
            power, target = STEPS[name](power, target)
    return power, target


def _amplified(power: Tensor, decibels: Tensor) -> Tensor:
    return power * 10 ** (decibels / 10)[:, :, None]


def _uniform(like: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * rand(len(like), 1, device=like.device)
