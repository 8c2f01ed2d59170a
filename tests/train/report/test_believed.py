"""Intervals, paired differences and agreement of seeds, from the scores that runs keep."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.train.report.test_tables import result_of, write_results
from train.measure.metrics import pr_auc, roc_auc
from train.report.tables import report

BEST, NEAR, WORSE = "vgg-12k-48-x1-db", "vgg-12k-48-x2-db", "vgg-12k-48-x10-db"
TAGS = ("quiet", "loud", "rare")


def keep(work: Path, name: str, seed: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Write the scores of a run: those of a common model with noise of its own; four clips are a group."""
    rng = np.random.default_rng(0)
    truth = (rng.random((160, 3)) < (0.4, 0.4, 0.005)).astype(np.float32)
    common = truth + 0.8 * rng.standard_normal(truth.shape)
    own = np.random.default_rng(seed + 7)
    scores = (common + noise * own.standard_normal(truth.shape)).astype(np.float32)
    np.savez(
        work / name / f"seed-{seed}" / "predictions.npz",
        paths=np.arange(160).astype(str),
        split=np.repeat(["valid", "test"], 80),
        truth=truth,
        scores=scores,
        drawn=(np.arange(160) // 4).astype(str),
        tags=np.array(TAGS),
    )
    return truth[80:], scores[80:]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    work = tmp_path_factory.mktemp("runs")
    own = {"kind": "own", "dataset": "songs", "undefined": {}, "clips": {"train": 1, "valid": 80, "test": 80}}
    runs = [(BEST, 0, 0.0), (BEST, 1, 0.01), (NEAR, 0, 0.02), (WORSE, 0, 3.0)]
    write_results(work, [result_of(name, seed, 0.9, **own) for name, seed, _ in runs])
    for name, seed, noise in runs:
        keep(work, name, seed, noise)
    found = report([work], work).read_text("utf-8").split("## What one may believe of it")[1]
    return found.split("\n## ")[0]


def row_of(text: str, name: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_groups_are_drawn_and_differences_are_paired(text: str) -> None:
    assert "Resampled: 20 groups of 80 clips" in text
    assert f"Differences are to {BEST}" in text
    _, roc, difference, p, *_, sensible = row_of(text, NEAR)
    value, low, high = map(float, re.findall(r"-?[\d.]+", roc))
    assert low < value < high
    assert high - low > 3, "of few clips much is not known"
    change, least, most = map(float, re.findall(r"[+-][\d.]+", difference))
    assert least < change < most
    assert most - least < 0.5 * (high - low), "a pair differs less than either could"
    assert sensible == "yes"
    assert float(p) > 0.05


def test_what_is_worse_is_told_from_chance_and_not_sensible(text: str) -> None:
    _, _, difference, p, _, _, pr_p, sensible = row_of(text, WORSE)
    change, _, most = map(float, re.findall(r"[+-][\d.]+", difference))
    assert change < most < 0
    assert float(p) < 0.01
    assert float(pr_p) < 0.05
    assert sensible == ""
    assert row_of(text, BEST)[2:4] == ["", ""]


def test_tag_by_tag_and_seed_by_seed(text: str, tmp_path: Path) -> None:
    (tmp_path / BEST / "seed-0").mkdir(parents=True)
    (tmp_path / BEST / "seed-1").mkdir()
    kept = [keep(tmp_path, BEST, seed, noise) for seed, noise in ((0, 0.0), (1, 0.01))]
    for place, tag in enumerate(TAGS[:2]):
        _, count, roc, pr = row_of(text, tag)
        assert int(count) == kept[0][0][:, place].sum()
        for cell, area in ((roc, roc_auc), (pr, pr_auc)):
            value = np.mean([area(truth, scores)[place] for truth, scores in kept])
            assert cell.startswith(f"{100 * value:.2f} (")
    assert row_of(text, "rare")[2:] == ["", ""], "fewer than three clips have it"
    agreement = row_of(text.split("How far the runs")[1], BEST)
    assert agreement[1:] == ["2", "1.000", "1.00"]
