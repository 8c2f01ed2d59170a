"""The page of spectrograms of fewer bits, on a small data set and a model that is installed."""

import json
import shutil
from pathlib import Path

import pytest

from autotag.models.registry import select
from tests.conftest import Run
from train.data import read
from train.report import quantised as page
from train.report.quantised import MEASURED, quantised

NAME = "vgg-12k-48-x10-db"


def test_accuracy_against_bytes_is_measured_once(
    data: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "BITS", (8, 1))
    files, dataset = select([NAME]), read(data, "soft-all")
    text = quantised(files, dataset, cache, tmp_path).read_text("utf-8")
    found = json.loads((tmp_path / MEASURED).read_text())
    assert [f"{f['range']} {f['bits']}" for f in found.values()] == [
        " 32",
        *("fixed 8", "fixed 1"),
        "by band 8",
        "by band 1",
    ]
    whole, eight = found[f"{NAME}  32"], found[f"{NAME} by band 8"]
    assert abs(whole["roc_auc"] - eight["roc_auc"]) < 0.05
    low, high = eight["roc_auc lost interval"]
    assert low <= high
    assert eight["roc_auc lost"] == pytest.approx(whole["roc_auc"] - eight["roc_auc"], abs=2e-4)
    assert f"| {NAME} | fixed | 1 | {48 * 137 // 8} |" in text
    assert f"| {NAME} |  | 32 | {4 * 48 * 137:,} |" in text
    assert (tmp_path / "quantised.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(page, "_measured", None)
    assert quantised(files, dataset, cache, tmp_path).exists()


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
def test_runs_on_few_bits_stand_beside_one_on_whole_values(
    data: Path, cache: Path, here: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They begin with its weights; each is compared with the one that was trained as long on whole values."""
    monkeypatch.setattr(page, "BITS", (8,))
    common = ["--data", data, "--cache", cache]
    soft = [*common, "--recipe", "soft", "--epochs", 1]
    whole, few = tmp_path / "whole", tmp_path / "few"
    assert here("fit", NAME, *soft, "--work", whole).returncode == 0
    shutil.copytree(whole / NAME, few / "begun")
    done = here("fit", NAME, *soft, "--work", few, "--bits", 2, "--start", "begun", "--rate", 1e-4)
    assert done.returncode == 0, done.stderr
    recipe = json.loads((few / NAME / "seed-0" / "run.json").read_text())["recipe"]
    assert (recipe["start"], recipe["rate"], recipe["bits"]) == ("begun", 1e-4, 2)
    asked = ["quantise", *common, "--labels", "soft-all", "--only", NAME, "--out", tmp_path]
    done = here(*asked, "--runs", whole, "--runs", few)
    assert done.returncode == 0, done.stderr
    rows = [
        line for line in (tmp_path / "quantised.md").read_text("utf-8").splitlines() if "| trained |" in line
    ]
    assert [line.split(" | ")[2:4] for line in rows] == [["32", "26,304"], ["2", f"{48 * 137 // 4:,}"]]
    assert " to " in rows[1].split(" | ")[5]  # what is lost
    done = here("quantise", *common, "--only", NAME, "--out", tmp_path, "--runs", few)
    assert done.returncode == 2
    assert "Ask with the --labels it learned from" in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
def test_a_run_begins_only_with_weights_that_fit(data: Path, cache: Path, here: Run, tmp_path: Path) -> None:
    asked = ["--data", data, "--cache", cache, "--work", tmp_path, "--epochs", 1]
    done = here("fit", NAME, *asked, "--start", "nobody")
    assert done.returncode != 0
    assert f"{tmp_path / 'nobody' / 'seed-0'}: no weights there yet" in done.stderr
    shutil.rmtree(tmp_path / NAME)
    assert here("fit", NAME, *asked).returncode == 0
    done = here("fit", "crnn-12k-48-x10-db", *asked, "--start", NAME)
    assert done.returncode != 0
    assert f"{tmp_path / NAME / 'seed-0'}: another architecture. Begin with a run of crnn." in done.stderr
