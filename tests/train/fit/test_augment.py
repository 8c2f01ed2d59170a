"""Each step of the augmentation does what its name says, and leaves labels true."""

from collections.abc import Collection

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from autotag.audio.mel import mel_power_blocks
from autotag.config import RATES
from train.fit.augment import GAIN, STEPS, TILT, Batch, augment

SR = 12000


def varied(power: Tensor, target: Tensor, steps: Collection[str], sr: int = SR) -> tuple[Tensor, Tensor]:
    """Power and target after some steps, of clips without hints."""
    batch = augment(Batch(power, target, torch.empty(len(power), 0)), steps, sr)
    return batch.power, batch.target


@pytest.mark.parametrize("step", STEPS)
def test_a_step_alone_keeps_shapes_and_probabilities(step: str) -> None:
    torch.manual_seed(0)
    power, target = torch.rand(200, 12, 40) + 0.5, torch.rand(200, 7)
    changed = relabelled = False
    for _ in range(8):  # half of the batches stay unmixed
        found, labels = varied(power, target, [step])
        assert found.shape == power.shape
        assert (found > 0).all()
        assert ((labels >= 0) & (labels <= 1)).all()
        changed |= not torch.equal(found, power)
        relabelled |= not torch.equal(labels, target)
    assert changed
    assert relabelled == (step in ("mix", "noise"))


def test_only_clips_that_are_still_themselves_keep_their_hints() -> None:
    torch.manual_seed(0)
    hint = torch.rand(800, 3)
    mixed = 0
    for _ in range(20):
        batch = augment(Batch(torch.rand(800, 12, 8), torch.rand(800, 2) + 1, hint), ["mix", "noise"], SR)
        told = batch.hint.isfinite().all(1)
        noise = (batch.target == 0).all(1)
        assert noise.any()
        assert not (told & noise).any()
        assert torch.equal(batch.hint[told], hint[told])
        assert told.sum() in (0, (~noise).sum()), "of a mixed batch no clip has a hint, else all but noise"
        mixed += not told.any()
    assert 4 < mixed < 16


def test_no_step_changes_nothing() -> None:
    power, target = torch.rand(4, 12, 40), torch.rand(4, 7)
    found, labels = varied(power, target, ())
    assert torch.equal(found, power)
    assert torch.equal(labels, target)


def test_half_of_the_batches_are_mixed_and_labels_follow() -> None:
    torch.manual_seed(0)
    power, target = torch.eye(4)[:, :, None].expand(4, 4, 10), torch.eye(4)
    mixed = 0
    for _ in range(200):
        found, labels = varied(power, target, ["mix"])
        torch.testing.assert_close(found[:, :, 0], labels)
        torch.testing.assert_close(labels.sum(1), torch.ones(4))
        mixed += not torch.equal(labels, target)
    assert 70 < mixed < 130


def test_each_clip_is_rolled_by_an_amount_of_its_own() -> None:
    torch.manual_seed(1)
    ramp = torch.arange(1, 31.0).expand(8, 1, 30)
    rolled = varied(ramp, torch.eye(8), ["roll"])[0][:, 0]
    shifts = rolled.argmin(1)
    assert len(set(shifts.tolist())) > 4
    for clip, shift in zip(rolled, shifts.tolist(), strict=True):
        torch.testing.assert_close(clip, torch.roll(ramp[0, 0], shift))


def test_each_clip_is_tilted_and_amplified_in_db() -> None:
    torch.manual_seed(2)
    found, _ = varied(torch.ones(256, 9, 5), torch.eye(256), ["gain", "tilt"])
    level = 10 * torch.log10(found[:, :, 0])
    steps = level.diff(dim=1)
    torch.testing.assert_close(steps, steps[:, :1].expand(-1, 8), atol=1e-4, rtol=0)
    tilt, gain = 8 * steps[:, 0], level[:, 4]
    for change, low, high in ((tilt, -TILT, TILT), (gain, *GAIN)):
        assert 0.8 * high < change.max() <= high + 1e-4
        assert low - 1e-4 <= change.min() < 0.8 * low


@pytest.mark.parametrize("sr", RATES)
def test_noise_in_place_of_a_clip_has_no_tag(sr: int) -> None:
    """And varies in each band as noise does at that sample rate, whose lowest bands have few bins."""
    torch.manual_seed(4)
    power, target = torch.ones(4000, 48, 40), torch.ones(4000, 3)
    found, labels = varied(power, target, ["noise"], sr)
    replaced = (labels == 0).all(1)
    assert 40 < replaced.sum() < 90
    assert torch.equal(found[~replaced], power[~replaced])
    level = 10 * torch.log10(found[replaced].mean(2))
    assert level.max() - level.min() > 60
    real = heard(np.random.default_rng(0).standard_normal(60 * sr), sr)
    noise = found[replaced]
    noise = noise[~hums(noise)]
    varying = (noise.std(2) / noise.mean(2)).mean(0)
    torch.testing.assert_close(varying, real.std(1) / real.mean(1), rtol=0.4, atol=0)


def heard(samples: NDArray[np.float64], sr: int) -> Tensor:
    """Mel power in 48 bands, by the front-end."""
    blocks = mel_power_blocks([samples.astype(np.float32)], sr, 48)
    return torch.from_numpy(np.concatenate(list(blocks), axis=1))


def hums(noise: Tensor) -> Tensor:
    """Which of the clips [clips, mels, frames] have a steady band."""
    return (noise.std(2) / noise.mean(2)).min(1).values < 0.1


@pytest.mark.parametrize("sr", RATES)
def test_half_of_the_noise_has_a_hum_as_the_front_end_hears_it(
    sr: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.fit.augment.HUM", (100.0, 100.0))
    torch.manual_seed(6)
    found, labels = varied(torch.ones(16000, 48, 40), torch.ones(16000, 1), ["noise"], sr)
    noise = found[(labels == 0)[:, 0]]
    hum = noise[hums(noise)].mean(2)
    assert len(noise) / 4 < len(hum) < 3 * len(noise) / 4
    purest = hum[(hum.max(1).values / hum.sum(1)).argmax()]
    tone = heard(np.sin(2 * np.pi * 100 * np.arange(30 * sr) / sr), sr)[:, 4:-4].mean(1)
    loud = tone > tone.max() / 100
    torch.testing.assert_close((purest / purest.max())[loud], (tone / tone.max())[loud], rtol=0.2, atol=0)


def test_noise_at_another_rate_has_other_bands() -> None:
    torch.manual_seed(5)
    power, target = torch.ones(4000, 48, 40), torch.ones(4000, 1)
    spread = []
    for sr in RATES:
        found, labels = varied(power, target, ["noise"], sr)
        noise = found[(labels == 0)[:, 0]]
        noise = noise[~hums(noise)]
        spread.append((noise.std(2) / noise.mean(2)).mean(0)[:4])
    assert (spread[1] > 1.05 * spread[0]).all(), "the bins are wider, so the lowest bands hold fewer"
