"""Several excerpts of a sound, spread evenly: what is read, where it lies, and what comes of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from autotag import Excerpt, Tagger, TagRequest
from autotag.audio.decode import Audio
from autotag.audio.held import Held
from tests.conftest import Run

SMALL = "vgg-12k-48-x10-db"
SR = 12000


def song(seconds: float, sr: int = SR) -> np.ndarray:
    """Noise whose level and colour change every second, so that no two seconds are alike."""
    random = np.random.default_rng(0)
    parts = [random.uniform(0.05, 0.4) * random.standard_normal(sr) for _ in range(int(seconds))]
    return np.clip(np.concatenate(parts), -0.99, 0.99).astype(np.float32)


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger(SMALL)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_excerpt_is_the_middle_of_an_equal_part(tmp_path: Path, count: int) -> None:
    whole = song(120)
    soundfile.write(tmp_path / "song.wav", whole, SR, "FLOAT")
    audio = Audio(tmp_path / "song.wav", SR, Excerpt(5, count))
    parts = [(start, np.concatenate(list(blocks))) for start, blocks in audio.parts()]
    for i, (start, samples) in enumerate(parts):
        assert start == pytest.approx((i + 0.5) * 120 / count - 2.5, abs=1 / SR)
        at = round(start * SR)
        np.testing.assert_allclose(samples, whole[at : at + 5 * SR], atol=5e-3)  # without a constant offset
    assert len(parts) == count
    assert (audio.duration, audio.seconds_read, audio.start) == (120, 5 * count, parts[0][0])


@pytest.mark.parametrize("name", ["song.mp3", "vbr.mp3", "song.flac", "song.ogg", "song.opus"])
def test_what_is_sought_is_what_lies_there(tmp_path: Path, name: str) -> None:
    """Also in an MP3 of variable bit rate without a table of its places."""
    path = tmp_path / name
    options = {"bitrate_mode": "VARIABLE"} if name == "vbr.mp3" else {}
    formats = {".opus": {"format": "OGG", "subtype": "OPUS"}}.get(path.suffix, {})
    rate = 48000 if name == "song.opus" else 44100
    with soundfile.SoundFile(path, "w", rate, 1, **options, **formats) as file:
        signal = song(60, rate)
        for start in range(0, len(signal), rate):  # written at once, a long Vorbis crashes libsndfile
            file.write(signal[start : start + rate])
    if name == "vbr.mp3":
        data = path.read_bytes()
        place = max(data.find(b"Xing"), data.find(b"Info"))
        assert place > 0
        path.write_bytes(data[:place] + b"\0" * 120 + data[place + 120 :])
    whole = np.concatenate(list(Audio(path, rate)))
    for second, blocks in Audio(path, rate, Excerpt(6, 3)).parts():
        samples = np.concatenate(list(blocks))
        there = whole[round(second * rate) :][: len(samples)]
        assert len(samples) == 6 * rate
        assert np.corrcoef(samples[rate // 10 :], there[rate // 10 :])[0, 1] > 0.9999, second


def test_segments_of_excerpts_are_those_of_the_song(tagger: Tagger, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", song(150), SR, "FLOAT")
    scores = tagger.scores(tmp_path / "song.wav", Excerpt(count=3))
    assert scores.times == pytest.approx([10.45, 60.45, 110.45], abs=1e-3)
    assert scores.duration == 150
    assert scores.excerpt == pytest.approx(87.3)
    assert scores.weights == pytest.approx([1, 1, 1])
    for time, each in zip(scores.times, scores.scores, strict=True):
        place = round(time * SR)
        alone = tagger.scores((song(150)[place : place + round(29.1 * SR)], SR))
        np.testing.assert_allclose(each, alone.scores[0], atol=0.03)
    with Held(tmp_path / "song.wav", SR, Excerpt(count=3)) as held:
        np.testing.assert_allclose(tagger.scores(held).scores, scores.scores, atol=0.03)
        assert tagger.scores(held).times == pytest.approx(scores.times)


def test_a_song_that_is_no_longer_than_its_excerpts_is_whole(tagger: Tagger, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", song(80), SR)
    result = tagger.tag(tmp_path / "song.wav", TagRequest(excerpt=Excerpt(count=3)))
    assert (result.segments, result.excerpt, result.warnings) == (3, None, ())
    assert result.tags == tagger.tag(tmp_path / "song.wav").tags


def test_excerpts_that_are_silent_do_not_count(tagger: Tagger) -> None:
    sound = song(150)
    sound[: 50 * SR] = 0
    scores = tagger.scores((sound, SR), Excerpt(count=3))
    assert scores.weights.tolist() == [0, 1, 1]
    sound[: 120 * SR] = 0
    one = tagger.tag((sound, SR), TagRequest(excerpt=Excerpt(count=3)))
    assert one.warnings == ("most excerpts are silent: one excerpt starts at 120.0 s",)
    assert one.segments == 1


def test_a_file_that_breaks_off_gives_excerpts_of_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    soundfile.write(path, song(100, 44100), 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    audio = Audio(path, SR, Excerpt(5, 3))
    starts = [start for start, blocks in audio.parts() if len(list(blocks))]
    assert audio.duration == pytest.approx(50, abs=1)
    assert starts == pytest.approx([(i + 0.5) * audio.duration / 3 - 2.5 for i in range(3)], abs=0.1)


@pytest.mark.parametrize("count", [0, -1, 1.5, 101, "three", True])
def test_a_number_of_excerpts(count: object) -> None:
    with pytest.raises(ValueError, match=r"excerpts is .*Use a number from 1 to 100"):
        TagRequest(excerpt=Excerpt(count=count))  # type: ignore[arg-type]


def test_the_option(autotag: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.flac", song(120), SR)
    path = tmp_path / "song.flac"
    (found,) = json.loads(autotag(path, "--model", SMALL, "--excerpts", 2, "--format", "json").stdout)
    assert (found["excerpt"], found["segments"]) == (58.2, 2)
    run = autotag(path, "--excerpts", 2, "--excerpt", 30)
    assert run.returncode == 2
    assert "--excerpt and --excerpts both choose a part" in run.stderr
    compared = autotag(path, "--compare", "--excerpts", 2, "--format", "json")
    assert compared.returncode == 0, compared.stderr


def test_a_library_remembers_its_excerpts(autotag: Run, tmp_path: Path) -> None:
    music, library = tmp_path / "music", tmp_path / "library.sqlite"
    music.mkdir()
    soundfile.write(music / "song.flac", song(120), SR)
    scan = ("scan", music, "--library", library)
    assert autotag(*scan, "--model", SMALL, "--excerpts", 2).returncode == 0
    soundfile.write(music / "other.flac", song(100)[::-1], SR)
    assert "1 new" in autotag(*scan).stderr + autotag(*scan).stdout
    refused = autotag(*scan, "--excerpts", 3)
    assert refused.returncode != 0
    assert "made with --excerpts 2, not --excerpts 3" in refused.stderr
