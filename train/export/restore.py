"""The trained network of a published model, for others to begin with where its run is not there."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx.numpy_helper import to_array
from torch import Tensor

from autotag.audio.mel import Array
from autotag.config import Config
from train.networks import build
from train.networks.network import Network


def restore(path: Path, config: Config, inputs: Tensor, whole: bool = False, bits: int = 0) -> Network:
    """A network that answers as an ONNX file of `train.export` does, but for the rounding of INT8.

    Args:
        path: float32 or INT8.
        config: of the model.
        whole: whether it pools all of a segment.
        bits: that it keeps of its input.
        inputs: log-mel segments [n, 1, mels, frames], which tell what folded batch norms had seen.
    """
    graph = onnx.load(path).graph
    shapes = {output.name: output.type.tensor_type.shape.dim for output in graph.output}
    network = build(config, shapes["scores"][1].dim_value, whole, bits).eval()
    network.restore(_constants(graph), inputs)
    return network


def dequantised(whole: Array, scale: Array, zero: Array) -> Array:
    """The float32 weights of whole numbers [n, ...] with a scale and a zero point for each of n channels."""
    along = (-1,) + (1,) * (whole.ndim - 1)
    apart = whole.astype(np.float32) - zero.astype(np.float32).reshape(along)
    weights: Array = apart * scale.reshape(along)
    return weights


def _constants(graph: onnx.GraphProto) -> dict[str, Tensor]:
    """All constants of an ONNX graph in float32, under the names that they have in torch."""
    found = {constant.name: to_array(constant) for constant in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in found:
            name = node.input[0].removesuffix("_quantized")
            found[name] = dequantised(*(found.pop(name) for name in node.input))
    return {name.removeprefix("network."): torch.tensor(value) for name, value in found.items()}
