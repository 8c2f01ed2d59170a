"""One model, any sound: what is tagged, how long it may be, and what a Tagger outlives."""

import io
import pickle
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import soundfile

from autotag import Failure, Result, Tagger, TagRequest
from autotag.audio.decode import decode
from autotag.audio.mel import log_mel
from autotag.config import DEFAULT, HOP, Config
from autotag.errors import AudioNotFound
from autotag.models.registry import load, models
from tests.conftest import ROOT, music

SMALL = "vgg-12k-48-x10-db"
EVERY = TagRequest(top=0, merge=False)


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger(SMALL)


@pytest.mark.parametrize("name", [n for n, file in models().items() if "mtat" in file.metadata.vocabularies])
def test_the_example_sounds_like_what_it_is(name: str, song: Path) -> None:
    """It is a guitar with two bowed strings: see examples/compose.py."""
    tags = [tag for tag, _ in Tagger(name).tag(song, TagRequest(vocabulary="mtat", top=9)).tags]
    assert "guitar" in tags[:2]
    assert "strings" in tags  # the ninth with 24 bands and 96 at x1, among the first six with all others


def test_scores_are_the_mean_over_segments_of_the_ladder(tagger: Tagger, song: Path) -> None:
    model = load(SMALL)
    mel = log_mel(decode(song, 12000), model.metadata.config)
    frames = model.metadata.frames
    assert frames < mel.shape[1] < 2 * frames
    scores, _ = model(np.stack([mel[:, :frames], mel[:, -frames:]]))
    result = tagger.tag(song, TagRequest(top=0, vocabulary="mtat", merge=False))
    assert result.segments == 2
    assert result.scores == pytest.approx(scores.mean(axis=0), abs=1e-5)
    found = dict(result.tags)
    for output, score in zip(model.metadata.outputs, scores.mean(axis=0), strict=True):
        if output.vocabulary == "mtat":
            assert found[output.tag] == pytest.approx(float(score), abs=1e-5)


def test_scores_and_embeddings_come_per_segment(tagger: Tagger, song: Path) -> None:
    found = tagger.scores(song)
    assert found.scores.shape == (2, len(tagger.metadata.outputs))
    assert (found.model, found.sha256) == (SMALL, models()[SMALL].sha256)
    assert found.embeddings.shape == (2, 2048)
    assert not np.array_equal(found.scores[0], found.scores[1])


def test_segments_say_when_they_start(tmp_path: Path) -> None:
    """Silence but for one second of sound, which only the segments that hold it can hear."""
    tagger = Tagger("musicnn-12k-48-x1-db")
    signal = np.zeros(20 * 12000, np.float32)
    signal[12 * 12000 : 13 * 12000] = music(1, 12000)
    soundfile.write(tmp_path / "once.wav", signal, 12000, "FLOAT")
    found = tagger.scores(tmp_path / "once.wav", step=0.25)
    scores, times = found.scores, found.times
    assert scores.shape == (len(times), len(found.outputs))
    assert found.segment_seconds == pytest.approx(139 * 256 / 12000)
    assert times[0] == 0
    np.testing.assert_allclose(np.diff(times)[:-1], 12 * 256 / 12000)
    assert times[-1] == pytest.approx(20 - 139 * 256 / 12000)
    heard = np.abs(scores - scores[0]).max(axis=1) > 1e-3
    assert times[heard].min() == pytest.approx(9.1, abs=0.3)
    assert times[heard].max() == pytest.approx(12.9, abs=0.3)
    whole = tagger.scores(tmp_path / "once.wav")
    np.testing.assert_allclose(whole.times, [*np.arange(6) * 140 * 256 / 12000, times[-1]])
    np.testing.assert_allclose(whole.scores[-1], scores[-1], atol=1e-5)


def test_times_of_an_excerpt_are_those_of_the_file(tagger: Tagger, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", music(90, 12000), 12000, "FLOAT")
    assert tagger.scores(tmp_path / "song.wav", excerpt=29.1).times == pytest.approx(30.45)
    assert tagger.scores(tmp_path / "song.wav").times[-1] == pytest.approx(90 - 29.12)


@pytest.mark.parametrize("step", [0, -1, 0.05, 30, float("nan"), float("inf")])
def test_a_step_is_of_a_frame_to_a_segment(tagger: Tagger, song: Path, step: float) -> None:
    with pytest.raises(ValueError, match=r"The step is .* s\. Use one from 0\.213 s, .* to 29\.23 s"):
        tagger.scores(song, step=step)


def test_a_short_file_is_one_segment(tagger: Tagger, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", music(2, 12000), 12000, "FLOAT")
    found = tagger.scores(tmp_path / "short.wav", step=1)
    assert (len(found.scores), found.times.tolist()) == (1, [0.0])


def test_an_embedding_is_the_mean_over_the_segments(tagger: Tagger, song: Path) -> None:
    embedding = tagger.embed(song)
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(embedding, tagger.scores(song).embeddings.mean(axis=0), rtol=1e-5)
    found = tagger.tag(song, TagRequest(embed="segments"))
    assert found.embedding is not None
    assert found.times is not None
    assert (found.embedding.shape, found.times.shape) == ((2, 2048), (2,))


def test_top(tagger: Tagger, song: Path) -> None:
    every = tagger.tag(song, TagRequest(top=0)).tags
    assert list(every) == sorted(every, key=lambda tag: -tag.score)
    assert tagger.tag(song, TagRequest(top=3)).tags == every[:3]


def test_the_study_s_excerpt_is_one_segment_without_a_word(tagger: Tagger, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", music(29.1, 16000), 16000)
    result = tagger.tag(tmp_path / "clip.wav")
    assert result.segments == 1
    assert result.warnings == ()
    assert result.duration == pytest.approx(29.1)


def test_a_short_file_is_repeated_and_says_so(tagger: Tagger, tmp_path: Path) -> None:
    short = music(0.2, 12000)
    soundfile.write(tmp_path / "short.wav", short, 12000, "FLOAT")
    soundfile.write(tmp_path / "repeated.wav", np.resize(short, 1365 * 256), 12000, "FLOAT")
    result = tagger.tag(tmp_path / "short.wav")
    assert result.segments == 1
    assert result.warnings == ("0.2 s is less than one segment of 29.1 s: repeated to fill it",)
    # The offset that is removed is that of the whole file, so that the two differ by a hair.
    assert result.scores == pytest.approx(tagger.tag(tmp_path / "repeated.wav").scores, abs=0.05)


def test_a_long_sound_is_the_mean_of_its_parts(tagger: Tagger) -> None:
    """Two segments, and each of them alone: with silence between them, the same frames."""
    config = tagger.metadata.config
    frame = HOP * config.hop
    each = config.frames * frame
    both = np.concatenate([music(each / config.sr, config.sr, seed) for seed in (1, 2)])[:-1]
    both[each - frame : each + frame] = 0
    parts = both[: each - 1], both[each:], both
    first, second, whole = (tagger.tag((part, config.sr)) for part in parts)
    assert (first.segments, second.segments, whole.segments) == (1, 1, 2)
    assert whole.scores is not None and first.scores is not None and second.scores is not None
    assert whole.scores == pytest.approx((first.scores + second.scores) / 2, abs=0.02)


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Files of 1 and of 20 minutes."""
    folder = tmp_path_factory.mktemp("hours")
    paths = {minutes: folder / f"{minutes}.flac" for minutes in (1, 20)}
    for minutes, path in paths.items():
        with soundfile.SoundFile(path, "w", 12000, 1) as file:
            for minute in range(minutes):
                file.write(0.1 * music(60, 12000, minute))
    return paths


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc to read peak memory from")
def test_memory_does_not_grow_with_the_length_of_a_file(hours: dict[int, Path]) -> None:
    code = f"""
import re, sys
from autotag import Tagger
print(Tagger("{SMALL}", threads=1).tag(sys.argv[1]).segments)
print(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
"""
    peaks = {}
    for minutes, path in hours.items():
        command = [sys.executable, "-c", code, str(path)]
        run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        segments, kilobytes = map(int, run.stdout.split())
        assert segments == -(-minutes * 60 * 12000 // (1366 * 256))
        peaks[minutes] = kilobytes / 1000
    assert peaks[20] < peaks[1] + 40


def test_scores_of_a_long_file_are_those_of_its_segments(tagger: Tagger, hours: dict[int, Path]) -> None:
    model = load(SMALL)
    mel = log_mel(decode(hours[20], 12000), model.metadata.config)
    frames = model.metadata.frames
    whole = mel.shape[1] // frames
    cut = [*np.split(mel[:, : whole * frames], whole, axis=1), mel[:, -frames:]]
    scores = np.concatenate([model(np.stack([segment]))[0] for segment in cut])
    # INT8 turns a last bit of the front-end, which differs between BLAS kernels, into up to 0.02.
    np.testing.assert_allclose(tagger.scores(hours[20]).scores, scores, atol=0.03)
    assert tagger.tag(hours[20]).scores == pytest.approx(scores.mean(axis=0), abs=0.03)


def test_an_excerpt_is_tagged_as_if_it_were_the_file(tagger: Tagger, tmp_path: Path) -> None:
    signal = music(90, 12000)
    soundfile.write(tmp_path / "whole.wav", signal, 12000, "FLOAT")
    middle = signal[(len(signal) - 349200) // 2 :][:349200]
    soundfile.write(tmp_path / "middle.wav", middle, 12000, "FLOAT")
    result = tagger.tag(tmp_path / "whole.wav", TagRequest(excerpt=29.1))
    assert result.tags == tagger.tag(tmp_path / "middle.wav").tags
    assert (result.segments, result.warnings) == (1, ())
    assert result.excerpt == pytest.approx(29.1)
    assert result.duration == pytest.approx(90)
    assert list(result.to_dict())[4:7] == ["duration", "excerpt", "segments"]
    (short,) = tagger.tag_all([tmp_path / "middle.wav"], TagRequest(excerpt=60))
    assert isinstance(short, Result)
    assert short.excerpt is None
    assert "excerpt" not in short.to_dict()
    # Less than a segment is repeated, but who asks for that need not be told.
    assert tagger.tag(tmp_path / "whole.wav", TagRequest(excerpt=3)).warnings == ()


def test_the_same_music_in_every_rate_and_channel_count_has_the_same_tags(
    tagger: Tagger, tmp_path: Path
) -> None:
    results = []
    for sr, channels in ((12000, 1), (44100, 2), (192000, 1), (48000, 8)):
        # No noise, which would reach higher at a higher rate.
        t = np.arange(29 * sr) / sr
        tone = 0.3 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sin(2 * np.pi * 660 * t)
        soundfile.write(tmp_path / "song.wav", np.tile(tone[:, None], channels), sr, "FLOAT")
        results.append(dict(tagger.tag(tmp_path / "song.wav", EVERY).tags))
    for other in results[1:]:
        for tag, score in results[0].items():
            assert other[tag] == pytest.approx(score, abs=0.05)


def test_a_bad_file_raises_alone_and_is_a_value_among_many(tagger: Tagger, song: Path) -> None:
    with pytest.raises(AudioNotFound):
        tagger.tag("none.mp3")
    with pytest.raises(FileNotFoundError):
        tagger.tag("none.mp3")
    results = list(tagger.tag_all(["none.mp3", song]))
    assert results[0] == Failure("none.mp3", "AudioNotFound", "none.mp3: no such file")
    assert isinstance(results[1], Result)


def test_a_tagger_shows_its_model_and_travels_as_it(tagger: Tagger, song: Path) -> None:
    assert repr(tagger) == f"Tagger('{SMALL}')"
    assert pickle.loads(pickle.dumps(tagger)).tag(song).tags == tagger.tag(song).tags
    with get_context("spawn").Pool(1) as pool:
        (there,) = pool.map(tagger.tag, [song])
    assert there.tags == tagger.tag(song).tags


def test_one_name_is_one_file_and_a_bad_entry_is_a_failure_of_its_own(tagger: Tagger, song: Path) -> None:
    data = song.read_bytes()
    one = str(song), np.str_(song), song, data, bytearray(data), io.BytesIO(data)
    for sound in (*one, (music(30, 12000), 12000), (music(30, 12000), np.int64(12000))):
        assert [outcome.ok for outcome in tagger.tag_all(sound)] == [True]  # type: ignore[arg-type]
    assert [outcome.ok for outcome in tagger.tag_all((str(song), song))] == [
        True,
        True,
    ]  # no sound and a rate
    for entry in (None, float("nan"), 7):
        bad, good = tagger.tag_all([entry, song])  # type: ignore[list-item]
        assert (bad.ok, good.ok) == (False, True)


def test_the_default_is_the_documented_one() -> None:
    assert Tagger().metadata.name == DEFAULT.name
    assert Tagger(Config(mels=48, hop=10)).metadata.name == SMALL


def test_milliseconds_are_positive(tagger: Tagger, song: Path) -> None:
    ms = tagger.tag(song).ms
    assert set(ms) == {"decode", "mel", "model"}
    assert all(value > 0 for value in ms.values())
