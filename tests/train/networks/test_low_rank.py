import copy

import pytest
import torch
from torch import nn

from autotag.config import Config
from train.networks import vgg
from train.networks.low_rank import low_rank
from train.networks.vgg import VGG

CONFIG = Config.parse("vgg-12k-48-x10-db")


@pytest.fixture(scope="module")
def network() -> VGG:
    """A small one whose batch norms have seen something."""
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg, "FILTERS", (8, 16, 32, 256))
        network = VGG(CONFIG)
    with torch.no_grad():
        for _ in range(20):
            network(torch.randn(8, 1, 48, 137))
    return network.eval()


def split(network: VGG, inputs: torch.Tensor, rank: int) -> VGG:
    """The same network with its last convolution in two parts."""
    found = copy.deepcopy(network)
    block = network.blocks[-1]
    assert isinstance(block, nn.Sequential)
    found.blocks[-1] = low_rank(network, block, inputs, rank)
    return found


def outputs(network: VGG, inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = network(inputs)[1]
    return found


def test_as_many_dimensions_as_the_outputs_have_change_nothing(network: VGG) -> None:
    inputs = torch.randn(8, 1, 48, 137)  # 16 outputs
    small = split(network, inputs, rank=16)
    torch.testing.assert_close(outputs(small, inputs), outputs(network, inputs), atol=1e-4, rtol=1e-4)


def test_more_dimensions_are_nearer_and_fewer_are_smaller(network: VGG) -> None:
    torch.manual_seed(1)
    seen, unseen = torch.randn(40, 1, 48, 137), torch.randn(8, 1, 48, 137)
    before = [parameter.clone() for parameter in network.parameters()]
    wanted = outputs(network, unseen)
    smaller, larger = (split(network, seen, rank) for rank in (4, 32))
    errors = [float((outputs(small, unseen) - wanted).norm()) for small in (smaller, larger)]
    assert errors[0] > errors[1]
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    weights = [sum(p.numel() for p in small.parameters()) for small in (smaller, larger, network)]
    assert weights[0] < weights[1] < weights[2] / 2
