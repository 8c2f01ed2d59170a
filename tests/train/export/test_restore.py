"""Networks that have been exported and read back, as they are and as they train on."""

from pathlib import Path

import pytest
import torch
from torch import nn

from autotag.config import Config
from train.export.quantise import quantise
from train.export.restore import restore
from train.export.to_onnx import to_onnx
from train.networks import build
from train.networks.network import Network

VGG = Config(hop=10)


def seen(config: Config) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(32, 1, config.mels, config.frames, generator=generator)


def trained(config: Config) -> Network:
    """One whose batch norms are not those of a new network."""
    torch.manual_seed(0)
    network = build(config)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias)
                layer.momentum = None  # the mean of all, which are one
        network(seen(config))
    return network.eval()


def logits(network: nn.Module, config: Config) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = network(seen(config))[0]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("config", [VGG, Config.parse("musicnn-12k-48-x1-db")], ids=lambda c: c.name)
def test_a_network_comes_back_from_its_file(config: Config, tmp_path: Path) -> None:
    """And VGG-CNN trains on as it did: batch norms that know what they had seen give the same in training."""
    network = trained(config)
    written = (
        network if config == VGG else network.shrunk(seen(config))
    )  # whose filters stand in other shapes
    to_onnx(written, config, tmp_path / "model.onnx")
    found = restore(tmp_path / "model.onnx", config, seen(config))
    torch.testing.assert_close(logits(found, config), logits(written, config), atol=1e-4, rtol=1e-3)
    if config == VGG:  # MUSICNN drops out at random
        torch.testing.assert_close(
            logits(found.train(), config), logits(network.train(), config), atol=0.05, rtol=0
        )


@pytest.mark.slow
@pytest.mark.parametrize("config", [VGG, Config.parse("musicnn-12k-48-x1-db")], ids=lambda c: c.name)
def test_the_one_that_is_small_comes_back(config: Config, tmp_path: Path) -> None:
    network = trained(config)
    path = tmp_path / "model.onnx"
    small = network.shrunk(seen(config))
    to_onnx(small, config, path)
    quantise(path, path, seen(config)[:, 0].numpy())
    found = restore(path, config, seen(config))
    wanted = logits(small, config)
    assert float((logits(found, config) - wanted).norm() / wanted.norm()) < 0.1
    names = {name: weight.shape for name, weight in network.state_dict().items()}
    assert {name: weight.shape for name, weight in found.state_dict().items()} == names
