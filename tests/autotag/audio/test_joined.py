"""All the sound of a file, whatever its headers say, and what is missing is said in seconds."""

import re
import struct
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from autotag.audio.decode import Audio, decode
from tests.conftest import delay, encode, music


def written(path: Path, signal: NDArray[np.float32], sr: int = 44100, **options: str) -> bytes:
    soundfile.write(path, signal, sr, **options)
    return path.read_bytes()


def heard(data: bytes) -> tuple[Any, Any]:
    """Duration and warnings; an excerpt has the same duration."""
    audio = Audio(data, 12000)
    assert sum(map(len, audio)) == pytest.approx(12000 * audio.duration, abs=2)
    excerpt = Audio(data, 12000, audio.duration / 4)
    assert sum(map(len, excerpt)) == pytest.approx(3000 * audio.duration, abs=2)
    assert excerpt.duration == pytest.approx(audio.duration, abs=0.15)
    assert excerpt.seconds_read == pytest.approx(audio.duration / 4, abs=0.01)
    return audio.duration, audio.warnings


@pytest.mark.parametrize("ending", ["mp3", "ogg", "opus", "flac", "wav", "aiff"])
@pytest.mark.parametrize("other", ["same", "twice", "mono", "rate"])
def test_files_that_were_joined_are_one_after_the_other(tmp_path: Path, ending: str, other: str) -> None:
    container = {"opus": "OGG"}.get(ending, ending.upper())
    subtype = "OPUS" if ending == "opus" else None
    one = np.stack([music(4, 48000)] * 2, 1)
    two = {"mono": music(4, 48000, 1), "rate": np.stack([music(4, 24000, 1)] * 2, 1)}.get(
        other, np.stack([music(4, 48000, 1)] * 2, 1)
    )
    first = tmp_path / f"1.{ending}"
    soundfile.write(first, one, 48000, subtype, format=container)
    second = first
    if other != "twice":
        second = tmp_path / f"2.{ending}"
        soundfile.write(second, two, 24000 if other == "rate" else 48000, subtype, format=container)
    joined = first.read_bytes() + second.read_bytes()
    expected = np.concatenate([decode(first, 12000), decode(second, 12000)])
    found = decode(joined, 12000)
    assert len(found) == pytest.approx(len(expected), abs=30)
    assert heard(joined) == (pytest.approx(8, abs=0.15), [])
    tail = len(expected) // 2
    assert delay(found[tail:], expected[tail:]) < 30
    assert delay(found[:tail], expected[:tail]) < 30


def test_three_mp3s_with_tags_between_them(tmp_path: Path) -> None:
    songs = [written(tmp_path / "a.mp3", music(3, 44100, seed)) for seed in range(3)]
    tag = b"ID3\4\0\0\0\0\x0f\x00" + bytes(15 << 7)
    end = b"TAG" + bytes(125)
    assert heard(tag + songs[0] + end + tag + songs[1] + end + songs[2] + end) == (
        pytest.approx(9, abs=0.2),
        [],
    )


@pytest.mark.parametrize("codec", ["aac", "alac"])
def test_mpeg_4_files_that_were_joined(tmp_path: Path, codec: str) -> None:
    songs = [
        encode(tmp_path / "a.m4a", music(3, 44100, seed), 44100, codec, movflags="faststart").read_bytes()
        for seed in range(2)
    ]
    assert heard(b"".join(songs)) == (pytest.approx(6, abs=0.2), [])


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        *(("wma", "wmav2"), ("mka", "libopus"), ("tta", "tta"), ("wv", "wavpack")),
        *(("flv", "aac"), ("caf", ""), ("w64", "")),
    ],
)
@pytest.mark.parametrize("rate", [48000, 24000])
def test_joined_files_of_formats_with_a_head_of_their_own(
    tmp_path: Path, ending: str, codec: str, rate: int
) -> None:
    songs = []
    for seed, sr in ((0, 48000), (1, 22050 if ending == "flv" and rate == 24000 else rate)):
        path, signal = tmp_path / f"{seed}.{ending}", music(10, sr, seed)
        songs.append(encode(path, signal, sr, codec) if codec else path)
        if not codec:
            soundfile.write(path, signal, sr)
    joined = songs[0].read_bytes() + songs[1].read_bytes()
    assert heard(joined) == (pytest.approx(20, abs=0.2), [])
    found, second = decode(joined, 12000), decode(songs[1], 12000)
    assert delay(found[-len(second) :], second) < 1000


def test_a_part_that_is_damaged_costs_itself_and_a_hundred_thousand_cost_no_time(tmp_path: Path) -> None:
    songs = [
        encode(tmp_path / "a.wv", music(4, 44100, seed), 44100, "wavpack").read_bytes() for seed in (0, 1)
    ]
    head = songs[0][:32]
    assert heard(songs[0] + head + bytes(3000) + songs[1]) == (pytest.approx(8, abs=0.2), [])
    duration, _ = heard(songs[0] + head * 100_000)
    assert duration == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("ending", ["w64", "caf", "wav"])
def test_samples_that_a_header_announces_and_are_not_there_are_said(tmp_path: Path, ending: str) -> None:
    whole = written(tmp_path / f"a.{ending}", music(4, 44100))
    assert heard(whole[: len(whole) // 4]) == (
        pytest.approx(1, abs=0.05),
        ["ends early: 1.0 of 4.0 s could be decoded"],
    )


def test_an_ogg_that_ends_within_a_page_says_so(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.ogg", music(12, 44100))
    pages = [at for at in range(len(whole)) if whole.startswith(b"OggS", at)]
    size, at = max((after - at, at) for at, after in pairwise(pages))
    duration, warnings = heard(whole[: at + size - 10])
    assert 1 < duration < 12
    assert [re.sub(r"[0-9.]+ of [0-9.]+", "N of M", warning) for warning in warnings] == [
        "damaged: N of M s could be decoded"
    ]
    assert heard(whole[:at])[1] == [], "which nothing tells from one that is shorter"


def test_a_stream_whose_channels_change_keeps_the_layout_of_its_opening(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="PyAV, which encodes it here, is not installed")
    streams = []
    for layout, seed in (("stereo", 0), ("mono", 1)):
        with av.open(tmp_path / "a.aac", "w", format="adts") as file:
            stream = file.add_stream("aac", rate=44100, layout=layout)
            signal = np.stack([music(4, 44100, seed)] * (2 if layout == "stereo" else 1))
            for start in range(0, signal.shape[1], 1024):
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(signal[:, start : start + 1024]), "fltp", layout
                )
                frame.sample_rate = 44100
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        streams.append((tmp_path / "a.aac").read_bytes())
    expected = np.concatenate([music(4, 12000), music(4, 12000, 1)])
    for joined in (b"".join(streams), b"".join(reversed(streams))):
        samples = decode(joined, 12000)
        assert len(samples) == pytest.approx(len(expected), abs=1200)
        want = (
            expected
            if joined.startswith(streams[0])
            else np.concatenate([expected[48000:], expected[:48000]])
        )
        for half in (slice(0, 46000), slice(50000, 94000)):
            assert delay(samples[half], want[half]) < 900
            assert np.std(samples[half]) == pytest.approx(np.std(want[half]), rel=0.1)


def flac_total(data: bytes, samples: int) -> bytes:
    """A FLAC whose header says that it has so many samples."""
    return (
        data[:21]
        + bytes([data[21] & 0xF0 | samples >> 32])
        + (samples & 0xFFFFFFFF).to_bytes(4, "big")
        + data[26:]
    )


@pytest.mark.parametrize("seconds", [0, 1, 9])
def test_a_flac_of_a_wrong_length_is_whole(tmp_path: Path, seconds: int) -> None:
    data = written(tmp_path / "a.flac", music(10, 44100))
    assert heard(flac_total(data, seconds * 44100)) == (pytest.approx(10), [])


def xing(data: bytes, frames: int | None, size: int | None) -> bytes:
    at = max(data.find(b"Xing"), data.find(b"Info"))
    old = struct.unpack_from(">II", data, at + 8)
    new = struct.pack(">II", old[0] if frames is None else frames, old[1] if size is None else size)
    return data[: at + 8] + new + data[at + 16 :]


@pytest.mark.parametrize(("frames", "size"), [(10, None), (10, 5000), (0, 0), (300, None), (10**9, None)])
def test_an_mp3_of_a_wrong_length_is_whole(tmp_path: Path, frames: int, size: int | None) -> None:
    data = written(tmp_path / "a.mp3", music(10, 44100))
    assert heard(xing(data, frames, size)) == (pytest.approx(10, abs=0.1), [])


def test_an_mp3_that_breaks_off_says_what_is_missing(tmp_path: Path) -> None:
    data = written(tmp_path / "a.mp3", music(10, 44100))
    duration, warnings = heard(data[: len(data) // 2])
    assert duration == pytest.approx(5, abs=0.2)
    assert warnings == [f"ends early: {duration:.1f} of 10.0 s could be decoded"]


def test_damage_without_a_header_is_said_in_seconds(tmp_path: Path, song: Path) -> None:
    data = song.read_bytes()
    data = data[data.index(b"\xff\xfb", data.index(b"Xing")) :]
    duration, warnings = heard(data[:200_000] + np.random.default_rng(0).bytes(100_000) + data[300_000:])
    assert duration == pytest.approx(24.5, abs=0.3)
    assert warnings[0].startswith(f"damaged: {duration:.1f} of 30.")


@pytest.mark.parametrize("size", [0, 1000, 0xFFFFFFFF, 0x7FFFFFFF])
@pytest.mark.parametrize("riff", [True, False])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "PCM_24"])
def test_a_wav_of_a_wrong_length_is_whole(tmp_path: Path, size: int, riff: bool, subtype: str) -> None:
    data = written(tmp_path / "a.wav", np.stack([music(4, 12000)] * 2, 1), 12000, subtype=subtype)
    at = data.index(b"data") + 4
    wrong = data[:at] + struct.pack("<I", size) + data[at + 4 :]
    wrong = wrong if riff else wrong[:4] + bytes(4) + wrong[8:]
    np.testing.assert_array_equal(decode(wrong, 12000), decode(data, 12000))
    assert heard(wrong) == (pytest.approx(4, abs=0.01), [])


def test_chunks_behind_the_sound_are_none(tmp_path: Path) -> None:
    data = written(tmp_path / "a.wav", music(4, 12000), 12000)
    listed = b"LIST" + struct.pack("<I", 4000) + bytes(4000)
    for after in (
        listed,
        b"abcd" + struct.pack("<I", 10) + bytes(10),
        b"TAG" + bytes(125),
        bytes(10),
        listed[:100],
    ):
        np.testing.assert_array_equal(decode(data + after, 12000), decode(data, 12000))


@pytest.mark.parametrize("size", [0, 1000, 0xFFFFFFFF])
def test_an_aiff_of_a_wrong_length_is_whole(tmp_path: Path, size: int) -> None:
    data = written(tmp_path / "a.aiff", music(4, 12000), 12000)
    at = data.index(b"SSND") + 4
    wrong = data[:at] + struct.pack(">I", size) + data[at + 4 :]
    assert heard(wrong) == (pytest.approx(4, abs=0.01), [])


def test_bw64_and_rf64(tmp_path: Path) -> None:
    data = written(tmp_path / "a.wav", music(4, 12000), 12000)
    large = written(tmp_path / "b.wav", music(4, 12000), 12000, format="RF64")
    assert large[:4] == b"RF64"
    at = large.index(b"ds64") + 8
    for wrong in (large, b"BW64" + large[4:], large[: at + 8] + bytes(8) + large[at + 16 :]):
        np.testing.assert_array_equal(decode(wrong, 12000), decode(data, 12000))
        assert heard(wrong) == (pytest.approx(4), [])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems may write 4 GiB of zeros")
def test_a_length_that_wrapped_round_at_4_gib(tmp_path: Path) -> None:
    second = 192000 * 8 * 4
    noise = np.repeat(music(1, 192000)[:, None], 8, 1).astype("<f4").tobytes()
    with (tmp_path / "long.wav").open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 5 * second + 36) + b"WAVEfmt ")
        file.write(struct.pack("<IHHIIHH", 16, 3, 8, 192000, second, 32, 32))
        file.write(b"data" + struct.pack("<I", 5 * second))
        for at in (0, 350, 351, 352, 353):
            file.seek(44 + at * second)
            file.write(noise)
        file.truncate(44 + 2**32 + 5 * second)
    audio = Audio(tmp_path / "long.wav", 12000, 3)
    assert sum(map(len, audio)) == 36000
    assert audio.duration == pytest.approx(2**32 / second + 5, abs=0.01)
    assert audio.warnings == []


def test_no_file_says_that_it_lacks_millions_of_seconds(tmp_path: Path) -> None:
    ogg = bytearray(written(tmp_path / "a.ogg", music(4, 44100)))
    page = ogg.rindex(b"OggS")
    ogg[page + 6 : page + 14] = struct.pack("<q", 27_000_000 * 44100)
    ogg[page + 22 : page + 26] = bytes(4)
    crc = 0
    for byte in ogg[page:]:
        crc ^= byte << 24
        for _ in range(8):
            crc = crc << 1 ^ (0x104C11DB7 if crc & 0x80000000 else 0)
    ogg[page + 22 : page + 26] = struct.pack("<I", crc)
    mp3 = xing(written(tmp_path / "a.mp3", music(4, 44100)), 27_000_000 * 44100 // 1152, None)
    flac = flac_total(written(tmp_path / "a.flac", music(4, 8000), 8000), (1 << 36) - 1)
    for data in (bytes(ogg), mp3, flac):
        audio = Audio(data, 8000)
        assert sum(map(len, audio)) == pytest.approx(32000, rel=0.03)
        assert not any(" of " in warning for warning in audio.warnings)


def test_damage_in_the_middle_of_a_flac_is_passed_over(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV, which goes on behind the damage, is not installed")
    data = bytearray(written(tmp_path / "a.flac", music(20, 44100)))
    middle = len(data) // 2
    data[middle : middle + 20000] = np.random.default_rng(0).bytes(20000)
    audio = Audio(bytes(data), 12000)
    assert 19 < sum(map(len, audio)) / 12000 < 19.9
    assert audio.warnings == [f"damaged: {audio.duration:.1f} of 20.0 s could be decoded"]


@pytest.mark.parametrize("ending", ["mp3", "ogg", "flac"])
def test_what_is_behind_the_sound_and_is_none_is_said(tmp_path: Path, ending: str) -> None:
    data = written(tmp_path / f"a.{ending}", music(10, 44100))
    ape = b"APETAGEX" + struct.pack("<IIII8x", 2000, 100032, 1, 0)
    tag = bytes(100000) + ape[:8] + struct.pack("<IIII8x", 2000, 100032, 1, 0)
    for harmless in (bytes(100_000), b"TAG" + bytes(125), tag + b"TAG" + bytes(125), b"junk"):
        assert heard(data + harmless) == (pytest.approx(10, abs=0.1), [])
    audio = Audio(data + np.random.default_rng(0).bytes(len(data)), 12000)
    assert sum(map(len, audio)) == pytest.approx(120000, rel=0.02)
    assert audio.warnings[0].startswith("damaged: 10.0 of ")


@pytest.mark.parametrize("size", [0, 5000, 0xFFFFFFFF])
def test_an_au_of_a_wrong_length_is_whole(tmp_path: Path, size: int) -> None:
    data = written(tmp_path / "a.au", music(4, 12000), 12000)
    assert heard(data[:8] + struct.pack(">I", size) + data[12:]) == (pytest.approx(4), [])
    assert heard(data + data) == (pytest.approx(8), [])
