"""VGG-CNN (Ferraro et al., arXiv 1911.04824; after Choi et al. 2016) at every resolution, from tables."""

import copy
from typing import Self

import torch
from torch import Tensor, nn

from autotag.config import Config
from train.networks.low_rank import joined, low_rank
from train.networks.network import Network

FILTERS = (128, 384, 768, 2048)

RANKS = (128, 192, 256)
"""Channels in the middle of the convolutions of blocks 2 to 4, once they are split in two for INT8."""

TIME_POOLING = {
    (12000, 1): (4, 5, 8, 8),
    (12000, 2): (4, 5, 8, 4),
    (12000, 3): (4, 5, 8, 2),
    (12000, 4): (4, 5, 8, 2),
    (12000, 5): (4, 5, 8, 1),
    (12000, 10): (4, 5, 4, 1),
    (16000, 1): (4, 5, 9, 10),
    (16000, 2): (4, 5, 9, 5),
    (16000, 3): (4, 5, 9, 3),
    (16000, 4): (4, 5, 9, 2),
    (16000, 5): (4, 5, 9, 2),
    (16000, 10): (4, 5, 9, 1),
}
"""Max-pooling of the four blocks along time, per sample rate and hop multiple (study, Table 3)."""

MEL_POOLING = {
    128: (2, 4, 4, 4),
    96: (2, 4, 3, 4),
    48: (2, 4, 3, 2),
    32: (2, 2, 3, 2),
    24: (2, 2, 3, 2),
    16: (2, 2, 2, 2),
    8: (2, 2, 2, 1),
}
"""Max-pooling of the four blocks along frequency, per number of mel bands (study, Table 3)."""


def window(size: int, pool: int) -> tuple[int, int]:
    """Length and stride of max-pooling windows that leave out none of `size` values.

    There are as many as floor pooling by `pool` has, so the maps and the work are those of Table 3; the last
    values, which floor pooling drops, are reached because the windows overlap by as much as that takes.

    >>> window(137, 4)  # 34 windows: the last one begins at 132 and ends at 137
    (5, 4)
    """
    count = size // pool
    stride = size // count
    return size - (count - 1) * stride, stride


class VGG(Network):
    """Batch norm, four blocks of 3x3 convolution, batch norm, max-pooling and ELU, one dense layer.

    The pooling comes before the ELU, which is monotonic: the result is the same as pooling last, at a
    fraction of the exponentials. The study's pooling drops what is left over at the end of a map: 23 % of the
    frames at 12k 48 x10.

    With `whole` it pools by `window`. The embedding [batch, 2048] is the flattened 1x1 map after block 4.
    """

    def __init__(self, config: Config, outputs: int = 50, whole: bool = False) -> None:
        super().__init__(config, outputs, whole)
        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = nn.Sequential()
        channels, size = 1, (config.mels, config.frames)
        for filters, *pool in zip(
            FILTERS, MEL_POOLING[config.mels], TIME_POOLING[config.sr, config.hop], strict=True
        ):
            (high, down), (wide, along) = (window(*pair) for pair in zip(size, pool, strict=True))
            self.blocks.append(
                nn.Sequential(
                    nn.Conv2d(channels, filters, 3, padding=1, bias=False),
                    nn.BatchNorm2d(filters),
                    nn.MaxPool2d((high, wide), (down, along)) if whole else nn.MaxPool2d(tuple(pool)),
                    nn.ELU(),
                )
            )
            channels, size = filters, (size[0] // pool[0], size[1] // pool[1])
        self.dense = nn.Linear(channels, outputs)

    width = FILTERS[-1]

    @property
    def last(self) -> nn.Linear:
        return self.dense

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.blocks(self.heard(mel)).flatten(1)
        return self.dense(embedding), embedding

    def shrunk(self, inputs: Tensor) -> Self:
        network = copy.deepcopy(self).eval()
        low_rank(network, zip(list(network.blocks)[1:], RANKS, strict=True), inputs)
        return network

    def restore(self, values: dict[str, Tensor], inputs: Tensor) -> None:
        super().restore(_unfolded(joined(values), len(self.blocks)), inputs)
        _see_again(self, inputs)
        _lengthen(self)


NETWORK = VGG

EPSILON = nn.BatchNorm2d(1).eps

LENGTH = 3.0
"""About that of a filter after 3,000 steps of 1e-3."""


def _unfolded(values: dict[str, Tensor], blocks: int) -> dict[str, Tensor]:
    """The constants of an ONNX file as weights of a network whose batch norms do nothing but add a bias.

    Those of the file are folded into the convolutions, whose bias is what they added.
    """
    values = dict(values)
    for block in range(blocks):
        own = f"blocks.{block}.0"
        bias = values[f"{own}.bias"] if f"{own}.bias" in values else values[f"{own}.weight_bias"]
        values[f"blocks.{block}.1.bias"] = bias
        values[f"blocks.{block}.1.running_var"] = torch.full_like(bias, 1 - EPSILON)
    return values


def _see_again(network: VGG, inputs: Tensor) -> None:
    """Give each batch norm the mean and variance of its inputs, and the scale and shift that undo them."""
    norms = [norm for norm in network.blocks.modules() if isinstance(norm, nn.BatchNorm2d)]
    seen: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {norm: [] for norm in norms}

    def see(norm: nn.Module, arguments: tuple[Tensor]) -> None:
        maps = arguments[0]
        seen[norm].append((maps.mean((0, 2, 3)), maps.square().mean((0, 2, 3))))

    hooks = [norm.register_forward_pre_hook(see) for norm in norms]
    with torch.no_grad():
        for part in inputs.chunk(max(1, len(inputs) // 16)):
            network(part)
        for norm, hook in zip(norms, hooks, strict=True):
            hook.remove()
            mean, square = (torch.stack(found).mean(0) for found in zip(*seen[norm], strict=True))
            variance = square - mean**2
            scale = (variance + norm.eps).sqrt()
            norm.load_state_dict(
                {"running_mean": mean, "running_var": variance, "weight": scale, "bias": norm.bias + mean},
                strict=False,
            )


def _lengthen(network: VGG) -> None:
    """Give each filter the length of a trained one, and its batch norm what undoes that.

    Folding has left them a tenth as long, and a step of Adam, which is as long for any filter, would undo in
    an epoch what they had learned.
    """
    for convolution, norm, *_ in (list(block.children()) for block in network.blocks.children()):
        assert isinstance(convolution, nn.Conv2d)
        factor = LENGTH / convolution.weight.data.flatten(1).norm(dim=1).clamp(min=1e-6)
        convolution.weight.data *= factor[:, None, None, None]
        norm.get_buffer("running_mean").mul_(factor)
        norm.get_buffer("running_var").mul_(factor**2)
