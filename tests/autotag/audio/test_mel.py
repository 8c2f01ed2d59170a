"""The front-end is librosa's, in every resolution, however the signal comes in."""

import warnings
from functools import cache
from pathlib import Path

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from autotag.audio.decode import decode
from autotag.audio.mel import log_mel, log_mel_blocks
from autotag.config import GRID, Config
from tests.conftest import SONG

VGG = [config for config in GRID if config.arch == "vgg"]


@cache
def signal(kind: str, sr: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    if kind == "song":
        return decode(Path(SONG), sr)
    if kind == "noise":
        return rng.standard_normal(29 * sr).astype(np.float32)
    # A loud tone beside silence: where float32 transforms show their noise in the quiet bands.
    return np.sin(2 * np.pi * 1000 * np.arange(3 * sr) / sr).astype(np.float32)


@pytest.mark.parametrize("kind", ["song", "noise", "tone"])
@pytest.mark.parametrize("config", VGG, ids=lambda config: config.name)
def test_equal_to_librosa(config: Config, kind: str) -> None:
    samples = signal(kind, config.sr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa says that some of 128 bands are empty
        power = librosa.feature.melspectrogram(
            y=samples, sr=config.sr, n_fft=512, hop_length=256 * config.hop, n_mels=config.mels,
            pad_mode="constant",
        )  # fmt: skip
    expected = np.log10(1 + 10000 * power) if config.log == "log" else 10 * np.log10(np.maximum(power, 1e-10))
    found = log_mel(samples, config)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize("config", GRID, ids=lambda config: config.name)
def test_one_segment_of_samples_makes_one_segment_of_frames(config: Config) -> None:
    samples = np.zeros(config.segment_samples, np.float32)
    assert log_mel(samples, config).shape == (config.mels, config.frames)


@pytest.mark.parametrize("hop", [2, 3, 4, 5, 10])
def test_a_longer_hop_is_every_kth_frame(hop: int) -> None:
    samples = signal("song", 12000)
    np.testing.assert_allclose(
        log_mel(samples, Config(hop=hop)), log_mel(samples, Config(hop=1))[:, ::hop], atol=1e-4
    )


@pytest.mark.parametrize("hop", [1, 3, 10])
@pytest.mark.parametrize("block", [1, 255, 256, 511, 5000])
def test_blocks_of_any_length_make_the_same_spectrogram(hop: int, block: int) -> None:
    samples = signal("noise", 12000)[:20011]
    blocks = [samples[start : start + block] for start in range(0, len(samples), block)]
    found = np.concatenate(list(log_mel_blocks(blocks, Config(hop=hop))), axis=1)
    np.testing.assert_allclose(found, log_mel(samples, Config(hop=hop)), atol=1e-5)


def test_silence_is_the_floor() -> None:
    silence = np.zeros(1000, np.float32)
    np.testing.assert_allclose(log_mel(silence, Config(log="db")), -100, rtol=1e-6)
    assert (log_mel(silence, Config(log="log")) == 0).all()
