"""What libsndfile does not know: AAC and the like, through PyAV and through an ffmpeg program."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from autotag.audio.content import Content, View
from autotag.audio.decode import Audio, decode
from autotag.audio.formats import recognised
from autotag.audio.program import Program
from autotag.audio.source import Source
from autotag.errors import NotAudio
from tests.conftest import ROOT, delay, encode, music

PROGRAM = shutil.which("ffmpeg")
needs_program = pytest.mark.skipif(PROGRAM is None, reason="there is no ffmpeg on the PATH")
FORMATS = {
    "aac.m4a": ("aac", 44100),
    "alac.m4a": ("alac", 44100),
    "song.aac": ("aac", 48000),
    "song.wma": ("wmav2", 44100),
    "song.mka": ("aac", 48000),
    "song.ac3": ("ac3", 48000),
    "song.wv": ("wavpack", 44100),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(tmp_path: Path, name: str) -> None:
    codec, sr = FORMATS[name]
    audio = Audio(encode(tmp_path / name, music(10, sr), sr, codec), 12000)
    samples = np.concatenate(list(audio))
    assert samples.dtype == np.float32
    assert audio.duration == pytest.approx(10, abs=0.1)
    assert audio.warnings == []
    assert delay(samples, music(10, 12000)) < 1200

    excerpt = Audio(tmp_path / name, 12000, 4)
    middle = np.concatenate(list(excerpt))
    assert len(middle) == 48000
    assert excerpt.duration == pytest.approx(10, abs=0.1)
    assert delay(middle, samples[(len(samples) - 48000) // 2 :]) < 1200


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("form", ["flt", "fltp", "s16", "s16p", "s32", "s32p"])
def test_frames_are_packed_as_the_converter_does(form: str, channels: int) -> None:
    av = pytest.importorskip("av")
    from autotag.audio.ffmpeg import packed

    layout = ["mono", "stereo"][channels - 1]
    noise = np.random.default_rng(0).uniform(-1, 1, (channels, 1001)).astype(np.float32)
    drawn = av.AudioFrame.from_ndarray(noise, "fltp", layout)
    drawn.sample_rate = 44100
    (frame,) = av.AudioResampler(form, layout, 44100).resample(drawn)
    (wanted,) = av.AudioResampler("flt", layout, 44100).resample(frame)
    np.testing.assert_array_equal(packed(frame), wanted.to_ndarray().reshape(-1, channels))


@needs_program
@pytest.mark.parametrize("name", FORMATS)
def test_the_program_decodes_the_same(tmp_path: Path, name: str) -> None:
    codec, sr = FORMATS[name]
    path = encode(tmp_path / name, music(3, sr), sr, codec)
    from autotag.audio.ffmpeg import PyAV

    with _view(path) as (view, demuxer), Program(str(PROGRAM), view, demuxer) as program:
        pyav = PyAV(view, demuxer)
        assert (program.samplerate, program.channels) == (pyav.samplerate, pyav.channels) == (sr, 1)
        one, other = (np.concatenate(list(source.blocks())) for source in (program, pyav))
        assert program.problem == pyav.problem == ""
        pyav.__exit__()
    shorter = min(len(one), len(other))
    assert abs(len(one) - len(other)) <= 4096
    assert delay(one[:shorter, 0], other[:shorter, 0]) < sr / 10
    with _view(path) as (view, demuxer), Program(str(PROGRAM), view, demuxer) as program:
        late = np.concatenate(list(program.blocks(sr)))
    np.testing.assert_array_equal(late, one[sr:])


def test_channels_are_averaged_and_the_sound_of_a_film_is_heard(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed")
    signal = np.stack([music(3, 48000), np.zeros(3 * 48000, np.float32)])
    with av.open(tmp_path / "film.mp4", "w") as film:
        picture = film.add_stream("mpeg4", rate=10)
        picture.width = picture.height = 64
        sound = film.add_stream("aac", rate=48000, layout="stereo")
        for _ in range(30):
            film.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        film.mux(picture.encode(None))
        for start in range(0, signal.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(signal[:, start : start + 1024]), "fltp", "stereo"
            )
            frame.sample_rate = 48000
            film.mux(sound.encode(frame))
        film.mux(sound.encode(None))
    samples = decode(tmp_path / "film.mp4", 48000)
    assert delay(samples, signal[0]) < 1200
    assert np.std(samples) == pytest.approx(np.std(signal[0]) / 2, rel=0.05)

    with av.open(tmp_path / "silent.mp4", "w") as film:
        picture = film.add_stream("mpeg4", rate=10)
        picture.width = picture.height = 64
        film.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        film.mux(picture.encode(None))
    with pytest.raises(NotAudio, match="without a track of sound"):
        decode(tmp_path / "silent.mp4", 12000)


def test_a_truncated_file_gives_what_it_has(tmp_path: Path) -> None:
    data = encode(tmp_path / "song.m4a", music(20, 44100), 44100, "aac", movflags="faststart").read_bytes()
    (tmp_path / "song.m4a").write_bytes(data[: len(data) // 2])
    audio = Audio(tmp_path / "song.m4a", 12000)
    assert 8 < sum(map(len, audio)) / 12000 < 12
    (warning,) = audio.warnings
    assert warning.endswith(f"{audio.duration:.1f} of 20.0 s could be decoded")
    excerpt = Audio(tmp_path / "song.m4a", 12000, 4)
    assert sum(map(len, excerpt)) == 48000
    assert excerpt.duration == pytest.approx(audio.duration)
    assert excerpt.warnings == [warning]

    (tmp_path / "start.m4a").write_bytes(data[:500])
    with pytest.raises(NotAudio, match="MPEG-4 audio"):
        decode(tmp_path / "start.m4a", 12000)


@needs_program
def test_the_program_says_what_is_wrong(tmp_path: Path) -> None:
    path = encode(tmp_path / "song.m4a", music(20, 44100), 44100, "aac", movflags="faststart")
    data = path.read_bytes()
    without_av = "import sys; sys.modules['av'] = None; from autotag.audio.decode import Audio; " + (
        "a = Audio(sys.argv[1], 12000); print(sum(map(len, a)), a.warnings)"
    )
    path.write_bytes(data[: len(data) // 2])
    run = _python(without_av, path)
    assert "damaged: " in run.stdout
    path.write_bytes(data[:500])
    run = _python(without_av, path)
    assert "NotAudio" in run.stderr
    assert "that cannot be decoded: " in run.stderr


def test_damage_is_skipped(tmp_path: Path) -> None:
    path = encode(tmp_path / "song.m4a", music(20, 44100), 44100, "aac", movflags="faststart")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 60000] = np.random.default_rng(0).bytes(60000)
    path.write_bytes(data)
    audio = Audio(path, 12000)
    assert 12 < sum(map(len, audio)) / 12000 < 19.8
    assert audio.warnings == [f"damaged: {audio.duration:.1f} of 20.0 s could be decoded"]


def test_without_pyav_and_ffmpeg_both_are_named(tmp_path: Path) -> None:
    path = encode(tmp_path / "song.m4a", music(3, 44100), 44100, "aac")
    code = (
        "import sys; sys.modules['av'] = None; import autotag.audio.decode as d; d.decode(sys.argv[1], 12000)"
    )
    run = _python(code, path, PATH=str(tmp_path))
    assert run.stderr.splitlines()[-1] == (
        f"autotag.errors.NotAudio: {path}: MPEG-4 audio (AAC or ALAC), which autotag reads with PyAV or "
        "an ffmpeg program: pip install av, or put ffmpeg on the PATH"
    )


def test_pyav_is_imported_only_where_it_is_needed(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.flac", music(1, 12000), 12000)
    code = "import sys, autotag.audio.decode as d; d.decode(sys.argv[1], 12000); print('av' in sys.modules)"
    assert _python(code, tmp_path / "song.flac").stdout == "False\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("name", [b"caf\xe9.m4a", b"data:,song.m4a", b"-i.m4a", b"a\nb%d.m4a"])
def test_names_that_ffmpeg_might_take_for_something_else(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    os.rename(encode(tmp_path / "song.m4a", music(3, 44100), 44100, "aac"), path)  # noqa: PTH104
    from autotag.audio.ffmpeg import PyAV

    with _view(path) as (view, demuxer):
        sources: list[Source] = [PyAV(view, demuxer)]
        if PROGRAM:
            sources.append(Program(PROGRAM, view, demuxer))
        for source in sources:
            with source:
                assert sum(map(len, source.blocks())) == pytest.approx(3 * 44100, abs=3000)


def test_a_list_of_other_files_is_not_followed(tmp_path: Path) -> None:
    encode(tmp_path / "song.m4a", music(3, 44100), 44100, "aac")
    (tmp_path / "list.m4a").write_text("ffconcat version 1.0\nfile song.m4a\n")
    with pytest.raises(NotAudio):
        decode(tmp_path / "list.m4a", 12000)


@contextmanager
def _view(path: Path) -> Iterator[tuple[View, str]]:
    """All of a file, and ffmpeg's name of its format."""
    with Content(path) as content:
        found = recognised(content, 0, content.read(0, 4096))
        assert found
        yield View(content, 0, content.size), found[0].demuxer


def _python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )
