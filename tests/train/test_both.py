"""One network for both vocabularies: trained with hints, calibrated, exported, measured."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autotag.audio.mel import compress
from autotag.config import Config
from autotag.models.model import Model
from tests.conftest import SONG, Run
from train.data import read
from train.data.cache import mel_power
from train.data.dataset import Dataset
from train.export.publish import Words, export
from train.fit import run as runs
from train.fit.loop import fit
from train.fit.recipe import RECIPES
from train.report.card import card
from train.report.measured import MEASURED

pytestmark = pytest.mark.usefixtures("narrow")

CONFIG = Config(hop=10)


@pytest.fixture(scope="module")
def dataset(data: Path) -> Dataset:
    """Both vocabularies; half of the tags begin so low in the label source that they stay as they are."""
    found = read(data, "soft-all")
    assert found.begins is not None
    return replace(found, begins=np.where(np.arange(100) % 2, 0.05, found.begins))


@pytest.fixture(scope="module")
def run(dataset: Dataset, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("both") / CONFIG.name / "seed-0"
    fit(CONFIG, dataset, cache, run, replace(RECIPES["soft"], epochs=2, batch=4), "cpu")
    return run


@pytest.fixture(scope="module")
def models(run: Path, dataset: Dataset, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    export(run, dataset, cache, models, Words())
    return models


def test_a_run_is_measured_by_vocabulary(run: Path) -> None:
    result = runs.result(run)
    assert result is not None
    assert set(result.metrics["test"]) == {"roc_auc", "pr_auc", "tags", "clips", "mtat", "msd"}
    assert set(result.undefined["valid"]) & {"mtat:rock", "msd:rock"}, (
        "names that stand in both are told apart"
    )


def test_the_hints_layer_is_thrown_away(run: Path) -> None:
    weights = torch.load(run / "best.pt")["model"]
    assert not [name for name in weights if "teller" in name]
    assert len(weights["dense.bias"]) == 100


def test_the_model_has_a_hundred_outputs_and_says_which_are_not_calibrated(models: Path) -> None:
    metadata = Model(models / f"{CONFIG.name}.onnx").metadata
    assert metadata.name == CONFIG.name
    assert [metadata.outputs[i] for i in (0, 50)] == [("mtat", "guitar"), ("msd", "rock")]
    assert metadata.uncalibrated == metadata.outputs[1::2]
    assert set(metadata.metrics["int8"]["test"]) >= {"roc_auc", "mtat", "msd"}
    assert metadata.training["recipe"]["whole"]


def test_calibration_is_folded_in_and_leaves_the_others_alone(
    run: Path, dataset: Dataset, cache: Path, models: Path
) -> None:
    """Logits of calibrated outputs are those of the run, stretched and moved; the others are the run's."""
    power, _ = mel_power(dataset, CONFIG, cache)
    cut = compress(power[:12, :, ::10], "db")
    outcome = runs.result(run)
    assert outcome is not None
    scores = Model(run / f"{CONFIG.name}.fp32.onnx")(cut)[0]
    predictions = np.load(run / "predictions.npz")
    rows = np.flatnonzero(dataset.split == "valid")
    now = Model(run / f"{CONFIG.name}.fp32.onnx")(compress(power[rows][:, :, ::10], "db"))[0]
    before = predictions["scores"][predictions["split"] == "valid"]
    np.testing.assert_allclose(now[:, 1::2], before[:, 1::2], atol=1e-4)
    assert np.abs(now[:, ::2] - before[:, ::2]).max() > 1e-3
    assert scores.shape == (12, 100)


@pytest.mark.slow
def test_the_card_says_what_was_measured(
    models: Path, data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: a model that has not changed is not measured again."""
    noise = {"silence": [], "white noise": [("weird", 0.1)]}
    monkeypatch.setattr("train.report.measured.heard", lambda taggers: [noise for _ in taggers])
    monkeypatch.setattr("train.report.measured.ROUNDS", 1)
    monkeypatch.setattr("train.measure.intervals.RESAMPLES", 20)
    monkeypatch.setattr("train.measure.robustness.EVERY", 1)
    text = card(models, data, None, cache).read_text("utf-8")
    measured = json.loads((models / MEASURED).read_text())[CONFIG.name]
    for vocabulary in ("mtat", "msd"):
        found, (low, high) = measured["test"][vocabulary], measured["intervals"][vocabulary]["roc_auc"]
        assert low <= found["roc_auc"] <= high
        assert f"| {CONFIG.name} | {vocabulary} | {found['roc_auc']:.3f} ({low:.3f} to {high:.3f}) |" in text
    stored = dict(Model(models / f"{CONFIG.name}.onnx").metadata.metrics["int8"]["test"])
    drawn = stored.pop("resampled")
    assert 150 < len(drawn["roc_auc"]) == len(drawn["pr_auc"]) <= 200, "some of seven clips have no AUC"
    assert min(drawn["roc_auc"]) <= stored["roc_auc"] <= max(drawn["roc_auc"])
    assert measured["test"] == stored
    assert f"| {CONFIG.name} | refused | weird 0.10 |" in text
    assert "| mtat | classical |" in text, "tag by tag"
    assert not re.search(r"\{[a-z]+\}", text), "no table is missing"
    assert "(reliability.svg)" in text and (models / "reliability.svg").exists()
    monkeypatch.setattr("train.report.measured._figures", None)
    assert card(models, data, None, cache).exists()


def test_the_product_shows_one_vocabulary_or_both(models: Path, autotag: Run) -> None:
    path = models / f"{CONFIG.name}.onnx"
    for vocabulary, count in (("mtat", 50), ("msd", 50), ("all", 92)):
        options = ["--vocabulary", vocabulary, "--top", 0, "--format", "json"]
        (found,) = json.loads(autotag(SONG, "--model", path, *options).stdout)
        assert 0 < len(found["tags"]) <= count
