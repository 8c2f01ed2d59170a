"""Sound by every way in: a path, bytes, a file object, samples."""

import io
import os
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pytest
import soundfile

from autotag.audio.decode import Audio, decode
from autotag.errors import AudioError, BadSamples, EmptyAudio, NotAudio, SilentAudio, UnreadableAudio
from tests.conftest import encode, music


class Stream(io.RawIOBase):
    """A pipe: it cannot be told where it is."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        return self._file.readinto(memoryview(into)[:1000])


class Reader:
    """A file object with the least that one may have."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self.seek, self.tell, self.seekable, self.read = (
            getattr(self._file, name) for name in ("seek", "tell", "seekable", "read")
        )


def stereo(seconds: float = 3, sr: int = 22050) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.stack([music(seconds, sr), 0.5 * music(seconds, sr, 1)], axis=1)


@pytest.mark.parametrize("name", ["song.wav", "song.flac", "song.mp3", "song.ogg", "song.m4a", "song.aac"])
@pytest.mark.parametrize("excerpt", [None, 1.0])
def test_every_way_in_gives_the_same_samples(tmp_path: Path, name: str, excerpt: float | None) -> None:
    path = tmp_path / name
    if name.endswith(("m4a", "aac")):
        encode(path, music(3, 44100), 44100, "aac")
    else:
        soundfile.write(path, stereo(), 22050)
    data = path.read_bytes()
    behind = io.BytesIO(b"something else" + data)
    behind.seek(14)
    expected = decode(path, 12000, excerpt)
    with path.open("rb") as file:
        for source in (
            *(
                str(path),
                data,
                bytearray(data),
                memoryview(data),
                io.BytesIO(data),
                file,
                behind,
                Stream(data),
            ),
            cast(BinaryIO, Reader(data)),
        ):
            audio = Audio(cast(Any, source), 12000, excerpt)
            for _ in range(2):  # and once more
                np.testing.assert_array_equal(np.concatenate(list(audio)), expected)
        assert not file.closed
        assert file.tell() == 0
    assert behind.tell() == 14


@pytest.mark.parametrize("excerpt", [None, 1.0])
@pytest.mark.parametrize(
    ("name", "subtype"), [("song.wav", "PCM_16"), ("song.wav", "FLOAT"), ("song.flac", "PCM_24")]
)
def test_samples_are_those_of_the_file(
    tmp_path: Path, name: str, subtype: str, excerpt: float | None
) -> None:
    path = tmp_path / name
    soundfile.write(path, stereo(), 22050, subtype)
    expected = decode(path, 12000, excerpt)
    samples, sr = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(decode((samples, sr), 12000, excerpt), expected)
    np.testing.assert_array_equal(
        decode((samples.astype(np.float64), cast(int, float(sr))), 12000, excerpt), expected
    )
    np.testing.assert_array_equal(
        decode((np.asfortranarray(samples), cast(int, np.int64(sr))), 12000, excerpt), expected
    )
    if subtype == "PCM_16":
        integers, _ = soundfile.read(path, dtype="int16")
        np.testing.assert_array_equal(decode((integers, sr), 12000, excerpt), expected)


def test_integers_are_scaled_by_the_range_of_their_type() -> None:
    signal = np.clip(music(1, 12000), -1, 1)
    for kind in (np.int8, np.int16, np.int32, np.int64):
        samples = np.round(signal.astype(np.float64) * (1 << (8 * kind().itemsize - 1)) * 0.999).astype(kind)
        np.testing.assert_allclose(
            decode((samples, 12000), 12000), signal * 0.999, atol=0.006, err_msg=str(kind)
        )
        unsigned = samples.view(f"u{kind().itemsize}") ^ np.array(
            1 << (8 * kind().itemsize - 1), f"u{kind().itemsize}"
        )
        np.testing.assert_array_equal(decode((unsigned, 12000), 12000), decode((samples, 12000), 12000))
    half = signal.astype(np.float16)
    np.testing.assert_array_equal(decode((half, 12000), 12000), half.astype(np.float32))


def test_samples_that_are_none_are_refused() -> None:
    good = stereo()
    nan = good.copy()
    nan[11025] = np.nan
    for samples, rate, error, words in (
        (good.T, 22050, BadSamples, r"shape \(2, 66150\) have 66150 channels, 32 at most. .* samples\.T"),
        (good[None], 22050, BadSamples, r"shape \(1, 66150, 2\)"),
        (good > 0, 22050, BadSamples, "type bool"),
        (good * 1j, 22050, BadSamples, "type complex"),
        (np.array(["a"]), 22050, BadSamples, "type <U1"),
        (good, 0, BadSamples, "the sample rate is 0 Hz"),
        (good, 44100.5, BadSamples, "the sample rate is 44100.5 Hz"),
        (good, float("nan"), BadSamples, "the sample rate is nan Hz"),
        (good, "44100", TypeError, r"the sample rate is '44100'\. Give a number of Hz"),
        (good, True, TypeError, "the sample rate is True"),
        (22050, good, TypeError, r"wrong way round\. Give \(samples, rate\)"),
        (good.tolist(), 22050, TypeError, r"samples are a list\. Give a NumPy array"),
        (np.zeros((0, 2), np.float32), 22050, EmptyAudio, "there are none"),
        (np.zeros(22050, np.float32), 22050, SilentAudio, "is silence"),
        (np.full(22050, 0.25, np.float32), 22050, SilentAudio, "is silence"),
        (nan, 22050, BadSamples, "a sample at 0.500 s is nan"),
        (good.astype(np.float64) * 1e300, 22050, BadSamples, "is inf"),
        (good * 32768, 22050, BadSamples, "where full scale is 1"),
        (good[:20], 22050, EmptyAudio, "ms of sound"),
        (good, 10, NotAudio, "a sample rate of 10 Hz"),
    ):
        with pytest.raises(error, match=words) as raised:
            decode(cast(Any, (samples, rate)), 12000, name="the radio")
        assert str(raised.value).startswith("the radio: ")


@pytest.mark.parametrize("source", [None, 42, 1.5, ["song.mp3"], {"a": 1}, (1, 2, 3), object()])
def test_what_cannot_be_audio_is_a_type_error(source: Any) -> None:
    with pytest.raises(TypeError, match="Give a path, bytes, a file opened in binary mode, or"):
        Audio(source, 12000)


def test_bytes_are_content_and_never_a_name(tmp_path: Path, song: Path) -> None:
    with pytest.raises(NotAudio, match=r"^audio: not WAV"):
        decode(os.fsencode(song), 12000)
    with pytest.raises(EmptyAudio, match=r"^audio: the file is empty"):
        decode(b"", 12000)


def test_messages_name_the_file() -> None:
    with pytest.raises(NotAudio, match=r"^s3://songs/1: not WAV"):
        decode(b"no audio" * 100, 12000, name="s3://songs/1")
    file = io.BytesIO(b"no audio" * 100)
    file.name = "upload.mp3"
    with pytest.raises(NotAudio, match=r"^upload\.mp3: not WAV"):
        decode(file, 12000)
    assert Audio("a/b.mp3", 12000).name == "a/b.mp3"
    assert Audio(b"", 12000).path is None


def test_a_file_object_that_cannot_be_read_is_unreadable(tmp_path: Path, song: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 100_000:
                raise ConnectionResetError(104, "Connection reset by peer")
            return super().read(size)

    closed = song.open("rb")
    closed.close()
    text = cast(BinaryIO, io.StringIO("text"))
    for source, words in (
        (Broken(song.read_bytes()), "song: cannot be read: Connection reset by peer"),
        (closed, "song: cannot be read: .*closed"),
        (text, r"it reads as str. Open it in binary mode"),
    ):
        with pytest.raises(UnreadableAudio, match=words):
            decode(source, 12000, name="song")


def test_an_interruption_while_a_decoder_reads_is_not_lost(song: Path) -> None:
    """Ctrl-C is raised in the function that C calls to read, and cffi would print and forget it."""

    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 300_000:
                raise KeyboardInterrupt
            return super().read(size)

    with pytest.raises(KeyboardInterrupt):
        decode(Interrupted(song.read_bytes()), 12000)


def test_a_hostile_file_object_is_an_error_of_that_file(song: Path) -> None:
    class Odd(io.BytesIO):
        def read(self, size: int | None = -1, /) -> Any:
            return None if self.tell() > 100_000 else super().read(size)

    with pytest.raises(AudioError):
        decode(Odd(b"RIFF" + bytes(200_000)), 12000)
