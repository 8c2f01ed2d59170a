"""Vary clips in ways that leave their tags alone, or change them in a known way; all on mel power."""

from torch import Tensor, arange, linspace, rand, randint, randperm

GAIN = 6.0
"""Largest change of level, in dB."""

TILT = 6.0
"""Largest change of the lowest band against the highest, in dB."""


def augment(power: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Roll in time, gain and spectral tilt for each clip; mix the clips of half of the batches in pairs.

    Args:
        power: mel power [batch, mels, frames].
        target: probabilities [batch, tags].

    Returns:
        power and target of the same shapes; mixed clips have mixed targets.
    """
    batch, mels, frames = power.shape
    shift = randint(frames, (batch, 1), device=power.device)
    index = (arange(frames, device=power.device) + shift) % frames
    power = power.gather(2, index[:, None, :].expand(-1, mels, -1))

    gain = GAIN * _uniform(power, batch, 1)
    tilt = TILT / 2 * _uniform(power, batch, 1) * linspace(-1, 1, mels, device=power.device)
    power = power * 10 ** ((gain + tilt) / 10)[:, :, None]

    if rand(()) < 0.5:
        other = randperm(batch, device=power.device)
        share = rand(batch, 1, device=power.device)
        power = share[:, :, None] * power + (1 - share[:, :, None]) * power[other]
        target = share * target + (1 - share) * target[other]
    return power, target


def _uniform(like: Tensor, *shape: int) -> Tensor:
    return 2 * rand(*shape, device=like.device) - 1
