"""Decoders are asked in turn, and what they raise is an error of the file."""

import os
import shutil
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from autotag.audio.decode import Audio, decode
from autotag.errors import AudioError, NotAudio, UnreadableAudio
from tests.conftest import ROOT, delay, encode, music

PROGRAM = shutil.which("ffmpeg")
needs_program = pytest.mark.skipif(
    PROGRAM is None, reason="there is no ffmpeg on the PATH, which encodes it here"
)

Converted = Callable[..., Path]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of music."""
    path = tmp_path_factory.mktemp("source") / "source.wav"
    soundfile.write(path, music(6, 44100), 44100)
    return path


@pytest.fixture
def converted(source: Path, tmp_path: Path) -> Converted:
    """The source as ffmpeg writes it: `converted("song.tta", "-c:a", "tta")`."""

    def convert(name: str, *options: str, inputs: tuple[str, ...] = ()) -> Path:
        command = [str(PROGRAM), "-v", "error", "-i", str(source), *inputs, *options]
        run = subprocess.run([*command, "-y", str(tmp_path / name)], capture_output=True, text=True)
        if run.returncode:
            pytest.skip(f"ffmpeg cannot write it here: {run.stderr.strip()[:200]}")
        return tmp_path / name

    return convert


@needs_program
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("flac.oga", ("-c:a", "flac")),
        ("song.caf", ("-c:a", "aac")),
        ("alac.caf", ("-c:a", "alac")),
        ("song.tta", ("-c:a", "tta")),
        ("song.dts", ("-c:a", "dca", "-strict", "-2", "-ar", "48000")),
        ("song.mov", ("-c:a", "aac", "-f", "mov")),
        ("song.ts", ("-c:a", "aac", "-f", "mpegts")),
        ("song.flv", ("-c:a", "aac", "-f", "flv")),
        ("song.avi", ("-c:a", "libmp3lame", "-f", "avi")),
        ("song.mp2", ("-c:a", "mp2")),
        (
            "adpcm.wav",
            (
                "-c:a",
                "adpcm_swf",
            ),
        ),
        ("mp3.wav", ("-c:a", "libmp3lame", "-f", "wav")),
        ("eac3.eac3", ("-c:a", "eac3", "-ar", "48000")),
        ("song.m4a", ("-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov")),
        ("song.m2ts", ("-c:a", "ac3", "-f", "mpegts", "-mpegts_m2ts_mode", "1")),
        ("song.latm", ("-c:a", "aac", "-b:a", "256k")),
        ("song.nut", ("-c:a", "flac")),
    ],
)
def test_what_libsndfile_refuses_the_next_decoder_is_asked(
    converted: Converted, name: str, options: tuple[str, ...]
) -> None:
    audio = Audio(converted(name, *options), 12000)
    samples = np.concatenate(list(audio))
    assert audio.duration == pytest.approx(6, abs=0.15)
    assert audio.warnings == []
    assert delay(samples, music(6, 12000)) < 1500


@needs_program
def test_ogg_with_a_picture_and_ogg_flac_and_wav_behind_a_tag(converted: Converted, tmp_path: Path) -> None:
    picture = ("-f", "lavfi", "-i", "testsrc=d=6:s=64x64:r=5")
    film = converted(
        "film.ogg", "-map", "1:v", "-map", "0:a", "-c:v", "libtheora", "-c:a", "libvorbis", inputs=picture
    )
    assert sum(map(len, Audio(film, 12000))) == pytest.approx(72000, abs=1500)
    tag = b"ID3\4\0\0\0\0\x0f\x00" + bytes(15 << 7)
    for ending in ("ogg", "flac", "wav", "aiff"):
        path = tmp_path / f"song.{ending}"
        soundfile.write(path, music(3, 44100), 44100)
        np.testing.assert_array_equal(decode(tag + path.read_bytes(), 12000), decode(path, 12000))


def test_a_stream_that_starts_in_the_middle_of_a_frame(tmp_path: Path) -> None:
    data = encode(tmp_path / "song.aac", music(4, 44100), 44100, "aac").read_bytes()
    mp3 = tmp_path / "song.mp3"
    soundfile.write(mp3, music(4, 44100), 44100)
    for whole in (data, mp3.read_bytes()):
        for cut in (1, 100, 333, 2000):
            audio = Audio(whole[cut:], 12000)
            assert sum(map(len, audio)) / 12000 == pytest.approx(4, abs=0.3)


@needs_program
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("song.ac3", ("-c:a", "ac3")),
        ("song.eac3", ("-c:a", "eac3")),
        ("song.latm", ("-c:a", "aac")),
        ("song.dts", ("-c:a", "dca", "-strict", "-2", "-ar", "48000")),
        ("song.ts", ("-c:a", "mp2", "-f", "mpegts")),
        ("song.m2ts", ("-c:a", "aac", "-f", "mpegts", "-mpegts_m2ts_mode", "1")),
        ("song.mpg", ("-c:a", "mp2")),
    ],
)
def test_a_recording_of_a_broadcast_that_starts_anywhere(
    converted: Converted, name: str, options: tuple[str, ...]
) -> None:
    whole = converted(name, *options).read_bytes()
    start = len(whole) // 3 + 57
    audio = Audio(whole[start:], 12000)
    found = np.concatenate(list(audio))
    assert audio.duration == pytest.approx(6 * (1 - start / len(whole)), abs=0.4)
    assert delay(found, music(6, 12000)[-len(found) :]) < 3000


@pytest.mark.parametrize("zeros", [0, 1, 7, 8, 512, 4093, 4096, 100_000])
@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\0\x0f\x00" + bytes(15 << 7)])
def test_zeros_and_tags_in_front_of_the_sound_are_passed_over(tmp_path: Path, zeros: int, tag: bytes) -> None:
    files = [encode(tmp_path / "song.m4a", music(2, 44100), 44100, "aac")]
    for ending in ("mp3", "ogg", "flac", "wav"):
        files.append(tmp_path / f"song.{ending}")
        soundfile.write(files[-1], music(2, 44100), 44100)
    for path in files:
        if tag or not 0 < zeros < 8:
            found = decode(tag + bytes(zeros) + path.read_bytes(), 12000)
            np.testing.assert_allclose(found, decode(path, 12000), atol=1e-4)


def test_a_protected_file_says_so(tmp_path: Path) -> None:
    data = encode(tmp_path / "song.m4a", music(2, 44100), 44100, "aac").read_bytes()
    for entry in (b"drms", b"enca"):
        with pytest.raises(NotAudio, match="protected"):
            decode(data.replace(b"mp4a", entry, 1), 12000)


@needs_program
def test_of_several_tracks_the_first_with_sound_is_read_and_said(
    converted: Converted, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence = ("-f", "lavfi", "-i", "anullsrc=r=44100:cl=mono:d=6")
    for order, number in ((("1:a", "0:a"), 2), (("0:a", "1:a"), 1)):
        files = [
            converted(name, "-map", order[0], "-map", order[1], "-c:a", codec, inputs=silence)
            for name, codec in (("two.mka", "aac"), ("two.ogg", "flac"))
        ]
        for path, without_av in product(files, (False, True)):
            with monkeypatch.context() as patch:
                if without_av:
                    patch.setitem(sys.modules, "av", None)
                audio = Audio(path, 12000)
                assert delay(np.concatenate(list(audio)), music(6, 12000)) < 1500
                assert audio.warnings == [
                    f"2 tracks of sound: only track {number} was read, the first with sound"
                ]


def test_what_lies_beside_a_file_does_not_matter(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.mp3", music(3, 44100), 44100)
    expected = decode(tmp_path / "song.mp3", 12000)
    fork = struct.pack(">II16sHIII", 0x51607, 0x20000, b"Mac OS X", 1, 9, 38, 3800).ljust(4096, b"\0")
    (tmp_path / "._song.mp3").write_bytes(fork)
    np.testing.assert_array_equal(decode(tmp_path / "song.mp3", 12000), expected)


def test_a_chain_of_tags_is_bounded(song: Path) -> None:
    empty = b"ID3\4\0\0\0\0\0\0"
    assert len(decode(empty * 900 + song.read_bytes(), 12000)) == 360000
    with pytest.raises(NotAudio, match="begins with 1000 ID3 tags or more"):
        decode(empty * 1_000_000 + song.read_bytes(), 12000)


def test_a_tag_that_says_it_is_longer_than_the_file(song: Path) -> None:
    assert len(decode(b"ID3\4\0\0\x7f\x7f\x7f\x7f" + song.read_bytes(), 12000)) == 360000


@pytest.mark.parametrize(
    "before, after", [(b"mp4a", b"zzzz"), (b"stco", b"xxxx"), (b"stsz", b"\xff\xff\xff\xff")]
)
def test_what_decoders_raise_about_a_file_is_an_error_of_it(
    tmp_path: Path, before: bytes, after: bytes
) -> None:
    data = encode(tmp_path / "song.m4a", music(3, 44100), 44100, "aac").read_bytes()
    with pytest.raises(AudioError) as raised:
        decode(data.replace(before, after).replace(b"esds", b"free"), 12000, name="song")
    assert str(raised.value).startswith("song: ")
    assert "NoneType" not in str(raised.value)


def test_a_title_in_another_encoding_is_no_error(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="PyAV, which encodes it here, is not installed")
    with av.open(tmp_path / "song.m4a", "w", format="ipod") as file:
        file.metadata["title"] = "A summer in Mxlaga"
        stream = file.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(music(3, 44100)[None, : 44100 * 3 // 1024 * 1024], "fltp", "mono")
        frame.sample_rate = 44100
        for piece in av.AudioResampler("fltp", "mono", 44100, 1024).resample(frame):
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    data = (tmp_path / "song.m4a").read_bytes()
    assert b"Mxlaga" in data
    assert len(decode(data.replace(b"Mxlaga", b"M\xe1laga"), 12000)) > 30000


READS_FAIL = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static int fails(int file, off_t at, size_t size) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0) return 0;
    name[length] = 0;
    if (strstr(name, "/weak.") && at + (off_t)size > 150000) { errno = EIO; return 1; }
    return 0;
}
ssize_t read(int file, void *to, size_t size) {
    if (fails(file, lseek(file, 0, SEEK_CUR), size)) return -1;
    return ((ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read"))(file, to, size);
}
"""


@pytest.fixture(scope="module")
def weak_disk(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A library to preload, with which reads of /weak.* fail behind byte 150,000."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("a disk that fails is made with a C compiler on Linux")
    folder = tmp_path_factory.mktemp("disk")
    (folder / "weak.c").write_text(READS_FAIL)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", folder / "weak.so", folder / "weak.c", "-ldl"], check=True
    )
    return str(folder / "weak.so")


@pytest.fixture(scope="module", params=["wav", "flac", "mp3", "ogg", "m4a"])
def weak_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weak") / f"weak.{request.param}"
    if request.param == "m4a":
        return encode(path, music(30, 44100), 44100, "aac")
    soundfile.write(path, np.stack([music(30, 44100)] * 2, 1), 44100)
    return path


def test_an_error_of_the_disk_is_a_failure(weak_disk: str, weak_file: Path) -> None:
    """Of the whole file and an excerpt, with PyAV and without it."""
    path = weak_file
    code = f"""
        import sys
        from autotag.audio.decode import decode
        for _ in range(2):
            for excerpt in (None, 2.0):
                try:
                    decode({str(path)!r}, 12000, excerpt)
                except Exception as error:
                    print(type(error).__name__, error)
            sys.modules["av"] = None
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"LD_PRELOAD": weak_disk},
    )
    said = run.stdout.splitlines()
    assert len(said) == 4, run.stderr
    if path.suffix == ".m4a" and PROGRAM is None:  # nothing is left that could read it
        said = said[:2]
    for line in said:
        assert line.startswith(f"UnreadableAudio {path}: cannot be read: ")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on descriptors")
def test_without_descriptors_it_ends_with_a_reason(tmp_path: Path, song: Path) -> None:
    code = f"""
        import os, resource
        from autotag.audio.decode import decode
        from autotag.errors import UnreadableAudio
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        held = []
        try:
            while True: held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        try:
            decode({str(song)!r}, 12000)
        except UnreadableAudio as error:
            print(error)
        os.close(held.pop())
        print(len(decode({str(song)!r}, 12000)))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert run.stdout.splitlines() == [f"{song}: cannot be read: Too many open files", "360000"], run.stderr


def test_nothing_is_left_open(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("open descriptors are counted in /proc")
    paths: list[Any] = [encode(tmp_path / "song.m4a", music(2, 44100), 44100, "aac")]
    for ending in ("wav", "flac", "mp3", "ogg"):
        soundfile.write(tmp_path / f"song.{ending}", music(2, 44100), 44100)
        paths.append(tmp_path / f"song.{ending}")
    (tmp_path / "text.mp3").write_text("no music")

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    for path in paths:
        decode(path, 12000)  # the first time libraries may open something for good
    before = descriptors()
    for path in paths:
        for excerpt in (None, 1.0):
            next(iter(Audio(path, 12000, excerpt)))
            decode(path, 12000, excerpt)
        with pytest.raises(AudioError):
            decode(path.read_bytes()[:20], 12000)
    assert descriptors() <= before


def test_decoders_write_nothing_to_the_terminal(tmp_path: Path, song: Path) -> None:
    """And what others write there while they decode arrives."""
    data = bytearray(song.read_bytes())
    for at in range(100_000, 500_000, 50_000):
        data[at : at + 300] = np.random.default_rng(at).bytes(300)
    (tmp_path / "odd.mp3").write_bytes(data)
    code = f"""
        import os, threading, time
        from autotag.audio.decode import Audio
        done = threading.Event()
        def log():
            for number in range(50):
                os.write(2, f"line {{number}}\\n".encode())
                time.sleep(0.001)
        thread = threading.Thread(target=log)
        thread.start()
        while thread.is_alive():
            audio = Audio({str(tmp_path / "odd.mp3")!r}, 12000)
            for block in audio: pass
        print(audio.warnings)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=ROOT
    )
    lines = run.stderr.splitlines()
    assert set(lines) <= {f"line {number}" for number in range(50)}
    assert len(lines) > 40  # a line that falls into the middle of a note goes with it
    assert "damaged" in run.stdout


@needs_program
def test_an_mp3_in_a_wav_is_decoded_without_a_note(converted: Converted) -> None:
    data = converted("quiet.wav", "-c:a", "libmp3lame", "-f", "wav").read_bytes()
    third = len(data) // 3
    code = """
        import sys
        from autotag.audio.decode import Audio
        audio = Audio(sys.stdin.buffer.read(), 12000)
        for block in audio: pass
        print(audio.warnings)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        input=data[:third] + bytes(third) + data[2 * third :],
        capture_output=True,
        cwd=ROOT,
    )
    assert run.stderr == b""
    assert b"damaged" in run.stdout


def test_a_path_with_a_null_byte_is_an_error_of_that_path() -> None:
    with pytest.raises(UnreadableAudio):
        decode("a\0b.mp3", 12000)
