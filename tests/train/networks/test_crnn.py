"""CRNN, which is no part of the study's grid, goes through every step by its file and its lines in config."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from autotag.audio.mel import compress
from autotag.config import GRID, Config, configurations
from autotag.models.model import Model
from tests.conftest import SONG, Run
from train.data import read
from train.data.cache import mel_power
from train.errors import RunError
from train.networks import build, cost, pooling
from train.networks.crnn import MEL_POOLING, STATE, TIME_POOLING

CONFIGS = configurations("crnn")
SMALL = Config("crnn", hop=10)


def test_it_has_three_resolutions_outside_the_grid() -> None:
    assert {(config.mels, config.hop) for config in CONFIGS} == {(96, 1), (48, 2), (48, 10)}
    assert not {*CONFIGS} & {*GRID}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_one_band_and_some_twenty_steps_remain(config: Config) -> None:
    steps = config.frames
    for pool in TIME_POOLING[config.hop]:
        steps //= pool
    for whole in (False, True):
        with torch.device("meta"):
            network = build(config, 7, whole).eval()
            mel = torch.empty(2, 1, config.mels, config.frames)
        maps = network.get_submodule("blocks")(mel).shape
        assert maps == (2, 128, 1, steps + whole)
        assert 14 <= steps <= 22
        logits, embedding = network(mel)
        assert (logits.shape, embedding.shape) == ((2, 7), (2, STATE))
    assert pooling(config) == (TIME_POOLING[config.hop], MEL_POOLING[config.mels])


def test_the_cost_counted_by_hand() -> None:
    """Maps of 96 x 1366, 48 x 683, 16 x 227 and 4 x 56, and the dense layer."""
    maps = [(96 * 1366, 1, 64), (48 * 683, 64, 128), (16 * 227, 128, 128), (4 * 56, 128, 128)]
    work = sum(9 * size * given * filters for size, given, filters in maps)
    assert cost(Config("crnn", mels=96, hop=1))[0] == work + STATE * 50


def test_a_whole_segment_counts() -> None:
    torch.manual_seed(0)
    network = build(SMALL, 3, whole=True).eval()
    mel = torch.randn(2, 1, SMALL.mels, SMALL.frames)
    with torch.no_grad():
        before = network(mel)[1]
        for edge in (mel[:, :, :, :1], mel[:, :, :, -1:], mel[:, :, :1], mel[:, :, -1:]):
            edge += 50
            assert not torch.equal(network(mel)[1], before)
            edge -= 50


def test_it_cannot_be_restored_and_says_so() -> None:
    with pytest.raises(RunError, match="Begin with the folder of its run"):
        build(SMALL).restore({}, torch.zeros(1, 1, SMALL.mels, SMALL.frames))


@pytest.mark.slow
def test_every_step_knows_it(
    data: Path, cache: Path, here: Run, autotag: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.report.tables.figure_1", lambda *_: None)
    kept = ["--cache", cache, "--work", tmp_path]
    done = here("fit", SMALL.name, "--data", data, "--epochs", 1, *kept)
    assert done.returncode == 0, done.stderr
    run, models = tmp_path / SMALL.name / "seed-0", tmp_path / "models"
    done = here("export", run, "--models", models, *kept)
    assert done.returncode == 0, done.stderr
    done = here("report", tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "1 runs of 0 of 100 configurations, and of 1 outside the study's grid" in text
    assert f"| {SMALL.name} | 1 |  |" in text.split("## Outside the grid of the study")[1].split("##")[0]

    power, _ = mel_power(read(data), SMALL, cache)
    segments = compress(power[12:, :, :: SMALL.hop], SMALL.log)
    exact, small = (
        Model(path)(segments)[0] for path in (run / f"{SMALL.name}.fp32.onnx", models / f"{SMALL.name}.onnx")
    )
    assert 0 < np.abs(exact - small).max() < 0.02
    own = {"AUTOTAG_MODELS": str(models)}
    tagged = autotag(SONG, "--arch", "crnn", "--hop", "x10", "--format", "json", **own)
    assert json.loads(tagged.stdout)[0]["model"] == SMALL.name, tagged.stderr
    timed = autotag("bench", "--models", SMALL.name, "--rounds", 1, **own)
    assert (timed.returncode, SMALL.name in timed.stdout) == (0, True), timed.stderr
