"""What a network says of the clips of the mel cache, and how far that is from what it aims at."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import binary_cross_entropy

from autotag.audio.mel import Array
from autotag.config import Config
from train.measure.evaluate import AT_ONCE, clip_scores

ON_A_GPU = 256
"""Segments that a GPU scores at once, while the next ones are read."""


def predict(
    network: nn.Module, power: Array, rows: NDArray[np.intp], config: Config, device: torch.device
) -> Array:
    """Mean scores over the segments of clips `rows` of the mel cache: [rows, outputs]."""
    at_once = AT_ONCE if device.type == "cpu" else ON_A_GPU
    return clip_scores(network_scores(network.eval(), device), config, power, rows, at_once)


def network_scores(network: nn.Module, device: torch.device) -> Callable[[Array], Array]:
    """A network in evaluation as a function: log-mel segments [n, mels, frames] to scores [n, outputs]."""

    def score(cut: Array) -> Array:
        mel = torch.from_numpy(cut)
        if device.type == "cuda":
            mel = mel.pin_memory()
        mel = mel.to(device, non_blocking=True)[:, None].contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            scores: Array = network(mel)[0].sigmoid().cpu().numpy()
        return scores

    return score


def loss_of(scores: Array, target: Array) -> float:
    """Mean binary cross-entropy of scores with probabilities, both [clips, outputs]."""
    return float(binary_cross_entropy(torch.from_numpy(scores), torch.from_numpy(target)))
