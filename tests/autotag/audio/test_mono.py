"""What is heard of several channels, of an offset, and of silence."""

import numpy as np
import pytest
from numpy.typing import NDArray

from autotag.audio.decode import Audio, decode
from autotag.audio.loudness import shares
from tests.conftest import music

SR = 22050


def both(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([one, other], 1)


@pytest.mark.parametrize("gain", [-1.0, -0.9, -0.6])
def test_channels_that_cancel_are_heard_as_one_and_said(gain: float) -> None:
    signal = music(12, SR)
    audio = Audio((both(signal, np.float32(gain) * signal), SR), SR)
    np.testing.assert_allclose(np.concatenate(list(audio)), signal, atol=1e-4)
    assert audio.warnings == [
        "channels cancel, as if one were wired the wrong way round: one channel was heard for 12.0 of 12.0 s"
    ]


def test_a_real_recording_with_one_channel_turned_round() -> None:
    middle, side = music(12, SR), 0.25 * music(12, SR, 1)
    turned = decode((both(middle + side, -(middle - side)), SR), SR)
    assert np.corrcoef(turned, middle)[0, 1] > 0.9


def test_six_channels_that_cancel() -> None:
    signal = music(6, SR)
    channels = np.stack([signal, -signal, signal, -signal, 0 * signal, 0 * signal], 1)
    np.testing.assert_allclose(np.abs(decode((channels, SR), SR)), np.abs(signal), atol=1e-4)


def test_channels_that_do_not_cancel_are_averaged() -> None:
    one, other = music(6, SR), music(6, SR, 1)
    for channels in (
        both(one, other),
        both(one, one),
        both(one, 0 * one),
        both(one, -0.2 * one),
        np.stack([one, *(0 * one,) * 7], 1),
    ):
        audio = Audio((channels, SR), SR)
        np.testing.assert_allclose(np.concatenate(list(audio)), channels.mean(axis=1), atol=1e-6)
        assert audio.warnings == []


def test_an_offset_does_not_hide_that_channels_cancel() -> None:
    signal = music(8, SR)
    samples = decode((both(signal + np.float32(0.05), np.float32(0.05) - signal), SR), SR)
    assert abs(np.corrcoef(samples, signal)[0, 1]) > 0.999
    assert abs(samples.mean()) < 1e-3


@pytest.mark.parametrize("offset", [0.05, -0.3, 0.01])
def test_a_constant_offset_is_removed(offset: float) -> None:
    signal = music(20, SR)
    samples = decode((signal + np.float32(offset), SR), SR)
    assert np.abs(samples - signal).max() < 2e-3
    assert np.abs(np.diff(samples - signal)).max() < 1e-5  # and no step is heard


def test_what_moves_is_no_offset() -> None:
    t = np.arange(20 * SR) / SR
    signal = (music(20, SR) + 0.1 * np.sin(2 * np.pi * 0.2 * t)).astype(np.float32)
    np.testing.assert_array_equal(decode((signal, SR), SR), signal)


def test_segments_are_weighed_by_how_much_of_them_sounds() -> None:
    signal = np.concatenate([music(15, SR), np.zeros(30 * SR, np.float32)])
    audio = Audio((signal, SR), 12000)
    for _ in audio:
        pass
    weights = audio.weights(np.array([0.0, 10.0, 20.0, 35.0]), 10.0)
    np.testing.assert_allclose(weights, [1, 0.5, 0, 0], atol=0.011)
    assert weights.dtype == np.float32


@pytest.mark.parametrize("level", [0.0, 1e-4, 5e-4])
def test_hiss_is_silence_beside_music(level: float) -> None:
    noise = np.random.default_rng(0).standard_normal(30 * SR).astype(np.float32)
    signal = np.concatenate([music(15, SR), np.float32(level) * noise])
    audio = Audio((signal, SR), 12000)
    for _ in audio:
        pass
    np.testing.assert_allclose(audio.weights(np.array([0.0, 20.0]), 10.0), [1, 0])


def test_a_quiet_song_is_no_silence() -> None:
    audio = Audio((music(15, SR) * np.float32(1e-3), SR), 12000)
    for _ in audio:
        pass
    np.testing.assert_allclose(audio.weights(np.array([0.0, 5.0]), 10.0), [1, 1])


def test_where_nothing_sounds_all_count_alike() -> None:
    np.testing.assert_array_equal(shares(np.zeros(100, np.float32), np.array([0.0, 5.0]), 5.0), [1, 1])


def test_an_excerpt_is_taken_where_there_is_sound() -> None:
    song, rng = music(20, SR), np.random.default_rng(0)
    for before, after, hiss in ((0, 100, 0), (100, 0, 0), (3, 80, 0), (0, 100, 2e-4), (100, 3, 4e-4)):
        silence = [
            (hiss * rng.standard_normal(seconds * SR)).astype(np.float32) for seconds in (before, after)
        ]
        audio = Audio((np.concatenate([silence[0], song, silence[1]]), SR), SR, 10)
        samples = np.concatenate(list(audio))
        assert len(samples) == 10 * SR
        assert audio.duration == pytest.approx(20 + before + after)
        assert audio.warnings == [f"the middle is silent: the excerpt starts at {audio.start:.1f} s"]
        assert before - 0.1 <= audio.start <= before + 10.1
        np.testing.assert_allclose(audio.weights(np.array([0.0]), 10.0), [1], atol=0.02)
    for quieter in (1, 1000):  # all of it, so that its middle is as good
        audio = Audio((song / np.float32(quieter), SR), SR, 10)
        assert sum(map(len, audio)) == 10 * SR
        assert (audio.start, audio.warnings) == (5, [])
