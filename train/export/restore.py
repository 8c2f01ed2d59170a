"""The trained network of a published model, for others to begin with where its run is not at hand."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx.numpy_helper import to_array
from torch import Tensor, nn

from autotag.config import Config
from train.networks import build
from train.networks.vgg import VGG

EPSILON = nn.BatchNorm2d(1).eps


def restore(path: Path, config: Config, inputs: Tensor) -> nn.Module:
    """A network that answers as an ONNX file of `train.export.publish` does, but for the rounding of INT8.

    Args:
        path: float32 or INT8, the last convolution of VGG-CNN in one piece or in two.
        config: of the model.
        inputs: log-mel segments [n, 1, mels, frames], which tell what folded batch norms had seen.
    """
    values = _constants(path)
    network = build(config, len(values["dense.bias" if config.arch == "vgg" else "dense.1.bias"])).eval()
    if isinstance(network, VGG):
        _fold(network, values)
    state = network.state_dict()
    network.load_state_dict({name: values.get(name, state[name]) for name in state})
    if isinstance(network, VGG):
        _unfold(network, inputs)
    return network


def _constants(path: Path) -> dict[str, Tensor]:
    """All constants of an ONNX file in float32, under the names that they have in torch."""
    graph = onnx.load(path).graph
    found = {constant.name: to_array(constant) for constant in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in found:
            whole, scale, zero = (found[name].astype(np.float32) for name in node.input)
            along = (-1,) + (1,) * (whole.ndim - 1)
            name = node.input[0].removesuffix("_quantized")
            found[name] = (whole - zero.reshape(along)) * scale.reshape(along)
    return {name.removeprefix("network."): torch.tensor(value) for name, value in found.items()}


def _fold(network: VGG, values: dict[str, Tensor]) -> None:
    """Let each batch norm do nothing but add the bias of the convolution that it was folded into."""
    last = f"blocks.{len(network.blocks) - 1}"
    if f"{last}.1.weight" in values:  # train.networks.low_rank made two of it
        values[f"{last}.0.weight"] = torch.einsum(
            "orhw,rchw->ochw", values.pop(f"{last}.1.weight").expand(-1, -1, 3, 3), values[f"{last}.0.weight"]
        )
        values[f"{last}.0.weight_bias"] = values.pop(f"{last}.1.bias")
    for block in range(len(network.blocks)):
        bias = values[f"blocks.{block}.0.weight_bias"]
        values[f"blocks.{block}.1.bias"] = bias
        values[f"blocks.{block}.1.running_var"] = torch.full_like(bias, 1 - EPSILON)


def _unfold(network: VGG, inputs: Tensor) -> None:
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
