"""Damaged files of all formats are decoded or refused, and nothing else."""

import subprocess
import sys

from tests.conftest import ROOT


def test_damage_is_sound_or_an_audio_error() -> None:
    run = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "mutations.py", "--count", "150", "--seed", "7"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stdout
    assert "anything else" not in run.stdout
    assert " ok" in run.stdout
    assert run.stderr == ""
