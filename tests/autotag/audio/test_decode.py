"""Decoding: every format, every oddity, and what is said of each bad file."""

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from autotag.audio.decode import Audio, decode
from autotag.errors import (
    AudioError,
    AudioNotFound,
    BadSamples,
    EmptyAudio,
    NotAudio,
    SilentAudio,
    UnreadableAudio,
)
from tests.conftest import delay, music


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
    assert audio.duration == pytest.approx(3, rel=0.01)
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
    assert audio.warnings == [f"ends early: {audio.duration:.1f} of 30.0 s could be decoded"]


def test_a_damaged_mp3_gives_what_came_before_and_after(tmp_path: Path, song: Path) -> None:
    whole = song.read_bytes()
    noise = np.random.default_rng(0).bytes(20000)
    (tmp_path / "damaged.mp3").write_bytes(whole[:200000] + noise + whole[300000:])
    audio = Audio(tmp_path / "damaged.mp3", 12000)
    seconds = sum(map(len, audio)) / 12000
    assert seconds == pytest.approx(30 * (1 - 100000 / len(whole)), abs=0.3)
    assert audio.warnings == [f"damaged: {audio.duration:.1f} of 30.0 s could be decoded"]


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
    cover = b"ID3\x04\x00\x00\x00\x0a\x00\x00" + bytes(10 << 14)
    for before in (b"", cover, cover + b"ID3\x04\x00\x00\x00\x00\x00\x04" + bytes(4), cover + bytes(6000)):
        path.write_bytes(before + data[data.index(b"\xff\xfb", data.index(b"Xing")) :])
        audio = Audio(path, 12000)
        assert sum(map(len, audio)) / 12000 == pytest.approx(40, abs=0.2), len(before)
        assert audio.warnings == []


@pytest.mark.parametrize("suffix", ["wav", "aiff"])
def test_a_header_that_announces_more_than_there_is(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"song.{suffix}"
    soundfile.write(path, music(30, 12000), 12000)
    path.write_bytes(path.read_bytes()[:300000])
    audio = Audio(path, 12000)
    assert sum(map(len, audio)) == pytest.approx(150000, abs=100)
    assert audio.warnings == ["ends early: 12.5 of 30.0 s could be decoded"]


def test_iterating_twice_is_starting_again(song: Path) -> None:
    audio = Audio(song, 12000)
    first = sum(map(len, audio)), audio.duration
    assert (sum(map(len, audio)), audio.duration) == first


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "opus", "mp3", "aiff"])
def test_an_excerpt_is_the_middle(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"song.{suffix}"
    soundfile.write(path, music(20, 48000), 48000, format="OGG" if suffix == "opus" else None)
    whole = decode(path, 12000)
    audio = Audio(path, 12000, 5)
    middle = np.concatenate(list(audio))
    assert len(middle) == 60000
    assert audio.seconds_read == pytest.approx(5)
    assert audio.duration == pytest.approx(20, abs=0.05)
    assert audio.warnings == []
    start = (len(whole) - 60000) // 2
    assert delay(middle, whole[start:]) <= 1


def test_the_rest_is_not_decoded(tmp_path: Path) -> None:
    signal = music(20, 12000)
    signal[:1000] = signal[-1000:] = np.nan
    soundfile.write(tmp_path / "song.wav", signal, 12000, "FLOAT")
    with pytest.raises(BadSamples):
        decode(tmp_path / "song.wav", 12000)
    excerpt = np.concatenate(list(Audio(tmp_path / "song.wav", 12000, 10)))
    np.testing.assert_array_equal(excerpt, signal[5 * 12000 : 15 * 12000])


def test_a_file_shorter_than_the_excerpt_is_whole(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", music(5, 12000), 12000, "FLOAT")
    for excerpt in (5, 5.01, 1000):
        audio = Audio(tmp_path / "song.wav", 12000, excerpt)
        assert sum(map(len, audio)) == 60000
        assert audio.seconds_read == audio.duration == pytest.approx(5)


@pytest.mark.parametrize("excerpt", [0, -1, float("nan"), float("inf")])
def test_an_excerpt_must_have_a_length(song: Path, excerpt: float) -> None:
    with pytest.raises(ValueError, match="Use a number of seconds above 0"):
        Audio(song, 12000, excerpt)


@pytest.mark.parametrize("how", ["cut", "damaged"])
def test_an_excerpt_of_a_broken_file_is_the_middle_of_what_there_is(
    tmp_path: Path, song: Path, how: str
) -> None:
    data = song.read_bytes()
    half = data[: len(data) // 2]
    rest = np.random.default_rng(0).bytes(20000) if how == "damaged" else b""
    (tmp_path / "broken.mp3").write_bytes(half + rest)
    whole = Audio(tmp_path / "broken.mp3", 12000)
    samples = np.concatenate(list(whole))
    audio = Audio(tmp_path / "broken.mp3", 12000, 5)
    middle = np.concatenate(list(audio))
    assert audio.duration == pytest.approx(whole.duration)
    assert audio.duration == pytest.approx(15, abs=1)
    assert audio.warnings == whole.warnings != []
    start = (len(samples) - 60000) // 2
    assert delay(middle, samples[start:]) <= 1


def test_damage_in_the_excerpt_itself_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "song.flac", music(60, 12000), 12000)
    data = bytearray((tmp_path / "song.flac").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20000] = np.random.default_rng(0).bytes(20000)
    (tmp_path / "song.flac").write_bytes(data)
    monkeypatch.setitem(sys.modules, "av", None)  # which would go on behind the damage
    monkeypatch.setenv("PATH", "")
    audio = Audio(tmp_path / "song.flac", 12000, 20)
    heard = sum(map(len, audio)) / 12000
    assert 5 < heard < 19
    assert audio.warnings == [f"damaged: {heard:.1f} of the 20.0 s in the middle could be decoded"]


def test_an_excerpt_of_a_file_that_does_not_say_how_long_it_is(tmp_path: Path, song: Path) -> None:
    data = song.read_bytes()
    headless = data[data.index(b"\xff\xfb", data.index(b"Info" if b"Info" in data[:4096] else b"Xing")) :]
    (tmp_path / "song.mp3").write_bytes(headless)
    whole = decode(tmp_path / "song.mp3", 12000)
    audio = Audio(tmp_path / "song.mp3", 12000, 5)
    middle = np.concatenate(list(audio))
    assert audio.duration == pytest.approx(30, abs=0.1)
    start = (len(whole) - 60000) // 2
    assert delay(middle, whole[start:]) <= 1


def _unsynchronised(tag: bytes) -> bytes:
    """An ID3v2.4 tag with every frame unsynchronised: no byte 0xFF before one of 0xE0 or more, or 0."""

    def in_sevens(number: int) -> bytes:
        return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))

    frames = b""
    at = 10
    while tag[at]:
        size = sum(byte << shift for byte, shift in zip(tag[at + 4 : at + 8], (21, 14, 7, 0), strict=True))
        body = tag[at + 10 : at + 10 + size]
        parted = re.sub(rb"\xff(?=[\xe0-\xff\x00]|$)", b"\xff\0", body)
        # Flags of the frame: unsynchronised, and its length without that stands in front.
        frames += tag[at : at + 4] + in_sevens(len(parted) + 4) + b"\0\3" + in_sevens(size) + parted
        at += 10 + size
    return b"ID3\4\0\x80" + in_sevens(len(frames)) + frames


def test_tags_do_not_change_what_is_heard(tmp_path: Path, song: Path) -> None:
    id3 = pytest.importorskip("mutagen.id3", reason="mutagen, which writes the tags, is not installed")
    apev2 = pytest.importorskip("mutagen.apev2")
    cover = np.random.default_rng(0).bytes(3_000_000) + b"\xff\xfb\x90\x64" * 1000  # MP3 frames, it may seem

    def tagged(name: str, version: int, v1: int = 0) -> Path:
        path = tmp_path / name
        shutil.copy(song, path)
        tags = id3.ID3()
        tags.add(id3.TIT2(encoding=3, text="Ünïcode " * 100))
        for kind in (3, 4):
            tags.add(id3.APIC(encoding=0, mime="image/jpeg", type=kind, desc=str(kind), data=cover))
        tags.save(path, v2_version=version, v1=v1)
        return path

    three, four = tagged("three.mp3", 3), tagged("four.mp3", 4, v1=2)
    assert four.read_bytes()[-128:].startswith(b"TAG")
    old = tmp_path / "old.mp3"
    shutil.copy(song, old)
    ape = apev2.APEv2()
    ape["Title"] = "A title"
    ape.save(old)
    with old.open("ab") as file:
        file.write(id3.MakeID3v1(id3.ID3(four)))
    unsynchronised = tmp_path / "unsynchronised.mp3"
    tag = four.read_bytes()[: id3.ID3(four).size]
    unsynchronised.write_bytes(_unsynchronised(tag) + song.read_bytes())
    assert id3.ID3(unsynchronised).getall("APIC")[0].data == cover
    assert id3.ID3(unsynchronised).f_unsynch

    plain = decode(song, 12000)
    for path in (three, four, old, unsynchronised):
        audio = Audio(path, 12000)
        np.testing.assert_array_equal(np.concatenate(list(audio)), plain, err_msg=path.name)
        assert audio.warnings == []
        assert audio.duration == pytest.approx(30, abs=0.01)
        assert sum(map(len, Audio(path, 12000, 5))) == 60000


def _bad(folder: Path) -> dict[str, type[AudioError]]:
    """Files that cannot be tagged, and the error of each."""
    (folder / "empty.mp3").touch()
    (folder / "text.mp3").write_text("Lyrics, not music.\n" * 100)
    (folder / "cut.mp3").write_bytes(b"ID3\x03")  # a tag that breaks off in its header
    (folder / "start.mp3").write_bytes(b"\xff\xfb\x90")  # the start of a frame, and no more
    (folder / "folder").mkdir()
    (folder / "apple.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(1000))
    (folder / "text.m4a").write_text("Lyrics, not music.\n")
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
        "text.m4a": NotAudio,
        "samples.raw": NotAudio,
        "zeros.wav": SilentAudio,
        "nan.wav": BadSamples,
        "inf.wav": BadSamples,
        "integers.wav": BadSamples,
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
    with pytest.raises(UnreadableAudio, match=r"a pipe or device\. Give a file"):
        decode(tmp_path / "pipe.wav", 12000)


def test_the_message_shows_the_value_and_the_remedy(tmp_path: Path) -> None:
    _bad(tmp_path)
    for name, text in {
        "nan.wav": "a sample at 0.680 s is nan, where full scale is 1",
        "slow.wav": "announces a sample rate of 10 Hz",
        "click.wav": "holds 2.3 ms of sound",
        "text.mp3": "b'Lyrics, not ",
        "apple.m4a": "MPEG-4 audio (AAC or ALAC)",
        "text.m4a": "not WAV, FLAC, MP3, OGG, Opus, AIFF or MPEG-4 audio, or damaged (it starts with",
        "zeros.wav": "is silence (below -90 dBFS) for all 1.0 s",
    }.items():
        with pytest.raises(AudioError) as raised:
            decode(tmp_path / name, 12000)
        assert text in str(raised.value)
