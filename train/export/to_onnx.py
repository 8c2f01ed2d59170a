"""A trained network as an ONNX file in float32 that describes itself."""

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from autotag.audio.mel import Array
from autotag.config import Config
from autotag.models.metadata import KEY, Metadata
from autotag.models.model import Model
from autotag.system.files import replacing
from train.errors import RunError

TOLERANCE = 1e-4
"""Largest difference of scores and embeddings between torch and ONNX, both in float32."""


class Scorer(nn.Module):
    """A network as it is used: mel to scores in 0..1 and the embedding."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        logits, embedding = self.network(mel)
        return logits.sigmoid(), embedding


def to_onnx(network: nn.Module, config: Config, path: Path) -> None:
    """Write the network in float32, with batch norms folded into the convolutions where they can be."""
    mel = torch.zeros(2, 1, config.mels, config.frames)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Scorer(network).eval(),
            (mel,),
            input_names=["mel"],
            output_names=["scores", "embedding"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:  # where in the source it comes from, with paths of this machine
        del node.metadata_props[:]
    onnx.save(model, path)


def write_metadata(path: Path, metadata: Metadata) -> None:
    """Write the metadata into an ONNX file, in place of what stood there."""
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {KEY: json.dumps(metadata.to_dict())})
    with replacing(path) as part:
        onnx.save(model, part)


def parity(network: nn.Module, model: Model, spectrograms: Array) -> float:
    """Largest difference between the outputs of torch and ONNX for segments [n, mels, frames].

    Raises:
        RunError: it is over 1e-4.
    """
    with torch.no_grad():
        expected = Scorer(network).eval()(torch.from_numpy(spectrograms)[:, None])
    found = model(spectrograms)
    difference = max(float(np.abs(e.numpy() - f).max()) for e, f in zip(expected, found, strict=True))
    if not difference <= TOLERANCE:
        raise RunError(
            f"{model.metadata.name}: torch and ONNX differ by {difference:.1e}, over {TOLERANCE}. "
            "Do not use the file."
        )
    return difference
