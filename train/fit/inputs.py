"""From clips of the mel cache to what a network sees at once."""

import torch
from torch import Tensor

from autotag.config import Config
from train.fit.augment import Batch
from train.fit.recipe import Recipe
from train.fit.teachers import labelled_segments


def cut(batch: Batch, config: Config, recipe: Recipe) -> Batch:
    """What the network sees at once of each clip, with its target and hint.

    Clips whose labels are of the whole come as such parts already: `train.fit.clips.Places`.
    """
    if recipe.segments:
        return Batch(*labelled_segments(*batch, config))
    return batch


def network_input(power: Tensor, config: Config) -> Tensor:
    """Mel power [batch, mels, frames] to log-mel [batch, 1, mels, frames]: as `compress` does."""
    db = config.log == "db"
    mel = 10 * torch.log10(power.clamp(min=1e-10)) if db else torch.log10(1 + 10000 * power)
    return mel[:, None].contiguous(memory_format=torch.channels_last)
