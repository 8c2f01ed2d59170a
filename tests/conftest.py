"""Audio and commands that the tests share: real files, real subprocesses."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent
SONG = ROOT / "examples" / "song.mp3"

Run = Callable[..., subprocess.CompletedProcess[str]]


def music(seconds: float, sr: int, seed: int = 0) -> NDArray[np.float32]:
    """Chords over noise that change every second: [samples], peak below 1."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sr)) / sr
    notes = rng.integers(45, 80, (int(seconds) + 1, 3))[t.astype(int)]
    tones = np.sin(2 * np.pi * 440 * 2 ** ((notes - 69) / 12) * t[:, None]).sum(axis=1)
    signal: NDArray[np.float32] = (0.2 * tones + 0.02 * rng.standard_normal(len(t))).astype(np.float32)
    return signal


@pytest.fixture(scope="session")
def song() -> Path:
    return SONG


def _run(module: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"} | environment,
        timeout=300,
    )


@pytest.fixture(scope="session")
def autotag() -> Run:
    """Run the command line: `autotag("song.mp3", "--top", 3)`."""
    return lambda *arguments, **environment: _run("autotag", *arguments, **environment)


@pytest.fixture(scope="session")
def train() -> Run:
    """Run `python -m train`."""
    return lambda *arguments, **environment: _run("train", *arguments, **environment)
