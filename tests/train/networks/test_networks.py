"""Both architectures in all their resolutions: the maps, the cost, and what each does its own way."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from autotag.config import GRID, Config
from train.networks import build, cost, vgg
from train.networks.musicnn import MUSICNN, pool_early, silence_dead
from train.networks.network import SOFTEST
from train.networks.vgg import VGG, window

CONFIGS = [config for config in GRID if config.arch == "vgg" and config.log == "db"]

GMAC = {
    "12k-128-x1": 13.197, "12k-96-x1": 10.011, "12k-48-x1": 5.005,
    "12k-48-x2": 2.497, "12k-48-x3": 1.643, "12k-48-x4": 1.249, "12k-48-x5": 0.973, "12k-48-x10": 0.493,
    "12k-32-x1": 4.134, "12k-24-x1": 3.157, "12k-16-x1": 2.180, "12k-8-x1": 1.090,
    "16k-128-x1": 17.581, "16k-96-x1": 13.327, "16k-48-x1": 6.664, "16k-48-x10": 0.660,
}  # fmt: skip
"""Multiply-accumulates of one segment, counted by hand from the study's tables."""


@pytest.mark.parametrize("config", GRID, ids=lambda config: config.name)
def test_the_log_type_changes_the_input_and_not_the_network(config: Config) -> None:
    """So that what is true of one is true of the other."""
    with torch.device("meta"):
        assert str(build(config)) == str(build(replace(config, log="db")))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_the_map_after_block_4_is_one_by_one_and_the_cost_is_the_study_s(config: Config) -> None:
    with torch.device("meta"):
        network = VGG(config).eval()
        mel = torch.empty(2, 1, config.mels, config.frames)
    assert network.blocks(network.input_norm(mel)).shape == (2, 2048, 1, 1)
    logits, embedding = network(mel)
    assert logits.shape == (2, 50)
    assert embedding.shape == (2, 2048)
    macs, parameters = cost(config)
    assert parameters == pytest.approx(17.3e6, rel=0.01)
    known = GMAC.get(config.name.removeprefix("vgg-").rsplit("-", 1)[0])
    if known is not None:
        assert macs / 1e9 == pytest.approx(known, abs=0.0006)
    # Every layer's work follows its map, which the hop divides up to the floor of the pooling.
    full, _ = cost(Config(config.arch, config.sr, config.mels, 1, config.log))
    assert macs == pytest.approx(full / config.hop, rel=0.05)


NARROW = (4, 6, 8, 12)
"""Filters of blocks that pool as the full network's do, at a thousandth of the work."""


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_a_whole_segment_counts(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first and the last frame and band change the embedding, and the maps are the study's."""
    monkeypatch.setattr(vgg, "FILTERS", NARROW)
    torch.manual_seed(0)
    network = VGG(config, 5, whole=True).eval()
    mel = torch.randn(4, 1, config.mels, config.frames)
    with torch.no_grad():
        before = network(mel)[1]
        assert before.shape == (4, NARROW[-1])
        for edge in (mel[:, :, :, :1], mel[:, :, :, -1:], mel[:, :, :1], mel[:, :, -1:]):
            edge += 50
            assert not torch.equal(network(mel)[1], before)
            edge -= 50


def test_the_study_s_pooling_leaves_the_end_of_most_segments_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg, "FILTERS", NARROW)
    unheard = 0
    for config in CONFIGS:
        network = VGG(config, 5).eval()
        mel = torch.randn(1, 1, config.mels, config.frames)
        with torch.no_grad():
            before = network(mel)[1]
            mel[:, :, :, -1:] += 50
            unheard += torch.equal(network(mel)[1], before)
    assert unheard > len(CONFIGS) / 2


@pytest.mark.parametrize("size", range(1, 60))
def test_windows_cover_everything_in_as_many_steps_as_floor_pooling(size: int) -> None:
    for pool in range(1, size + 1):
        length, stride = window(size, pool)
        count = 1 + (size - length) // stride
        assert count == size // pool
        assert (count - 1) * stride + length == size
        assert stride <= length


@pytest.mark.parametrize("name", ["vgg-12k-24-x1-db", "musicnn-12k-48-x1-db"])
def test_a_whole_network_hears_a_soft_segment_as_a_louder_one(name: str) -> None:
    torch.manual_seed(0)
    config = Config.parse(name)
    mel = 20 * torch.randn(1, 1, config.mels, config.frames) - 30
    whole, plain = (build(config, 3, whole).eval() for whole in (True, False))
    with torch.no_grad():
        level = 10 * (10 ** (mel / 10)).mean().log10()
        at = {decibels: mel - level + decibels for decibels in (-40, -20, SOFTEST, -5)}
        torch.testing.assert_close(whole(at[-40]), whole(at[SOFTEST]), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(whole(at[-20]), whole(at[SOFTEST]), atol=1e-4, rtol=1e-4)
        assert (whole(at[-5])[0] - whole(at[SOFTEST])[0]).abs().max() > 1e-3
        assert (plain(at[-40])[0] - plain(at[-20])[0]).abs().max() > 1e-3


def test_every_known_cost_was_compared() -> None:
    assert set(GMAC) <= {config.name.removeprefix("vgg-").rsplit("-", 1)[0] for config in CONFIGS}


def test_pooling_before_the_elu_is_pooling_after_it() -> None:
    config = Config(hop=10)
    torch.manual_seed(0)
    network = VGG(config).eval()
    mel = torch.randn(2, 1, config.mels, config.frames)
    expected = network.input_norm(mel)
    for block in network.blocks:
        convolution, norm, pool, elu = block.children()
        expected = pool(elu(norm(convolution(expected))))
    torch.testing.assert_close(network(mel)[1], expected.flatten(1))


def test_pooling_before_the_batch_norm_is_pooling_after_it() -> None:
    """Also where a scale is negative, which turns the highest into the lowest."""
    config = Config("musicnn", mels=48, hop=1)
    torch.manual_seed(0)
    network = MUSICNN(config)
    mel = torch.randn(8, 1, config.mels, config.frames)
    with torch.no_grad():
        for layer in network.timbre[:3]:
            nn.init.uniform_(layer.get_parameter("2.weight"), -1, 1)
        network(mel)
        expected = network.eval()(mel)[0]
        seen: list[int] = []
        early = copy.deepcopy(network)
        pool_early(early, config.mels)
        for layer in early.timbre:
            layer.get_submodule("2").register_forward_hook(lambda *call: seen.append(call[2].shape[2]))
        torch.testing.assert_close(early(mel)[0], expected)
    assert seen[3:] == [1, 1, 1]
    assert min(seen[:3]) > 1


def test_a_filter_that_was_dead_in_training_stays_silent() -> None:
    torch.manual_seed(0)
    network = MUSICNN(Config("musicnn", mels=48, hop=1))
    mel = torch.randn(8, 1, 48, 140)
    with torch.no_grad():
        network(mel)
        convolution, _, norm = network.first.children()
        bias = convolution.get_parameter("bias")
        bias[3] = -100.0
        norm.get_buffer("running_mean")[3] = norm.get_buffer("running_var")[3] = 0.0
        quiet = copy.deepcopy(network.eval())
        silence_dead(quiet)
        torch.testing.assert_close(quiet(mel)[0], network(mel)[0])
        bias[3] = quiet.first.get_parameter("1.bias")[3] = 100.0
        loud = network.first(torch.randn(1, 1024, 20))
        assert loud[0, 3].max() > 1e4
        assert (quiet.first(torch.randn(1, 1024, 20))[0, 3] == norm.get_parameter("bias")[3]).all()


@pytest.mark.parametrize(
    "config", [c for c in GRID if c.arch == "musicnn" and c.log == "db"], ids=lambda config: config.name
)
def test_musicnn_has_the_filters_of_the_study(config: Config) -> None:
    with torch.device("meta"):
        network = MUSICNN(config).eval()
        mel = torch.empty(2, 1, config.mels, config.frames)
    logits, embedding = network(mel)
    assert logits.shape == (2, 50)
    assert embedding.shape == (2, 500)
    maps = [layer(mel) for layer in network.timbre]
    heights = [config.mels - int(share * config.mels) + 1 for share in (0.9, 0.4)]
    assert [tuple(m.shape[1:]) for m in maps] == [
        (filters, height, config.frames) for height in heights for filters in (64, 128, 256)
    ]
    temporal = [layer(mel.mean(2)) for layer in network.temporal]
    assert [tuple(m.shape[1:]) for m in temporal] == [(32, config.frames)] * 4
    # The work, layer by layer: vertical filters, horizontal filters, back-end, dense.
    sizes = [7 * 64 + 3 * 128 + 256, 32 * (165 + 128 + 64 + 32), 7 * 512 * (1024 + 512), 7 * 512 * 512]
    bands = sum(int(s * config.mels) * height for s, height in zip((0.9, 0.4), heights, strict=True))
    frames = config.frames
    after = frames - 6  # the first convolution of the back-end is not padded
    work = frames * (sizes[0] * bands + sizes[1]) + after * sizes[2] + after // 2 * sizes[3]
    assert cost(config)[0] == work + 1024 * 500 + 500 * 50


def test_musicnn_same_padding_is_centred() -> None:
    """A filter of even length looks one frame further ahead than back, as TensorFlow's "same" does."""
    torch.manual_seed(0)
    for layer in MUSICNN(Config("musicnn", mels=48, hop=1)).temporal:
        same, convolution = list(layer.children())[:2]
        frames = convolution.kernel_size[0]  # type: ignore[index]
        impulse = torch.zeros(1, 1, 400)
        impulse[0, 0, 200] = 1
        response = convolution(same(impulse))[0, 0] - convolution.bias[0]  # type: ignore[index]
        seen = response.detach().abs().gt(1e-9).nonzero()
        assert (seen.min(), seen.max()) == (200 - frames // 2, 200 + (frames - 1) // 2)
