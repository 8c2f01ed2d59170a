import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from autotag.audio import decode
from autotag.config import Config
from autotag.mel import compress, log_mel
from train.datasets import read
from train.errors import DataError
from train.features import mel_power
from train.fit import network_input


@pytest.mark.parametrize("config", [Config(hop=3), Config(log="log"), Config(sr=16000, mels=96, hop=1)])
def test_training_sees_what_tagging_sees(config: Config, data: Path, tmp_path: Path) -> None:
    """The cache, made at x1 and subsampled, against the product's front-end at the longer hop."""
    dataset = read(data)
    power, usable = mel_power(dataset, config, tmp_path)
    assert usable.all()
    clip = 5
    samples = decode(data / dataset.paths[clip], config.sr)
    lack = config.segment_samples - len(samples)
    assert 0 < lack < 0.01 * config.segment_samples
    expected = log_mel(np.pad(samples, (0, lack)), config)
    found = network_input(torch.from_numpy(power[clip, :, :: config.hop].copy())[None], config)
    assert found.shape == (1, 1, config.mels, config.frames)
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(
        compress(power[clip, :, :: config.hop], config.log), found[0, 0].numpy(), atol=1e-4
    )


def test_an_interrupted_cache_goes_on(data: Path, tmp_path: Path) -> None:
    dataset = read(data)
    power, _ = mel_power(dataset, Config(), tmp_path)
    (file,) = tmp_path.rglob("*.clips.npy")
    state = np.lib.format.open_memmap(file, mode="r+")
    expected = power.copy()
    power[4:] = 0  # as if it had stopped after the fourth clip
    power[0] = 7  # a mark that shows whether what was done is done again
    state[4:] = 0
    again, usable = mel_power(dataset, Config(), tmp_path)
    assert usable.all()
    assert (again[0] == 7).all()
    np.testing.assert_array_equal(again[1:], expected[1:])


def test_a_clip_that_cannot_be_decoded_is_left_out_and_said(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    broken = copy / "4" / "clip-4.mp3"
    broken.write_bytes(b"")
    _, usable = mel_power(read(copy), Config(), tmp_path)
    assert np.flatnonzero(~usable).tolist() == [4]
    assert f"left out: {broken}: the file is empty" in capfd.readouterr().err


def test_a_changed_clip_is_computed_again(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    before = mel_power(read(copy), Config(), tmp_path)[0].copy()
    shutil.copy(copy / "1" / "clip-1.mp3", copy / "0" / "clip-0.mp3")
    after, _ = mel_power(read(copy), Config(), tmp_path)
    assert not np.array_equal(before[0], after[0])
    np.testing.assert_array_equal(after[0], after[1])


def test_no_clip_at_all(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    for path in copy.rglob("*.mp3"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="none of its 24 clips could be decoded"):
        mel_power(read(copy), Config(), tmp_path)
