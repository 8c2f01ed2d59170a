"""Decoding: every format, every oddity, and what is said of each bad file."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from autotag.audio import Audio, decode
from autotag.errors import (
    AudioError,
    AudioNotFound,
    BadSamples,
    EmptyAudio,
    NotAudio,
    SilentAudio,
    UnreadableAudio,
)
from tests.conftest import music


@pytest.mark.parametrize(
    ("suffix", "subtype", "sr"),
    [
        ("wav", "PCM_16", 44100),
        ("wav", "FLOAT", 12000),
        ("flac", "PCM_24", 96000),
        ("ogg", "VORBIS", 44100),
        ("opus", "OPUS", 48000),
        ("mp3", "MPEG_LAYER_III", 44100),
        ("aiff", "PCM_16", 22050),
    ],
)
def test_formats(tmp_path: Path, suffix: str, subtype: str, sr: int) -> None:
    path = tmp_path / f"song.{suffix}"
    container = "OGG" if suffix == "opus" else suffix.upper()
    soundfile.write(path, music(3, sr), sr, subtype, format=container)
    audio = Audio(path, 12000)
    samples = np.concatenate(list(audio))
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(36000, rel=0.01)
    assert audio.seconds == pytest.approx(3, rel=0.01)
    assert audio.warnings == []
    expected = music(3, 12000)[: len(samples)]
    # Noise above 6 kHz aside, the resampled signal is the signal.
    assert np.corrcoef(samples[: len(expected)], expected)[0, 1] > 0.9


def test_channels_are_averaged(tmp_path: Path) -> None:
    mono = music(1, 12000)
    channels = np.stack([mono * gain for gain in (2, 0, 1, 1, 0.5, 1.5, 1, 1)], axis=1) / 4
    soundfile.write(tmp_path / "eight.wav", channels, 12000, "FLOAT")
    np.testing.assert_allclose(decode(tmp_path / "eight.wav", 12000), mono / 4, atol=1e-6)


def test_blocks_resample_like_the_whole(tmp_path: Path) -> None:
    signal = music(20, 44100)
    soundfile.write(tmp_path / "song.wav", signal, 44100, "FLOAT")
    samples = decode(tmp_path / "song.wav", 12000)
    np.testing.assert_allclose(samples, soxr.resample(signal, 44100, 12000), atol=1e-4)


def test_extreme_rates(tmp_path: Path) -> None:
    for sr in (8000, 192000):
        soundfile.write(tmp_path / f"{sr}.wav", music(2, sr), sr)
    low, high = Audio(tmp_path / "8000.wav", 12000), Audio(tmp_path / "192000.wav", 12000)
    assert [sum(map(len, audio)) for audio in (low, high)] == [24000, 24000]
    assert low.warnings == [
        "sample rate 8000 Hz: no sound above 4000 Hz, where the model listens up to 6000 Hz"
    ]
    assert high.warnings == []


def test_a_name_with_anything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "Björk – “it's\nquiet” 静.wav"
    soundfile.write(path, music(1, 12000), 12000)
    assert len(decode(path, 12000)) == 12000


def test_a_truncated_mp3_gives_what_it_has(tmp_path: Path, song: Path) -> None:
    whole = song.read_bytes()
    (tmp_path / "half.mp3").write_bytes(whole[: len(whole) // 2])
    audio = Audio(tmp_path / "half.mp3", 12000)
    seconds = sum(map(len, audio)) / 12000
    assert seconds == pytest.approx(15, abs=1)
    assert audio.warnings == [f"ends early: {audio.seconds:.1f} of 30.0 s could be decoded"]


def test_a_damaged_mp3_gives_what_came_before(tmp_path: Path, song: Path) -> None:
    whole = song.read_bytes()
    noise = np.random.default_rng(0).bytes(20000)
    (tmp_path / "damaged.mp3").write_bytes(whole[:200000] + noise + whole[300000:])
    audio = Audio(tmp_path / "damaged.mp3", 12000)
    seconds = sum(map(len, audio)) / 12000
    assert 5 < seconds < 12
    assert audio.warnings == [f"damaged: {audio.seconds:.1f} of 30.0 s could be decoded"]


def test_a_flac_that_does_not_say_how_long_it_is_is_whole(tmp_path: Path) -> None:
    """Encoders that write to a pipe leave the number of samples in STREAMINFO at 0."""
    soundfile.write(tmp_path / "song.flac", music(5, 44100), 44100)
    data = bytearray((tmp_path / "song.flac").read_bytes())
    assert data[:4] == b"fLaC"
    data[21] &= 0xF0  # the low 4 bits of byte 13 of STREAMINFO and the 4 bytes after it
    data[22:26] = bytes(4)
    (tmp_path / "song.flac").write_bytes(data)
    audio = Audio(tmp_path / "song.flac", 12000)
    assert sum(map(len, audio)) == 60000
    assert audio.warnings == []


@pytest.mark.skipif(sys.platform == "win32", reason="libsndfile's guess is believed there")
@pytest.mark.parametrize("loud_first", [True, False])
def test_an_mp3_that_does_not_say_how_long_it_is_is_whole(tmp_path: Path, loud_first: bool) -> None:
    """Libsndfile guesses the length from the first frame's bit rate, and would cut the rest off."""
    noise = 0.3 * np.random.default_rng(0).standard_normal(20 * 44100)
    signal = np.concatenate([noise, 0.001 * noise][:: 1 if loud_first else -1])
    path = tmp_path / "song.mp3"
    with soundfile.SoundFile(
        path, "w", 44100, 1, format="MP3", bitrate_mode="VARIABLE", compression_level=0.2
    ) as file:
        file.write(signal)
    data = path.read_bytes()
    path.write_bytes(data[data.index(b"\xff\xfb", data.index(b"Xing")) :])
    assert soundfile.info(path).duration != pytest.approx(40, abs=5)
    audio = Audio(path, 12000)
    assert sum(map(len, audio)) / 12000 == pytest.approx(40, abs=0.2)
    assert audio.warnings == []


def test_a_chain_of_streams_says_that_one_was_read(tmp_path: Path) -> None:
    for name in ("a.ogg", "b.ogg"):
        soundfile.write(tmp_path / name, music(20, 44100), 44100)
    chain = (tmp_path / "a.ogg").read_bytes() + (tmp_path / "b.ogg").read_bytes()
    (tmp_path / "chain.ogg").write_bytes(chain)
    audio = Audio(tmp_path / "chain.ogg", 12000)
    assert sum(map(len, audio)) == pytest.approx(240000, rel=0.01)
    assert audio.warnings == ["several streams one after the other: only the first was read"]


def test_iterating_twice_is_starting_again(song: Path) -> None:
    audio = Audio(song, 12000)
    first = sum(map(len, audio)), audio.seconds
    assert (sum(map(len, audio)), audio.seconds) == first


def _bad(folder: Path) -> dict[str, type[AudioError]]:
    """Files that cannot be tagged, and the error of each."""
    (folder / "empty.mp3").touch()
    (folder / "text.mp3").write_text("Lyrics, not music.\n" * 100)
    (folder / "cut.mp3").write_bytes(b"ID3\x03")  # a tag that breaks off in its header
    (folder / "start.mp3").write_bytes(b"\xff\xfb\x90")  # the start of a frame, and no more
    (folder / "folder").mkdir()
    (folder / "apple.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(1000))
    (folder / "samples.raw").write_bytes(bytes(1000))
    soundfile.write(folder / "header.wav", np.zeros(0, np.float32), 44100)
    soundfile.write(folder / "zeros.wav", np.zeros(44100, np.float32), 44100)
    nan = music(1, 44100)
    nan[30000] = np.nan
    soundfile.write(folder / "nan.wav", nan, 44100, "FLOAT")
    infinite = music(1, 44100)
    infinite[-1] = -np.inf
    soundfile.write(folder / "inf.wav", infinite, 44100, "FLOAT")
    soundfile.write(folder / "integers.wav", 32768 * music(1, 44100), 44100, "FLOAT")
    soundfile.write(folder / "antiphase.wav", music(1, 44100)[:, None] * [1, -1], 44100, "FLOAT")
    soundfile.write(folder / "click.wav", np.ones(100, np.float32), 44100)
    soundfile.write(folder / "slow.wav", np.ones(1000, np.float32), 10)
    return {
        "missing.mp3": AudioNotFound,
        "folder": AudioNotFound,
        "empty.mp3": EmptyAudio,
        "header.wav": EmptyAudio,
        "text.mp3": NotAudio,
        "cut.mp3": NotAudio,
        "start.mp3": NotAudio,
        "apple.m4a": NotAudio,
        "samples.raw": NotAudio,
        "zeros.wav": SilentAudio,
        "nan.wav": BadSamples,
        "inf.wav": BadSamples,
        "integers.wav": BadSamples,
        "antiphase.wav": SilentAudio,
        "click.wav": EmptyAudio,
        "slow.wav": NotAudio,
        "x" * 300: UnreadableAudio,
    }


def test_every_bad_file_has_its_own_error(tmp_path: Path) -> None:
    for name, error in _bad(tmp_path).items():
        with pytest.raises(error) as raised:
            decode(tmp_path / name, 12000)
        assert str(raised.value).startswith(str(tmp_path / name)), "the message names the file"
        assert "File does not exist" not in str(raised.value)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")
def test_a_pipe_is_refused_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(UnreadableAudio, match="a pipe or device: give a file"):
        decode(tmp_path / "pipe.wav", 12000)


def test_the_message_shows_the_value_and_the_remedy(tmp_path: Path) -> None:
    _bad(tmp_path)
    for name, text in {
        "nan.wav": "a sample at 0.680 s is nan, where full scale is 1",
        "slow.wav": "announces a sample rate of 10 Hz",
        "click.wav": "holds 2.3 ms of sound",
        "text.mp3": "b'Lyrics, not ",
        "apple.m4a": "MPEG-4 audio (AAC or ALAC), where autotag reads WAV",
        "zeros.wav": "is silence (below -90 dBFS) for all 1.0 s",
    }.items():
        with pytest.raises(AudioError) as raised:
            decode(tmp_path / name, 12000)
        assert text in str(raised.value)
