"""From a data set to tags: fit, kill, resume, evaluate, export, tag."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autotag.config import Config
from autotag.models.model import Model
from tests.conftest import ROOT, SONG, Run
from train.data import read
from train.data.cache import mel_power
from train.errors import DataError, RunError
from train.export.publish import to_fp32
from train.export.to_onnx import parity, write_metadata
from train.fit import run as runs
from train.fit.loop import fit
from train.fit.recipe import RECIPES, Recipe
from train.measure.evaluate import evaluate_split
from train.measure.metrics import evaluate_outputs
from train.networks import build, cost

pytestmark = pytest.mark.usefixtures("narrow")

NAME = "vgg-12k-48-x10-db"
SEGMENTED = "musicnn-12k-48-x1-db"

EPOCHS = 20
"""So many that a run is not over before it is killed."""


@pytest.fixture(scope="module")
def work(data: Path, cache: Path, here: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run."""
    work = tmp_path_factory.mktemp("runs")
    run = here(*fit_command(data, cache, work))
    assert run.returncode == 0, run.stderr
    assert re.search(r"too few .* clips for an AUC: \d+ of 50 in valid, \d+ of 50 in test \(-v", run.stderr)
    assert "no AUC in valid" not in run.stderr, "names are details"
    assert run.stdout.strip() == str(work / NAME / "seed-0")
    return work


def fit_command(data: Path, cache: Path, work: Path) -> list[str]:
    options = ["--recipe", "soft", "--labels", "soft", "--epochs", str(EPOCHS)]
    return ["fit", NAME, "--data", str(data), *options, "--cache", str(cache), "--work", str(work)]


def metrics_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def losses(run: Path) -> list[float]:
    return [line["loss"] for line in metrics_of(run)]


@pytest.mark.slow
def test_a_run_learns(data: Path, cache: Path, tmp_path: Path) -> None:
    """By heart, from labels made of chance: there is nothing else to learn in this data set."""
    fit(Config.parse(NAME), read(data), cache, tmp_path, Recipe(epochs=20, batch=4, rate=3e-3), "cpu")
    first, *_, last = losses(tmp_path)
    assert last < 0.8 * first
    valid = [line["valid_loss"] for line in metrics_of(tmp_path)]
    assert torch.load(tmp_path / "best.pt")["epoch"] == 1 + int(np.argmin(valid)), "the best epoch is kept"
    assert np.argmin(valid) < 19, "which this data set has before the last, or nothing was tested"


@pytest.mark.slow
def test_a_processor_without_bfloat16_trains_in_float32(
    data: Path, cache: Path, narrow_train: Run, tmp_path: Path
) -> None:
    """The same one, told to use none of its instructions beyond AVX2."""
    command = fit_command(data, cache, tmp_path)
    run = narrow_train(*command, "--epochs", "1", ONEDNN_MAX_CPU_ISA="AVX2")
    assert run.returncode == 0, run.stderr
    assert re.search(rf"{NAME}: trains on .* CPU, \d+ threads in float32\n", run.stderr)
    outcome = json.loads((tmp_path / NAME / "seed-0" / "result.json").read_text())
    assert outcome["precision"] == "float32"
    peaks = json.loads((tmp_path / "peaks.json").read_text())
    assert list(peaks.values()) == [outcome["peak_gmac_per_second"]], "once for a folder of runs"


def test_a_complete_run_says_what_came_of_it(data: Path, work: Path) -> None:
    run = work / NAME / "seed-0"
    outcome = json.loads((run / "result.json").read_text())
    assert outcome["clips"] == outcome["listed"] == {"train": 12, "valid": 5, "test": 7}
    assert outcome["gmac"] == round(cost(Config.parse(NAME))[0] / 1e9, 4)
    assert outcome["bytes_per_clip"] == 4 * 48 * 137
    assert outcome["recipe"]["labels"] == "soft"
    assert outcome["seconds"] == pytest.approx(sum(line["seconds"] for line in metrics_of(run)), abs=0.1)
    seconds = sum(line["seconds"] for line in metrics_of(run))
    assert outcome["clips_per_second"] == pytest.approx(12 * EPOCHS / seconds, abs=0.01)
    predictions = np.load(run / "predictions.npz")
    rows = predictions["split"] == "test"
    dataset = read(data, "soft")
    assert predictions["paths"][rows].tolist() == [
        path for path, split in zip(dataset.paths, dataset.split, strict=True) if split == "test"
    ]
    target = dataset.target[dataset.split == "test"]
    found = evaluate_outputs(dataset.outputs, predictions["truth"][rows], target, predictions["scores"][rows])
    assert found == pytest.approx(outcome["metrics"]["test"])
    assert outcome["undefined"]["valid"], "five clips and fifty tags"
    assert len(outcome["undefined"]["valid"]) == 50 - outcome["metrics"]["valid"]["tags"]
    assert runs.result(run) == runs.RunResult.from_dict(outcome)


def test_a_result_of_an_older_version_is_read(work: Path, tmp_path: Path) -> None:
    found = json.loads((work / NAME / "seed-0" / "result.json").read_text())
    older = {name: value for name, value in found.items() if name not in ("metrics", "kind", "precision")}
    older |= {"scores": found["metrics"], "dataset": {"kind": found["kind"], "name": found["dataset"]}}
    for name in ("decay", "whole", "hints", "known"):
        del older["recipe"][name]
    (tmp_path / "result.json").write_text(json.dumps(older))
    result = runs.result(tmp_path)
    assert result is not None
    assert (result.kind, result.dataset, result.metrics) == ("mtat", found["dataset"], found["metrics"])
    assert (result.recipe.epochs, result.recipe.whole, result.precision) == (EPOCHS, False, "unknown")


@pytest.mark.parametrize(("batch", "steps", "rough"), [(6, 2, 0), (11, 1, 0.1)])
def test_the_schedule_ends_at_nothing_though_a_clip_is_left_over(
    batch: int,
    steps: int,
    rough: float,
    data: Path,
    cache: Path,
    tmp_path: Path,
    rates: list[float],
) -> None:
    recipe = Recipe(epochs=5, batch=batch, one_cycle=True)
    fit(Config.parse(NAME), read(data), cache, tmp_path, recipe, "cpu")
    assert len(rates) == 5 * steps
    assert max(rates) == pytest.approx(recipe.rate, rel=rough)
    assert rates[-1] < max(rough, 1e-4) * recipe.rate


@pytest.mark.parametrize(
    ("name", "step"),
    [(NAME, "loop.augment"), (NAME, "loop.hint_loss"), (SEGMENTED, "clips.Places.__iter__")],
)
def test_every_step_of_the_recipe_is_taken(
    name: str, step: str, data: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TakenError(Exception):
        pass

    def stop(*_: object) -> None:
        raise TakenError

    monkeypatch.setattr(f"train.fit.{step}", stop)
    with pytest.raises(TakenError):
        fit(Config.parse(name), read(data, "soft"), cache, tmp_path, RECIPES["soft"], "cpu")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX signal")
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    data: Path, cache: Path, work: Path, here: Run, tmp_path: Path
) -> None:
    command = fit_command(data, cache, tmp_path)
    run, whole = tmp_path / NAME / "seed-0", work / NAME / "seed-0"
    with subprocess.Popen([sys.executable, "-m", "tests.train.narrow", *command], cwd=ROOT) as process:
        while not (run / "last.pt").exists() and process.poll() is None:
            time.sleep(0.05)
        process.kill()
    assert len(losses(run)) < EPOCHS
    resumed = here(*command)
    assert resumed.returncode == 0
    assert '"epoch": 1,' not in resumed.stderr, "it began again"
    assert f'"epoch": {EPOCHS},' in resumed.stderr
    assert losses(run) == losses(whole)
    assert np.array_equal(*(np.load(folder / "predictions.npz")["scores"] for folder in (run, whole)))
    ends = [torch.load(folder / "best.pt")["model"] for folder in (run, whole)]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])
    again = here(*command)
    assert again.returncode == 0
    assert '"epoch"' not in again.stderr, "a complete run is left alone"


@pytest.mark.slow
def test_musicnn_goes_the_same_way(data: Path, cache: Path, here: Run, autotag: Run, tmp_path: Path) -> None:
    """Random segments of 3 s in training, the mean over all of a clip's in evaluation and tagging."""
    name = SEGMENTED
    options = ["--cache", cache, "--work", tmp_path]
    soft = ["--recipe", "soft", "--labels", "soft"]
    run = here("fit", name, "--data", data, *soft, "--epochs", 1, *options)
    assert run.returncode == 0, run.stderr
    run = here("export", tmp_path / name / "seed-0", "--models", tmp_path / "models", *options)
    assert run.returncode == 0, run.stderr
    path = tmp_path / "models" / f"{name}.onnx"
    assert {split["clips"] for split in Model(path).metadata.metrics["int8"].values()} == {5, 7}
    (found,) = json.loads(autotag(SONG, "--model", path, "--format", "json").stdout)
    assert found["segments"] == 11


def test_the_report_on_it(data: Path, work: Path, here: Run, tmp_path: Path) -> None:
    run = here("report", work, "--out", tmp_path)
    assert run.returncode == 0, run.stderr
    text = (tmp_path / "report.md").read_text("utf-8")
    assert text.startswith(f"# Not MagnaTagATune: the study on `{data.name}`, 12 / 5 / 7 clips")
    outcome = json.loads((work / NAME / "seed-0" / "result.json").read_text())
    assert f"| {NAME} | 1 |  | {100 * outcome['metrics']['test']['roc_auc']:.2f} |  |" in text
    assert "| needs two runs or more of both |" in text


def test_labels_that_cannot_be_measured(data: Path, cache: Path, tmp_path: Path) -> None:
    dataset = read(data)
    nothing = replace(dataset, truth=np.zeros_like(dataset.truth))
    with pytest.raises(DataError, match="no tag has both positive and negative clips in split 'valid'"):
        fit(Config.parse(NAME), nothing, cache, tmp_path, Recipe(), "cpu")
    all_to_train = replace(dataset, split=np.full_like(dataset.split, "train"))
    with pytest.raises(DataError, match="24 / 0 / 0 clips to train / validate / test on"):
        fit(Config.parse(NAME), all_to_train, cache, tmp_path, Recipe(), "cpu")


def test_other_clips_are_another_run(
    data: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, dataset, recipe = Config.parse(NAME), read(data), Recipe(epochs=2)
    fewer = replace(dataset, left_out={dataset.paths[0]: "missing"})
    interrupt(fit, config, dataset, cache, tmp_path, recipe, "cpu", monkeypatch=monkeypatch)
    with pytest.raises(RunError, match=r"the clips or labels of .* have changed since it was begun"):
        fit(config, fewer, cache, tmp_path, recipe, "cpu")
    fit(config, dataset, cache, tmp_path, recipe, "cpu")
    with pytest.raises(RunError, match="are no longer those it was trained on"):
        to_fp32(tmp_path, fewer, cache)


def test_a_loss_that_is_not_finite(data: Path, cache: Path, tmp_path: Path) -> None:
    dataset = read(data)
    nonsense = replace(dataset, target=np.full_like(dataset.target, np.nan))
    with pytest.raises(RunError, match="epoch 1 ends in numbers that are not finite"):
        fit(Config.parse(NAME), nonsense, cache, tmp_path, Recipe(epochs=1), "cpu")


@pytest.mark.slow
def test_other_processes_read_for_a_gpu_and_a_resumed_run_is_the_same(
    data: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a GPU, which is not at hand: processes that read the cache, killed between two epochs.

    It ends as a run does whose own process reads.
    """
    arguments = Config.parse(NAME), read(data, "soft"), cache
    recipe = replace(RECIPES["soft"], epochs=3, batch=4)
    fit(*arguments, tmp_path / "whole", recipe, "cpu")
    monkeypatch.setattr("train.fit.loop.readers", lambda _: 1)
    interrupt(fit, *arguments, tmp_path / "part", recipe, "cpu", monkeypatch=monkeypatch)
    assert len(losses(tmp_path / "part")) == 1
    fit(*arguments, tmp_path / "part", recipe, "cpu")
    assert losses(tmp_path / "part") == losses(tmp_path / "whole")


def interrupt(call: Callable[..., None], *arguments: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt `fit` when it has saved its first epoch."""
    save = runs.save

    def interrupted(path: Path, state: dict[str, Any]) -> None:
        save(path, state)
        if path.name == "last.pt":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("train.fit.run.save", interrupted)
        call(*arguments)


def test_a_device_that_is_not_there(data: Path, cache: Path, here: Run, tmp_path: Path) -> None:
    where = ["--cache", cache, "--work", tmp_path]
    run = here("fit", NAME, "--data", data, *where, "--device", "abacus")
    assert run.returncode == 2
    assert "error: --device abacus: " in run.stderr


def test_another_recipe_does_not_overwrite_a_run(data: Path, cache: Path, work: Path, here: Run) -> None:
    run = here("fit", NAME, "--data", data, "--cache", cache, "--work", work)
    assert run.returncode == 2
    assert "holds another run" in run.stderr
    assert "Choose another --work folder" in run.stderr


@pytest.fixture(scope="module")
def models(cache: Path, work: Path, here: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with the run's export."""
    models = tmp_path_factory.mktemp("models")
    words = ["--dataset", "24 clips of noise", "--label-source", "chance"]
    run = here("export", work / NAME / "seed-0", "--models", models, "--cache", cache, *words)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(models / f"{NAME}.onnx")
    return models


def test_the_export_says_what_it_is(work: Path, models: Path) -> None:
    metadata = Model(models / f"{NAME}.onnx").metadata
    assert metadata.config == Config.parse(NAME)
    assert metadata.dataset == "24 clips of noise"
    assert metadata.label_source == "chance"
    assert metadata.licence == "not stated"
    assert re.fullmatch(r"[0-9a-f]{7,}(-dirty)?|unknown", metadata.commit)
    listed = json.loads((models / "manifest.json").read_text())[NAME]
    assert listed["sha256"] == hashlib.sha256((models / f"{NAME}.onnx").read_bytes()).hexdigest()
    assert [path.name for path in sorted(models.iterdir())] == ["manifest.json", f"{NAME}.onnx"]
    assert metadata.precision == "int8"
    assert metadata.gmac == round(cost(metadata.config)[0] / 1e9, 4)
    assert {split["clips"] for split in metadata.metrics["int8"].values()} == {5, 7}
    fp32 = Model(work / NAME / "seed-0" / f"{NAME}.fp32.onnx").metadata
    assert fp32.precision == "fp32"
    assert fp32.metrics == metadata.metrics


def test_evaluate_prints_what_the_export_measured(data: Path, cache: Path, models: Path, here: Run) -> None:
    path = models / f"{NAME}.onnx"
    run = here("evaluate", path, "--data", data, "--cache", cache, "--split", "valid", "--labels", "soft")
    expected = Model(path).metadata.metrics["int8"]["valid"]
    found = json.loads(run.stdout)
    asked = {key: found.pop(key) for key in ("model", "precision", "split", "labels", "resampled")}
    assert asked == {
        "model": NAME,
        "precision": "int8",
        "split": "valid",
        "labels": "soft",
        "resampled": "5 clips",
    }
    low, high = found.pop("intervals")["mtat"]["roc_auc"]
    assert low <= found["roc_auc"] <= high
    tags = found.pop("by_tag")
    assert [row[:2] for row in tags[:2]] == [["mtat", "guitar"], ["mtat", "classical"]]
    measured = [row for row in tags if row[3] is not None]
    assert len(measured) == found["tags"]
    assert np.mean([row[3] for row in measured]) == pytest.approx(found["roc_auc"], abs=1e-4)
    assert all(low <= roc <= high for *_, roc, _, (low, high), _ in measured)
    assert found == pytest.approx(expected)
    assert {"roc_auc", "pr_auc", "tags", "clips", "top5", "first3", "mean_abs_difference"} == set(expected)


def test_a_malformed_manifest_is_refused_before_the_work(work: Path, here: Run, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    run = here("export", work / NAME / "seed-0", "--models", tmp_path)
    assert run.returncode == 2
    assert "manifest.json: not a manifest of models" in run.stderr


def test_a_model_with_other_tags_is_not_evaluated(
    data: Path, cache: Path, models: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(models / f"{NAME}.onnx", tmp_path / "other.onnx"))
    metadata = Model(path).metadata
    write_metadata(path, replace(metadata, outputs=tuple(reversed(metadata.outputs)), uncalibrated=()))
    power, usable = mel_power(read(data), metadata.config, cache)
    with pytest.raises(DataError, match=r"its labels 'soft-msd' lack 50 outputs of .*mtat:.*--labels"):
        evaluate_split(Model(path), read(data, "soft-msd"), power, usable, "valid")
    other, own = (
        evaluate_split(Model(file), read(data), power, usable, "valid")
        for file in (path, models / f"{NAME}.onnx")
    )
    assert other["roc_auc"] != own["roc_auc"], "columns are found by name, not by place"


def test_the_product_finds_the_exported_model(models: Path, autotag: Run) -> None:
    run = autotag(SONG, "--hop", "x10", "--format", "jsonl", AUTOTAG_MODELS=str(models))
    assert json.loads(run.stdout)["model"] == NAME
    own = autotag(SONG, "--hop", "x10", "--format", "jsonl").stdout
    assert json.loads(own)["tags"] != json.loads(run.stdout)["tags"]


def test_an_export_that_differs_is_refused(work: Path, models: Path) -> None:
    run = work / NAME / "seed-0"
    network = build(Config.parse(NAME))
    network.load_state_dict(torch.load(run / "best.pt")["model"])
    with torch.no_grad():
        next(reversed(list(network.parameters()))).add_(1)
    mel = np.zeros((1, 48, 137), np.float32)
    with pytest.raises(RunError, match=r"torch and ONNX differ by \d\.\de-0[1-3], over 0\.0001"):
        parity(network, Model(run / f"{NAME}.fp32.onnx"), mel)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fit", NAME, "--data", "nowhere"], 2, "nowhere: no data set: it should hold annotations_final.csv"),
        (["fit", "vgg-12k-47-x2-db", "--data", "nowhere"], 2, "Use 128, 96, 48"),
        (["fit", NAME, "--data", "nowhere", "--recipe", "x"], 2, "'study', 'soft'"),
        (["evaluate", "none.onnx", "--data", "nowhere"], 2, "none.onnx: cannot be read"),
        (
            ["evaluate", NAME, "--data", "nowhere"],
            2,
            "nowhere: no data set: it should hold annotations_final.csv",
        ),
        (
            ["export", "nowhere"],
            2,
            "nowhere/run.json: no such file. 'python -m train fit' or 'study' makes it.",
        ),
    ],
)
def test_a_wrong_request_says_what_is_wrong(here: Run, arguments: list[str], code: int, message: str) -> None:
    run = here(*arguments)
    assert run.returncode == code
    assert message in run.stderr.replace(os.sep, "/")


def test_a_process_ends_with_the_code_and_the_message_alone(train: Run) -> None:
    run = train("evaluate", "none.onnx", "--data", "nowhere")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: none.onnx: cannot be read")
    assert "Traceback" not in run.stderr
