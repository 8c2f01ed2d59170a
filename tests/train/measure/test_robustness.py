"""Disturbed files and known sounds, as the card measures them."""

import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile

from autotag import Tagger
from autotag.errors import SilentAudio
from autotag.models.registry import load
from tests.conftest import music
from train.data import read
from train.errors import RunError
from train.measure import robustness, sounds
from train.measure.robustness import CONDITIONS, RATE

SMALL = "vgg-12k-48-x10-db"


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_writes_a_file_that_still_holds_the_music(name: str, tmp_path: Path) -> None:
    signal = music(5, RATE)
    path = CONDITIONS[name](signal, tmp_path)
    found, rate = soundfile.read(path, always_2d=True)
    assert rate == RATE
    assert len(found) == pytest.approx(len(signal), abs=3000)
    level = 20 * np.log10(found.std() / signal.std())
    expected = {"-20 dB": -20, "+6 dB": 6}.get(name, 0)
    assert level == pytest.approx(expected, abs=0.1 if expected else 3)
    assert found.shape[1] == (2 if "stereo" in name else 1)


def test_bit_rates_are_what_they_say(tmp_path: Path) -> None:
    for kilobits in (64, 320):
        path = CONDITIONS[f"MP3, {kilobits} kbit/s"](music(10, RATE), tmp_path)
        assert path.stat().st_size * 8 / 10 / 1000 == pytest.approx(kilobits, rel=0.03)


def test_every_model_hears_every_condition(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robustness, "EVERY", 1)
    dataset = read(data, "soft-all")
    half = dataset.target > np.median(dataset.target, axis=0)  # so that five clips have enough of each tag
    dataset = replace(dataset, truth=half.astype(np.float32))
    usable = dataset.present
    usable[np.flatnonzero(dataset.split == "test")[:2]] = False
    (found,) = robustness.robustness([load("vgg-12k-96-x2-db")], dataset, usable)
    assert list(found) == ["as it is", *CONDITIONS]
    assert {metrics["clips"] for metrics in found.values()} == {5}
    assert found["44.1 kHz stereo"]["roc_auc"] == pytest.approx(found["as it is"]["roc_auc"], abs=0.05)


def test_noises_are_what_they_are_called(tmp_path: Path) -> None:
    found = dict(islice(sounds.sounds(tmp_path), 6))
    slopes = {}
    for name in ("white noise", "pink noise", "brown noise"):
        signal, rate = soundfile.read(found[name])
        power = np.abs(np.fft.rfft(signal)) ** 2
        low, high = (power[a * 30 : 2 * a * 30].mean() for a in (100, 1600))
        slopes[name] = 10 * np.log10(high / low) / 4  # dB an octave
        assert len(signal) == 30 * rate
    assert slopes == pytest.approx({"white noise": 0, "pink noise": -3, "brown noise": -6}, abs=0.3)
    with pytest.raises(SilentAudio):
        Tagger(SMALL).tag(found["silence"])


def test_a_soundfont_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"none\.sf2: no such soundfont"):
        list(sounds.sounds(tmp_path, tmp_path / "none.sf2"))


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("fluidsynth") and shutil.which("espeak-ng") and sounds.SOUNDFONT.exists()),
    reason="needs fluidsynth, fluid-soundfont-gm and espeak-ng",
)
def test_instruments_sound_and_are_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = list(sounds.sounds(tmp_path))
    names = [name for name, path in made if soundfile.info(path).duration > 5]
    assert {"piano", "choir", "drums", "speech"} <= set(names)
    monkeypatch.setattr(sounds, "sounds", lambda _: iter(made))  # rendering them takes longer than all else
    (said,) = sounds.heard([Tagger(SMALL)])
    assert set(said) == {name for name, _ in made}
    assert said["silence"] == []
    assert all(len(tags) == sounds.TOP for sound, tags in said.items() if sound != "silence")
