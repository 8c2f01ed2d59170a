import pytest
import torch

from train.augment import GAIN, TILT, augment


@pytest.mark.parametrize("seed", range(6))
def test_clips_change_within_bounds_and_labels_follow_the_mixing(seed: int) -> None:
    torch.manual_seed(seed)
    power = torch.rand(8, 12, 40) + 0.5
    target = torch.eye(8)
    found, labels = augment(power, target)
    assert found.shape == power.shape
    assert (found > 0).all()
    # A clip changes by at most the gain and half of the tilt, and a mix lies between its clips.
    bound = 10 ** ((GAIN + TILT / 2) / 10)
    assert found.max() <= power.max() * bound * 1.001
    assert found.min() >= power.min() / bound / 1.001
    torch.testing.assert_close(labels.sum(1), torch.ones(8))
    assert not torch.equal(found, power)


def test_half_of_the_batches_are_mixed() -> None:
    torch.manual_seed(0)
    power, target = torch.ones(4, 8, 10), torch.eye(4)
    mixed = sum(not torch.equal(augment(power, target)[1], target) for _ in range(200))
    assert 70 < mixed < 130


def unmixed(power: torch.Tensor) -> torch.Tensor:
    """A batch that was augmented but not mixed."""
    target = torch.eye(len(power))
    while True:
        found, labels = augment(power, target)
        if torch.equal(labels, target):
            return found


def test_each_clip_is_rolled_by_an_amount_of_its_own() -> None:
    torch.manual_seed(1)
    ramp = torch.arange(1, 31.0).expand(8, 1, 30)
    rolled = unmixed(ramp)[:, 0]
    rolled = rolled / rolled.amin(1, keepdim=True)
    shifts = rolled.argmin(1)
    assert len(set(shifts.tolist())) > 4
    for clip, shift in zip(rolled, shifts.tolist(), strict=True):
        torch.testing.assert_close(clip, torch.roll(ramp[0, 0], shift))


def test_each_clip_is_tilted_and_amplified_in_db() -> None:
    torch.manual_seed(2)
    level = 10 * torch.log10(unmixed(torch.ones(64, 9, 5))[:, :, 0])
    steps = level.diff(dim=1)
    torch.testing.assert_close(steps, steps[:, :1].expand(-1, 8), atol=1e-4, rtol=0)
    tilt, gain = 8 * steps[:, 0], level[:, 4]
    for change, largest in ((tilt, TILT), (gain, GAIN)):
        assert 0.8 * largest < change.max() <= largest + 1e-4
        assert -largest - 1e-4 <= change.min() < -0.8 * largest
