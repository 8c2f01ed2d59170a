"""The networks of the study, built from a configuration, and what they cost."""

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from autotag.config import Config
from train.networks.network import Network


def build(config: Config, outputs: int = 50, whole: bool = False, bits: int = 0) -> Network:
    """The untrained network of a configuration: mel [batch, 1, mels, frames] to (logits, embedding).

    Args:
        outputs: of the last layer.
        whole: every frame and band counts, also those that the study's pooling drops.
        bits: that the network keeps of each value of its input; 0 for all.
    """
    architecture: type[Network] = import_module(f"train.networks.{config.arch}").NETWORK
    network = architecture(config, outputs, whole)
    network.bits = bits
    # The filters after it can scale and shift as well, and its gradient would double a step of MUSICNN.
    network.input_norm.requires_grad_(False)
    return network


def pooling(config: Config) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Max-pooling of the blocks along time, and along the mel bands: the study's Table 3."""
    with torch.device("meta"):
        layers = list(build(config).modules())
    both: list[Any] = [layer.kernel_size for layer in layers if isinstance(layer, nn.MaxPool2d)]
    along: list[Any] = [layer.kernel_size for layer in layers if isinstance(layer, nn.MaxPool1d)]
    return tuple(time for _, time in both) + tuple(along), tuple(mels for mels, _ in both)


def cost(config: Config) -> tuple[int, int]:
    """Multiply-accumulates of convolutions and dense layers for one segment, and parameters."""
    with torch.device("meta"):
        model = build(config).eval()
        mel = torch.empty(1, 1, config.mels, config.frames)
    macs = 0

    def add(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal macs
        assert isinstance(layer.weight, Tensor)
        macs += layer.weight[0].numel() * output[0].numel()

    for layer in model.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(add)
    model(mel)
    return macs, sum(parameter.numel() for parameter in model.parameters())
