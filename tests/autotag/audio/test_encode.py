"""Sound files that are written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of the size of files")
@pytest.mark.parametrize("ending", [".wav", ".flac", ".mp3", ".ogg"])
def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path, ending: str) -> None:
    """Of which libsndfile says no more than that there was one."""
    code = f"""
import resource, numpy
from pathlib import Path
from autotag.audio.encode import write
noise = numpy.random.default_rng(0).standard_normal(120000).astype(numpy.float32) / 5
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
try:
    write(Path({str(tmp_path / "noise")!r}), [noise], 12000, {ending!r})
except OSError as error:
    print(error.strerror)
"""
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (run.stdout, run.stderr) == ("File too large\n", "")
