"""The standard streams of a command."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("calls", [1, 2])
def test_decoders_are_silenced_once_and_stderr_is_heard(calls: int) -> None:
    code = f"""
import os, sys
from autotag.system.streams import quiet_decoders
for _ in range({calls}):
    quiet_decoders()
os.write(2, b"Note: odd\\n")
print("warning", file=sys.stderr)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (run.returncode, run.stderr) == (0, "warning\n")
