"""The device of a run, and its peak."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import torch

from train.fit import device


def test_runs_that_end_together_measure_the_peak_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(device.SIDES, "cpu", 256)
    together = Barrier(4)

    def ended(_: int) -> float:
        together.wait()
        return device.peak_once(torch.device("cpu"), tmp_path)

    with ThreadPoolExecutor(4) as pool:
        peaks = set(pool.map(ended, range(4)))
    assert peaks == set(json.loads((tmp_path / "peaks.json").read_text()).values())
    assert len(peaks) == 1
