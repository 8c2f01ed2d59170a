"""Several processes that train one network together."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import ROOT
from tests.train.conftest import children

NAME = "vgg-12k-48-x10-db"

EPOCHS = 20
"""So many that a run is not over before it is killed."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_two_processes_train_one_network(data: Path, cache: Path, tmp_path: Path) -> None:
    """Under torchrun, killed in the middle and started again: both come to the same end."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

    def launch(work: str) -> "subprocess.Popen[str]":
        soft = ["--recipe", "soft", "--labels", "soft", "--epochs", str(EPOCHS)]
        fit = ["-m", "tests.train.narrow", "fit", NAME, "--data", str(data), *soft]
        return subprocess.Popen(
            [*torchrun, *fit, "--cache", str(cache), "--work", str(tmp_path / work)],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    _, said = launch("whole").communicate(timeout=300)
    assert said.count(f'"epoch": {EPOCHS},') == 1, f"one of them speaks: {said}"
    result = json.loads((tmp_path / "whole" / NAME / "seed-0" / "result.json").read_text())
    assert result["device"].endswith(", 2 of them")

    run = tmp_path / "part" / NAME / "seed-0"
    with launch("part") as process:
        while not (run / "last.pt").exists() and process.poll() is None:
            time.sleep(0.02)
        for pid in (process.pid, *children(process.pid)):
            os.kill(pid, signal.SIGKILL)
    assert len((run / "metrics.jsonl").read_text().splitlines()) < EPOCHS
    _, said = launch("part").communicate(timeout=300)
    assert '"epoch": 1,' not in said, "it began again"
    assert f'"epoch": {EPOCHS},' in said
    ways = [tmp_path / work / NAME / "seed-0" for work in ("whole", "part")]
    assert np.array_equal(*(np.load(way / "predictions.npz")["scores"] for way in ways))
    ends = [torch.load(way / "best.pt")["model"] for way in ways]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])
