import copy

import pytest
import torch

from autotag.config import Config
from train.networks import vgg
from train.networks.low_rank import joined, low_rank
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


def split(network: VGG, inputs: torch.Tensor, rank: int, *blocks: int) -> VGG:
    """The same network with the convolutions of some blocks in two parts, or of the last."""
    found = copy.deepcopy(network)
    low_rank(found, [(found.blocks[block], rank) for block in blocks or (3,)], inputs)
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


def test_every_block_can_be_split_and_joined_again(network: VGG) -> None:
    inputs = torch.randn(8, 1, 48, 137)
    small = split(network, inputs, 16, 1, 2, 3)  # of 16, 32 and 256
    values = joined(small.state_dict())
    assert {name: weight.shape for name, weight in network.state_dict().items()} == {
        name: value.shape for name, value in values.items() if name in network.state_dict()
    }
    whole = values["blocks.1.0.weight"]  # all 16 dimensions are kept
    torch.testing.assert_close(whole, network.state_dict()["blocks.1.0.weight"], atol=1e-5, rtol=1e-4)


def test_a_filter_that_is_silent_stays_so(network: VGG) -> None:
    inputs = torch.randn(8, 1, 48, 137)
    quiet = copy.deepcopy(network)
    quiet.blocks[1][1].weight.data[5] = 0  # type: ignore[index]
    small = split(quiet, inputs, 8, 1)
    assert torch.isfinite(outputs(small, inputs)).all()
    torch.testing.assert_close(outputs(small, inputs), outputs(quiet, inputs), atol=1.0, rtol=0.5)
