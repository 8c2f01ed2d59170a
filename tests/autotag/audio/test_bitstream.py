"""PCM by its header, something else by its bytes."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from autotag.audio.decode import Audio, decode
from autotag.errors import NotAudio
from tests.conftest import delay, music

PROGRAM = shutil.which("ffmpeg")
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="there is no ffmpeg on the PATH, which encodes it here"
)


def bitstream(folder: Path, codec: str, container: str, *options: str) -> bytes:
    soundfile.write(folder / "song.wav", np.stack([music(8, 48000)] * 2, 1), 48000)
    command = [
        str(PROGRAM),
        "-v",
        "error",
        "-i",
        "song.wav",
        "-c:a",
        codec,
        *options,
        "-strict",
        "-2",
        "-f",
        container,
        "coded",
    ]
    run = subprocess.run([*command, "-y"], cwd=folder, capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"ffmpeg cannot write it here: {run.stderr.strip()[:200]}")
    return (folder / "coded").read_bytes()


def as_samples(data: bytes, swapped: bool = False) -> NDArray[np.int16]:
    return (
        np.frombuffer(data[: len(data) // 4 * 4], ">i2" if swapped else "<i2").astype(np.int16).reshape(-1, 2)
    )


@pytest.mark.parametrize(
    ("codec", "container", "name"),
    [
        ("ac3", "spdif", "AC-3 in an IEC 61937 bitstream"),
        ("eac3", "spdif", "E-AC-3 in an IEC 61937 bitstream"),
        ("mp2", "spdif", "MPEG audio in an IEC 61937 bitstream"),
        ("ac3", "ac3", "an AC-3 bitstream"),
        ("eac3", "eac3", "an E-AC-3 bitstream"),
        ("dca", "dts", "a DTS bitstream"),
        ("libmp3lame", "mp3", "an MP3"),
        ("mp2", "mp2", "an MP3"),
        ("aac", "adts", "an AAC stream"),
        ("flac", "flac", "a FLAC"),
        ("libvorbis", "ogg", "an Ogg file"),
    ],
)
@pytest.mark.parametrize("ending", ["wav", "flac", "aiff"])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_bitstream_is_decoded_and_said(
    tmp_path: Path, codec: str, container: str, name: str, ending: str, swapped: bool
) -> None:
    pytest.importorskip("av", reason="PyAV, which decodes it, is not installed")
    samples = as_samples(bitstream(tmp_path, codec, container), swapped)
    file = io.BytesIO()
    soundfile.write(
        file, np.concatenate([np.zeros((4410, 2), np.int16), samples]), 48000, format=ending.upper()
    )
    audio = Audio(file.getvalue(), 12000)
    found = np.concatenate(list(audio))
    assert delay(found, music(8, 12000)) < 1500
    assert audio.warnings == [f"holds {name} in place of samples: decoded"]
    excerpt = Audio(file.getvalue(), 12000, 3)
    assert sum(map(len, excerpt)) == 36000
    assert excerpt.duration == pytest.approx(audio.duration)


def test_of_14_bits_in_a_word_or_after_a_long_silence(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV, which decodes it, is not installed")
    data = bitstream(tmp_path, "dca", "dts", "-b:a", "768k")
    frames = [b"\x7f\xfe\x80\x01" + frame for frame in data.split(b"\x7f\xfe\x80\x01")[1:]]
    for order in "<>":
        packed = b"".join(in_14_bits(frame, order).ljust(2048, b"\0") for frame in frames)
        audio = Audio((as_samples(packed), 48000), 12000)
        assert delay(np.concatenate(list(audio)), music(8, 12000)) < 1500
        assert audio.warnings == ["holds a DTS bitstream in place of samples: decoded"]
    silence = np.zeros((60 * 48000, 2), np.int16)
    audio = Audio((np.concatenate([silence, as_samples(data)]), 48000), 12000)
    assert delay(np.concatenate(list(audio)), music(8, 12000)) < 1500


def in_14_bits(frame: bytes, order: str) -> bytes:
    """A frame as discs hold it, so that it plays as a hiss and does not clip: 14 bits in a word of 16."""
    bits = np.unpackbits(np.frombuffer(frame, np.uint8))
    rows = np.concatenate([bits, np.zeros(-len(bits) % 14, np.uint8)]).reshape(-1, 14).astype(np.int32)
    words = rows @ (1 << np.arange(13, -1, -1))
    data: bytes = (words - ((words & 0x2000) << 1)).astype(f"{order}i2").tobytes()
    return data


def test_without_pyav_it_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = as_samples(bitstream(tmp_path, "ac3", "spdif"))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(
        NotAudio, match=r"holds AC-3 in an IEC 61937 bitstream in place of samples, .*pip install av"
    ):
        decode((samples, 48000), 12000)


def test_noise_is_no_bitstream() -> None:
    for seed in range(20):
        noise = np.random.default_rng(seed).integers(-32768, 32767, (60000, 2), np.int16, endpoint=True)
        audio = Audio((noise, 44100), 12000)
        assert sum(map(len, audio)) > 16000
        assert audio.warnings == []
