"""Files that lost their beginning or their end, or have something before or between them."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from autotag.audio.decode import Audio, decode
from autotag.errors import NotAudio
from tests.autotag.audio.test_joined import heard, written
from tests.autotag.audio.test_source import PROGRAM
from tests.conftest import delay, encode, music


@pytest.mark.parametrize("cut", [1, 50, 5000, 100_000])
@pytest.mark.parametrize("stereo", [False, True])
def test_a_flac_without_its_beginning(tmp_path: Path, cut: int, stereo: bool) -> None:
    signal = music(6, 44100)
    whole = written(tmp_path / "a.flac", np.stack([signal] * 2, 1) if stereo else signal)
    duration, warnings = heard(whole[cut:])
    assert duration == pytest.approx(6 * (1 - cut / len(whole)), abs=0.2)
    found = decode(whole[cut:], 12000)
    assert delay(found, decode(whole, 12000)[-len(found) :]) < 30
    if cut == 100_000:
        assert warnings == [f"damaged: {duration:.1f} of 6.0 s could be decoded"]


@pytest.mark.parametrize("stereo", [False, True])
def test_an_opus_without_its_beginning(tmp_path: Path, stereo: bool) -> None:
    signal = music(12, 48000)
    whole = written(
        tmp_path / "a.opus",
        np.stack([signal] * 2, 1) if stereo else signal,
        48000,
        format="OGG",
        subtype="OPUS",
    )
    cut = len(whole) // 3
    duration, warnings = heard(whole[cut:])
    assert duration == pytest.approx(8, abs=1.1), "which is a page"
    assert warnings == [f"damaged: {duration:.1f} of 12.0 s could be decoded"]
    found = decode(whole[cut:], 12000)
    assert delay(found, decode(whole, 12000)[-len(found) :]) < 1000


@pytest.mark.parametrize(("ending", "lost"), [("ogg", 4000), ("opus", 10)])
def test_an_ogg_without_its_beginning_says_so_or_goes_on_with_the_next_stream(
    tmp_path: Path, ending: str, lost: int
) -> None:
    options = {"format": "OGG", "subtype": "OPUS"} if ending == "opus" else {}
    whole = written(tmp_path / f"a.{ending}", music(4, 48000), 48000, **options)
    if ending == "ogg":
        with pytest.raises(NotAudio, match="Ogg that cannot be decoded: it lacks its beginning"):
            decode(whole[lost:], 12000)
    duration, _ = heard(whole[lost:] + whole)
    assert 4 <= duration < 8.1


def test_an_mpeg_4_that_broke_off_lacks_its_index_and_the_next_one_is_heard(tmp_path: Path) -> None:
    whole = encode(tmp_path / "a.m4a", music(6, 44100), 44100, "aac").read_bytes()
    part = whole[: len(whole) // 2]
    with pytest.raises(NotAudio, match="it lacks its index: it broke off"):
        decode(part, 12000)
    assert heard(part + whole) == (pytest.approx(6, abs=0.1), ["damaged: 6.0 of 9.0 s could be decoded"])


@pytest.mark.parametrize(
    "between", [b"ID3\4\0\0\0\0\x0f\x00" + bytes(15 << 7), b"TAG" + bytes(125), bytes(5000)]
)
@pytest.mark.parametrize("ending", ["wav", "aiff", "m4a", "float"])
def test_joined_files_with_something_between_them(tmp_path: Path, ending: str, between: bytes) -> None:
    if ending == "m4a":
        song = encode(tmp_path / "a.m4a", music(3, 44100), 44100, "aac").read_bytes()
    else:
        subtype = "FLOAT" if ending == "float" else "PCM_16"
        path = tmp_path / ("a.aiff" if ending == "aiff" else "a.wav")
        song = written(path, music(3, 44100), subtype=subtype)
    assert heard(song + between + song) == (pytest.approx(6, abs=0.1), [])


@pytest.mark.parametrize("before", [b"\r\n", b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", b"\xff\xfe<junk>"])
@pytest.mark.parametrize("ending", ["wav", "aiff", "flac", "ogg", "m4a", "tta", "wma", "mka"])
def test_what_stands_before_the_sound_is_passed_over(tmp_path: Path, ending: str, before: bytes) -> None:
    path = tmp_path / f"a.{ending}"
    codec = {"m4a": "aac", "tta": "tta", "wma": "wmav2", "mka": "aac"}.get(ending)
    if codec:
        encode(path, music(3, 44100), 44100, codec)
    else:
        soundfile.write(path, music(3, 44100), 44100)
    np.testing.assert_array_equal(decode(before + path.read_bytes(), 12000), decode(path, 12000))


@pytest.mark.parametrize("ending", ["mp3", "mp2", "ogg", "opus", "flac", "tta", "aac", "ac3", "m4a", "oga"])
def test_a_file_that_was_not_written_to_its_end_says_so(tmp_path: Path, ending: str) -> None:
    """Room for all of it was made, and what did not come is zeros."""
    path = tmp_path / f"a.{ending}"
    codec = {"mp2": "mp2", "tta": "tta", "aac": "aac", "ac3": "ac3", "m4a": "aac"}.get(ending)
    if codec:
        options = {"movflags": "faststart"} if ending == "m4a" else {}
        encode(path, music(12, 48000), 48000, codec, **options)
    else:
        subtype = "OPUS" if ending == "opus" else None
        container = "OGG" if ending in ("opus", "oga") else ending.upper()
        soundfile.write(path, music(12, 48000), 48000, subtype, format=container)
    whole = path.read_bytes()
    if ending == "mp3":  # without the frame that says how many there are
        whole = whole[whole.index(b"\xff\xfb", whole.index(b"Xing")) :]
    there = len(whole) * 2 // 3
    audio = Audio(whole[:there] + bytes(len(whole) - there), 12000)
    assert sum(map(len, audio)) / 12000 == pytest.approx(7.8, abs=1)
    assert [warning.split(":")[0] for warning in audio.warnings] in (["damaged"], ["ends early"])
    assert " of 1" in audio.warnings[0]


def test_zeros_that_fill_up_a_block_are_none(tmp_path: Path) -> None:
    for ending, codec in (("mp2", "mp2"), ("aac", "aac"), ("wav", "")):
        path = tmp_path / f"a.{ending}"
        if codec:
            encode(path, music(12, 48000), 48000, codec)
        else:
            soundfile.write(path, music(12, 48000), 48000)
        data = path.read_bytes()
        assert heard(data + bytes(-len(data) % 4096)) == (pytest.approx(12, abs=0.1), [])
    assert heard(data + bytes(1_000_000)) == (pytest.approx(12, abs=0.001), [])


def test_bytes_behind_floats_that_are_no_samples(tmp_path: Path) -> None:
    data = written(tmp_path / "a.wav", music(3, 12000), 12000, subtype="FLOAT")
    junk = np.random.default_rng(0).bytes(5000)
    np.testing.assert_array_equal(decode(data + junk, 12000), decode(data, 12000))


@pytest.mark.parametrize("ending", ["oga", "spx", "avi", "ac3.wav"])
def test_what_is_lost_in_the_middle_or_at_the_end_is_said(tmp_path: Path, ending: str) -> None:
    if PROGRAM is None:
        pytest.skip("there is no ffmpeg on the PATH")
    soundfile.write(tmp_path / "a.wav", music(12, 48000), 48000)
    options = {
        "oga": ["-c:a", "flac", "-f", "ogg"],
        "spx": ["-c:a", "libspeex", "-ar", "16000", "-f", "ogg"],
        "avi": ["-c:a", "mp3"],
        "ac3.wav": ["-c:a", "ac3", "-f", "wav"],
    }[ending]
    path = tmp_path / f"b.{ending}"
    command = [PROGRAM, "-nostdin", "-v", "error", "-i", str(tmp_path / "a.wav"), *options, str(path)]
    if subprocess.run(command, check=False).returncode:
        pytest.skip(f"this ffmpeg cannot write {ending}")
    whole = path.read_bytes()
    cut = len(whole) // 3
    for damaged in (whole[:cut] + whole[2 * cut :], whole[: 2 * cut]):
        audio = Audio(damaged, 12000)
        assert 3 < sum(map(len, audio)) / 12000 < 9
        if damaged is not whole[: 2 * cut] or ending != "spx":
            assert [w.split(":")[0] for w in audio.warnings] in (["damaged"], ["ends early"]), ending
