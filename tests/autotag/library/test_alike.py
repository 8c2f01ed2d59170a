"""What sounds alike, and copies of one recording as one entry."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from autotag.audio.content import AudioInput
from autotag.errors import AudioError, LibraryError
from autotag.library.alike import SAME, duplicates, similar
from autotag.library.database import Library
from autotag.library.vectors import compact, cosines
from autotag.result import Result
from tests.autotag.library.made import SMALL, model_of, track, write_song
from tests.conftest import Run, music

MODEL = model_of()


def near(path: str, angle: float, duration: float, seed: int = 0) -> Result:
    """A track whose embedding has such an angle, in a plane of its own, to that of the same seed."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((2048, 2)))[0]
    vector = (np.cos(angle) * axes[:, 0] + np.sin(angle) * axes[:, 1]).astype(np.float32)
    return replace(track(path, MODEL, duration=duration), embedding=vector)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "library.sqlite"
    with Library(path, MODEL) as made:
        made.write(near("/song.flac", 0, 200))
        made.write(near("/song.mp3", 0.05, 200.5))
        made.write(near("/song live.flac", 0.05, 230))
        made.write(near("/other.flac", 1.0, 180))
        made.write(near("/other.mp3", 1.05, 181))
        made.write(near("/third.flac", 0, 100, seed=9))
    return path


def test_copies_of_a_recording_are_one_entry(library: Path) -> None:
    with Library(library) as opened:
        found = similar(opened, "/song.flac")
        assert [track.path for track in found] == ["/song live.flac", "/other.flac", "/third.flac"]
        assert found[1].copies == ("/other.mp3",)
        assert found[0].score > SAME
        everything = similar(opened, Path("/song.flac"), copies=True)
        assert [track.path for track in everything][:2] == ["/song.mp3", "/song live.flac"]
        assert len(everything) == 5
        assert [track.path for track in similar(opened, "/song.flac", limit=1)] == ["/song live.flac"]
        assert len(similar(opened, "/song.flac", limit=0, copies=True)) == 5
        assert duplicates(opened) == [["/other.flac", "/other.mp3"], ["/song.flac", "/song.mp3"]]


def test_on_the_command_line(autotag: Run, library: Path) -> None:
    run = autotag("similar", "/song.flac", "--library", library)
    assert [line.split(maxsplit=1)[1] for line in run.stdout.splitlines()] == [
        "path",
        "/song live.flac",
        "/other.flac  (and 1 copy)",
        "/third.flac",
    ]
    (_, second, _) = json.loads(autotag("similar", "/song.flac", "--library", library, "--json").stdout)
    assert second["copies"] == ["/other.mp3"]
    run = autotag("stats", "--duplicates", "--library", library)
    assert run.stdout == "/other.flac\n/other.mp3\n\n/song.flac\n/song.mp3\n\n"
    assert "2 recordings have copies, 4 files in all." in run.stderr


@pytest.mark.parametrize("kind", ["path", "bytes", "samples"])
def test_any_sound_may_be_asked_for(autotag: Run, tmp_path: Path, kind: str) -> None:
    songs, library = tmp_path / "songs", tmp_path / "library.sqlite"
    for seed in range(3):
        write_song(songs / f"{seed}.wav", seed, 5)
    autotag("scan", songs, "--library", library, "--model", SMALL)
    samples, rate = music(5, 12000, 1), 12000
    soundfile.write(tmp_path / "again.flac", samples, rate)
    with Library(library) as opened:
        path = tmp_path / "again.flac"
        sound: AudioInput = {"path": path, "bytes": path.read_bytes(), "samples": (samples, rate)}[kind]  # type: ignore[assignment]
        nearest, *_ = similar(opened, sound, copies=True)
        assert nearest.path == str(songs / "1.wav")
        assert nearest.score > 0.99
        assert str(songs / "1.wav") not in [track.path for track in similar(opened, sound)]
        with pytest.raises(AudioError):
            similar(opened, tmp_path / "none.wav")
    with Library(library, replace(model_of(), sha256="b" * 64), force=True):
        pass
    with Library(library) as opened, pytest.raises(LibraryError, match="made with another version of"):
        similar(opened, tmp_path / "again.flac")


def test_a_re_encoding_has_a_cosine_above_the_bound(tmp_path: Path) -> None:
    from autotag.tagger import Tagger

    tagger, samples = Tagger(SMALL), music(10, 44100)
    soundfile.write(tmp_path / "a.wav", samples, 44100)
    first = compact(tagger.embed(tmp_path / "a.wav"))
    soundfile.write(tmp_path / "a.mp3", samples, 44100)
    soundfile.write(tmp_path / "a.ogg", samples, 44100)
    for name in ("a.mp3", "a.ogg"):
        assert cosines(compact(tagger.embed(tmp_path / name)), first)[0] >= SAME
