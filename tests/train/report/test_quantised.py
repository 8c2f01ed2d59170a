"""The page of spectrograms of fewer bits, on a small data set and a model that is installed."""

import json
from pathlib import Path

import pytest

from autotag.models.registry import select
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
