"""An ONNX file in INT8: the convolutions of many inputs, by ranges that real segments give."""

import logging
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from autotag.audio.mel import Array

FEWEST = 16
"""Inputs of a filter from which on INT8 is faster than float32."""


def quantise(source: Path, target: Path, spectrograms: Array) -> None:
    """Static INT8 (QDQ) of the convolutions of many inputs, by the ranges of segments [n, mels, frames].

    Weights are per channel and of 7 bits, which no processor's 16-bit sums overflow. A convolution of 3x3
    values of one channel stays in float32 because INT8 slows it down, the dense layer and the sigmoid
    because scores of 8 bits would tie.
    """
    prepared = target.with_suffix(".part")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    graph = onnx.load(prepared).graph
    inputs = {constant.name: math.prod(constant.dims[1:]) for constant in graph.initializer}
    small = [node.name for node in graph.node if node.op_type == "Conv" and inputs[node.input[1]] < FEWEST]
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    quantize_static(
        str(prepared),
        str(target),
        Segments(spectrograms),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=small,
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    logging.getLogger().setLevel(level)
    prepared.unlink()


class Segments(CalibrationDataReader):  # type: ignore[misc]
    """Feeds segments [n, mels, frames] to onnxruntime, one by one."""

    def __init__(self, spectrograms: Iterable[Array]) -> None:
        self._inputs: Iterator[dict[str, Array]] = ({"mel": s[None, None]} for s in spectrograms)

    def get_next(self) -> dict[str, Array] | None:
        return next(self._inputs, None)
