"""MUSICNN (Pons et al., ISMIR 2018) as the study ran it, for any number of mel bands.

The input is normalised, as Pons et al. do, so that both log types reach the filters on one scale.
"""

import copy
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from autotag.config import Config
from train.networks.low_rank import joined, low_rank
from train.networks.network import Network

TIMBRE = ((7, 64), (3, 128), (1, 256))
"""Frames and filters of the vertical filters, each in two heights."""

HEIGHTS = (0.9, 0.4)
"""Heights of the vertical filters, as shares of the mel bands."""

TEMPORAL = ((165, 32), (128, 32), (64, 32), (32, 32))
"""Frames and filters of the horizontal filters, which see the mean of the bands."""

BACK_END = 512
"""Filters of each of the three layers over all those answers."""


RANKS = (128, 128, 128)
"""Channels in the middle of those layers, once they are split in two for INT8."""

PLACES = 12
"""Places of a vertical filter, at most, that are computed together in INT8.

At 96 bands the network takes 0.73 of the time that it takes with one.
"""


class MUSICNN(Network):
    """Wide musical filters, three layers with residual connections, and pooling over time.

    Its pooling drops at most one value of a map, and the filters before it have taken that frame to its
    neighbours: with `whole` or without, every frame counts.

    The embedding is [batch, 500].
    """

    def __init__(self, config: Config, outputs: int = 50, whole: bool = False) -> None:
        super().__init__(config, outputs, whole)
        self.input_norm = nn.BatchNorm2d(1)
        self.timbre = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(1, filters, (int(share * config.mels), frames), padding=(0, frames // 2)),
                nn.ReLU(),
                nn.BatchNorm2d(filters),
            )
            for share in HEIGHTS
            for frames, filters in TIMBRE
        )
        self.temporal = nn.ModuleList(_layer(1, filters, frames) for frames, filters in TEMPORAL)
        answers = sum(filters for _, filters in (*TIMBRE * len(HEIGHTS), *TEMPORAL))
        self.first = _layer(answers, BACK_END, 7)[1:]  # not padded: 6 frames fewer
        self.second = _layer(BACK_END, BACK_END, 7)
        self.third = _layer(BACK_END, BACK_END, 7)
        self.pool = nn.MaxPool1d(2)
        self.penultimate = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(2 * BACK_END, self.width), nn.ReLU(), nn.BatchNorm1d(self.width)
        )
        self.dense = nn.Sequential(nn.Dropout(0.5), nn.Linear(self.width, outputs))

    width = 500

    @property
    def last(self) -> nn.Linear:
        layer = self.dense[1]
        assert isinstance(layer, nn.Linear)
        return layer

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        mel = self.heard(mel)
        mean = mel.mean(2)
        features = [layer(mel) for layer in self.timbre]
        # Pooling, because the gradient of amax costs more than all the convolutions.
        features = [max_pool2d(feature, (feature.shape[2], 1)).squeeze(2) for feature in features]
        features += [layer(mean) for layer in self.temporal]
        first = self.first(torch.cat(features, 1))
        pooled = self.pool(first + self.second(first))
        last = pooled + self.third(pooled)
        embedding = self.penultimate(torch.cat([last.mean(2), last.amax(2)], 1))
        return self.dense(embedding), embedding

    def resized(self, given: Tensor, wanted: Tensor) -> Tensor:
        """Filters that span bands then span the same part of the spectrum, and answer a flat one alike."""
        if given.shape == wanted.shape or given.ndim < 4:
            return super().resized(given, wanted)
        height, width = wanted.shape[2:]
        return interpolate(given, (height, width), mode="area") * (given.shape[2] / height)

    def restore(self, values: dict[str, Tensor], inputs: Tensor) -> None:
        wanted, values = self.state_dict(), joined(values)
        for name in [name for name in values if ".tall." in name]:  # of `Rows`, whose first place is enough
            own = name.replace(".tall", "")
            shape = wanted[own].shape
            values[own] = (
                values[name][: shape[0], :, : shape[2]] if len(shape) > 1 else values[name][: shape[0]]
            )
        super().restore(values, inputs)

    def shrunk(self, inputs: Tensor) -> Self:
        network = copy.deepcopy(self).eval()
        silence_dead(network)
        layers: tuple[nn.Module, ...] = (network.first, network.second, network.third)
        low_rank(network, zip(layers, RANKS, strict=True), inputs)
        pool_early(network, inputs.shape[2])
        return network


NETWORK = MUSICNN


class Rows(nn.Module):
    """The answers of vertical filters where each is highest, computed for several places of a filter at once.

    A convolution with one input channel spends its time on gathering its inputs: so a few rows higher ones,
    which hold each filter at every place that they have room for, do the same in INT8 in half of the time.

    Args:
        filters: the convolution, over the bands of one input channel.
        bands: of the input.
    """

    def __init__(self, filters: nn.Conv2d, bands: int) -> None:
        super().__init__()
        weight, bias = filters.weight.data, filters.bias
        assert bias is not None
        self._count, _, height, frames = weight.shape
        places = bands - height + 1
        groups = -(-places // PLACES)
        self._places = -(-places // groups)
        tall = height + self._places - 1
        starts = torch.arange(0, places, self._places).clamp(max=places - self._places)
        self._rows = (starts[:, None] + torch.arange(tall)).flatten()
        self.tall = nn.Conv2d(
            1,
            self._places * self._count,
            (tall, frames),
            (tall, 1),
            padding=filters.padding,  # type: ignore[arg-type]
        )
        spread = torch.zeros(self._places, self._count, 1, tall, frames)
        for place in range(self._places):
            spread[place, :, :, place : place + height] = weight
        self.tall.weight.data = spread.flatten(0, 1)
        self.tall.bias.data = bias.data.repeat(self._places)  # type: ignore[union-attr]

    def forward(self, mel: Tensor) -> Tensor:
        """[batch, 1, bands, frames] to [batch, filters, 1, frames]."""
        answers = self.tall(mel[:, :, self._rows])
        highest = max_pool2d(answers, (answers.shape[2], 1)).squeeze(2)
        apart: Tensor = highest.unflatten(1, (self._places, self._count))
        return apart.amax(1).unsqueeze(2)


def pool_early(network: MUSICNN, bands: int) -> None:
    """Let a trained network pool its vertical filters over the bands before ReLU and batch norm, by `Rows`.

    ReLU is monotonic, and so is a batch norm whose scales are not negative, as they hardly ever are: the
    outputs are the same. A layer with a negative scale stays as it is.
    """
    for layer in network.timbre:
        assert isinstance(layer, nn.Sequential)
        convolution, _, norm = layer
        assert isinstance(convolution, nn.Conv2d)
        if (norm.get_parameter("weight") >= 0).all():
            layer[0] = Rows(convolution, bands)


def silence_dead(network: MUSICNN) -> None:
    """Take from a trained network the answers of filters that were dead in training.

    Their batch norms have next to no variance, so that a sound that wakes one of them is amplified several
    hundred times, and in INT8 decides on the scale of all others.
    """
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            norm.weight.data[norm.get_buffer("running_var") < norm.eps] = 0


def _layer(channels: int, filters: int, frames: int) -> nn.Sequential:
    same = nn.ConstantPad1d(((frames - 1) // 2, frames // 2), 0.0)
    return nn.Sequential(same, nn.Conv1d(channels, filters, frames), nn.ReLU(), nn.BatchNorm1d(filters))
