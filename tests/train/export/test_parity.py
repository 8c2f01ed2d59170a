"""ONNX and torch agree: each row of the tables that the networks are built from, in full width."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autotag.audio.mel import compress
from autotag.config import GRID, LOGS, Config
from autotag.models.model import Model
from autotag.models.registry import find
from train.export.to_onnx import parity, to_onnx, write_metadata
from train.networks import build
from train.networks.vgg import MEL_POOLING, TIME_POOLING

VGG = (
    *("12k-32-x1", "12k-48-x2", "12k-128-x4", "12k-96-x5", "12k-128-x10"),
    *("16k-16-x1", "16k-8-x1", "16k-48-x2", "16k-96-x3", "16k-48-x5", "16k-96-x10"),
)
MUSICNN = ("12k-48-x1", "16k-96-x1", "12k-128-x1")
CONFIGS = [
    Config.parse(f"{arch}-{name}-db")
    for arch, names in (("vgg", VGG), ("musicnn", MUSICNN))
    for name in names
]


def test_every_row_of_the_tables_is_compared() -> None:
    """Of VGG-CNN every pooling along time and along frequency, of MUSICNN all bands and frames."""
    vgg, musicnn = ([c for c in CONFIGS if c.arch == arch] for arch in ("vgg", "musicnn"))
    assert {TIME_POOLING[config.sr, config.hop] for config in vgg} == set(TIME_POOLING.values())
    assert {MEL_POOLING[config.mels] for config in vgg} == set(MEL_POOLING.values())
    grid = [config for config in GRID if config.arch == "musicnn"]
    assert {config.mels for config in musicnn} == {config.mels for config in grid}
    assert {config.frames for config in musicnn} == {config.frames for config in grid}


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_onnx_equals_torch(config: Config, tmp_path: Path) -> None:
    """With weights as they come; the batch norms get statistics that are not the identity's."""
    torch.manual_seed(0)
    network = build(config)
    power = (10 ** np.random.default_rng(0).uniform(-10, 3, (2, config.mels, config.frames))).astype(
        np.float32
    )
    inputs = {log: compress(power, log) for log in LOGS}
    network.train()(torch.from_numpy(inputs["db"])[:, None])
    path = tmp_path / "model.onnx"
    to_onnx(network, config, path)
    metadata = find("vgg-12k-48-x10-db").metadata
    changed = replace(metadata, name=config.name, config=config, frames=config.frames)
    write_metadata(path, replace(changed, outputs=metadata.outputs[:50], uncalibrated=()))
    model = Model(path)
    for mel in inputs.values():
        assert 0 < parity(network, model, mel) < 1e-4
