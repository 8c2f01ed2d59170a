"""A configuration as ONNX files with random weights, by which it can be timed before anybody trains it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from autotag.audio.mel import log_mel
from autotag.config import Config
from autotag.meaning import Output
from autotag.models.metadata import UNTRAINED, Metadata
from autotag.models.model import Model
from train.data.mtat import TAGS
from train.export.publish import publish
from train.export.quantise import quantise
from train.export.to_onnx import parity, to_onnx, write_metadata
from train.fit.run import commit
from train.networks import build, cost

NOISES = 4
"""Segments of noise that the INT8 ranges are read from; they do not change how long a network takes."""


def export_untrained(config: Config, folder: Path) -> Path:
    """Write a configuration with random weights, and MagnaTagATune's tags, into a folder of models.

    Its float32 file is beside the INT8 file and not in the manifest. Both are called `untrained-` and say so
    in their metadata. The network has its full size: that of an export is shrunk by what it has learned.

    Returns:
        The INT8 file.
    """
    torch.manual_seed(0)
    network = build(config, len(TAGS)).eval()
    macs, parameters = cost(config)
    metadata = Metadata(
        name=f"untrained-{config.name}",
        config=config,
        frames=config.frames,
        outputs=tuple(Output("mtat", tag) for tag in TAGS),
        uncalibrated=(),
        dataset=UNTRAINED,
        label_source=UNTRAINED,
        split={},
        precision="fp32",
        metrics={},
        training={},
        gmac=macs / 1e9,
        parameters=parameters,
        commit=commit(),
        licence="none: random weights",
    )
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).standard_normal((NOISES, config.segment_samples), np.float32) / 10
    spectrograms = np.stack([log_mel(samples, config) for samples in noise])
    fp32, int8 = (folder / f"{metadata.name}.{precision}.onnx" for precision in ("fp32", "int8"))
    to_onnx(network, config, fp32)
    write_metadata(fp32, metadata)
    parity(network, Model(fp32), spectrograms)
    quantise(fp32, int8, spectrograms)
    write_metadata(int8, replace(metadata, precision="int8"))
    target = publish(int8, folder)
    int8.unlink()
    return target
