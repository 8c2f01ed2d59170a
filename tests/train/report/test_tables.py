"""The report on runs that were never trained, whose figures are made up."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from autotag.config import GRID, Config
from tests.conftest import ROOT
from train.errors import RunError
from train.fit.recipe import Recipe
from train.fit.run import RunResult
from train.report.figure import figure_1
from train.report.published import LISTED, SCORES, USED
from train.report.tables import collect, report

NAMES = ("vgg-12k-48-x10-db", "vgg-12k-96-x10-db")


def result_of(name: str, seed: int, roc_auc: float, **other: Any) -> dict[str, Any]:
    """What a run on all of MagnaTagATune would have left, with made-up metrics."""
    return {
        "config": name,
        "kind": "mtat",
        "dataset": "magnatagatune",
        "fingerprint": "none",
        "epoch": 13,
        "valid_loss": 0.1,
        "precision": "float32",
        "listed": LISTED["mtat"],
        "clips": USED["mtat"],
        "undefined": {"valid": [], "test": []},
        "recipe": asdict(Recipe(seed=seed)),
        "metrics": {"test": {"roc_auc": roc_auc, "pr_auc": roc_auc / 2}},
        "gmac": 2.0,
        "parameters": 1000,
        "bytes_per_clip": 4000,
        "seconds": 100.0,
        "clips_per_second": 50.0,
        "device": "abacus",
        "peak_gmac_per_second": 600,
        "commit": "0000000",
    } | other


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports whose figure, which takes longest and others test, is not drawn."""
    monkeypatch.setattr("train.report.tables.figure_1", lambda *_: None)


def write_results(work: Path, results: list[dict[str, Any]]) -> None:
    for result in results:
        run = work / result["config"] / f"seed-{result['recipe']['seed']}"
        run.mkdir(parents=True)
        (run / "result.json").write_text(json.dumps(result))


@pytest.mark.usefixtures("undrawn")
def test_the_report_on_the_real_data_set_compares(tmp_path: Path) -> None:
    name, wider = "vgg-12k-48-x1-db", "vgg-12k-96-x1-db"
    rows = [(name, 0.88), (name, 0.90), (name, 0.89), (wider, 0.87), (wider, 0.86), (wider, 0.88)]
    write_results(tmp_path, [result_of(n, seed % 3, roc) for seed, (n, roc) in enumerate(rows)])
    text = report([tmp_path], tmp_path / "out").read_text("utf-8")
    assert text.startswith("# The study on MagnaTagATune\n")
    assert "nothing of a reproduction" not in text
    assert "- Recipe (`study`): labels annotations, epochs 13, batch 64" in text
    # 89 - 89.02 and 44.5 - 35.87
    assert (
        f"| {name} | 3 | 89.02 ± 0.03 | 89.00 ± 1.00 | -0.02 | 35.87 ± 0.44 | 44.50 ± 0.50 | +8.63 |" in text
    )
    # Two samples of three with deviations of 1 and means 2 apart: t = 2 / sqrt(2 / 3), p from its table.
    assert f"| {name} against {wider} | 3, 3 | 2.449 | 0.070 | 2.449 | 0.070 |" in text
    assert f"| 48 bands for 96 | {wider} → {name} | 87.00 → 89.00 | -2.30 % |" in text
    # Three passes of 2 GMAC for 50 clips a second are half the peak.
    assert f"| {name} | 2.000 | 1,000 | 4,000 | 100 | 50.0 | 300 | 50 % |" in text
    for published in SCORES["mtat"] | SCORES["msd"]:
        assert f"| {published} | " in text


def test_runs_that_do_not_compare_are_refused(tmp_path: Path) -> None:
    other = asdict(Recipe(labels="soft"))
    results = [result_of(NAMES[0], 0, 0.9), result_of(NAMES[1], 0, 0.9, recipe=other)]
    write_results(tmp_path, results)
    with pytest.raises(RunError, match="differ in data set or recipe"):
        collect([tmp_path])


@pytest.mark.usefixtures("undrawn")
def test_half_a_data_set_says_so_in_the_heading(tmp_path: Path) -> None:
    clips = USED["mtat"] | {"train": 300}
    write_results(tmp_path, [result_of(NAMES[0], 0, 0.9, clips=clips)])
    text = report([tmp_path], tmp_path).read_text("utf-8")
    assert text.startswith("# A part of MagnaTagATune: the study on 300 / 1,825 / 5,329 clips\n")
    assert "nothing of a reproduction" in text


@pytest.mark.usefixtures("undrawn")
def test_one_report_holds_both_data_sets(tmp_path: Path) -> None:
    msd = {"kind": "msd", "dataset": "msd", "listed": LISTED["msd"], "clips": USED["msd"]}
    name = "musicnn-12k-96-x1-db"
    write_results(tmp_path / "a", [result_of(name, 0, 0.91)])
    write_results(tmp_path / "b", [result_of(name, 0, 0.87, **msd)])
    text = report([tmp_path / "a", tmp_path / "b"], tmp_path).read_text("utf-8")
    assert text.startswith("# The study on MagnaTagATune; The study on the Million Song Dataset\n")
    four, five = text.split("## Table 4")[1].split("## What")[0].split("## Table 5")
    assert f"| {name} | 1 | 90.50 | 91.00 | +0.50 | 37.70 | 45.50 | +7.80 |" in four
    assert f"| {name} | 1 | 87.16 | 87.00 | -0.16 | 27.10 | 43.50 | +16.40 |" in five


def test_the_published_figures() -> None:
    names = {config.name for config in GRID}
    assert {kind: len(scores) for kind, scores in SCORES.items()} == {"mtat": 36, "msd": 23}
    assert all(set(scores) <= names for scores in SCORES.values())
    path = ROOT.parent / "shared" / "study" / "published.csv"
    if not path.exists():
        pytest.skip("the authors' results are not here")
    for line in path.read_text().splitlines()[1:]:
        kind, arch, mels, hop, sr, log, roc, roc_sd, pr, pr_sd, _ = line.split(",")
        found = SCORES[kind][f"{arch}-{sr}-{mels}-{hop}-{log}"]
        assert found == (float(roc), float(pr), *((float(roc_sd), float(pr_sd)) if roc_sd else (None, None)))


def test_the_figure_is_drawn_the_same_twice(tmp_path: Path) -> None:
    found = [RunResult.from_dict(result_of(NAMES[0], seed, 0.9 + seed / 100)) for seed in (0, 1)]
    results = {Config.parse(NAMES[0]): found}
    paths = [tmp_path / f"{i}.svg" for i in range(2)]
    for path in paths:
        figure_1(results, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
