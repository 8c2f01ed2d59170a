"""A network in full width, from a data set to tags, each step a process as its user starts it."""

import json
from pathlib import Path

import numpy as np
import pytest

from autotag.audio.mel import compress
from autotag.config import Config
from autotag.models.model import Model
from tests.conftest import SONG, Run
from train.data import read
from train.data.cache import mel_power

CONFIG = Config(hop=10)


@pytest.mark.slow
def test_from_clips_to_a_small_model_that_scores_as_the_large_one(
    data: Path, cache: Path, train: Run, autotag: Run, tmp_path: Path
) -> None:
    run, models = tmp_path / CONFIG.name / "seed-0", tmp_path / "models"
    small, large = models / f"{CONFIG.name}.onnx", run / f"{CONFIG.name}.fp32.onnx"
    clips, kept = ["--data", data], ["--cache", cache]
    soft = ["--recipe", "soft", "--labels", "soft", "--epochs", 2]
    fitted = train("fit", CONFIG.name, *clips, *soft, *kept, "--work", tmp_path)
    assert (fitted.returncode, fitted.stdout.strip()) == (0, str(run)), fitted.stderr
    exported = train("export", run, "--models", models, *kept)
    assert (exported.returncode, exported.stdout.strip()) == (0, str(small)), exported.stderr
    assert json.loads((run / "result.json").read_text())["gmac"] == 0.4925
    assert small.stat().st_size < 8e6 < 0.3 * large.stat().st_size
    power, _ = mel_power(read(data), CONFIG, cache)
    segments = compress(power[12:, :, ::10], "db")  # the clips it was not trained on
    exact, _ = Model(large)(segments)
    found, _ = Model(small)(segments)
    assert 0 < np.abs(found - exact).mean() < 0.01
    run_of_it = autotag(SONG, "--model", CONFIG.name, "--format", "jsonl", AUTOTAG_MODELS=str(models))
    assert json.loads(run_of_it.stdout)["model"] == CONFIG.name
