"""Audio and commands that the tests share: real files, real subprocesses."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.browser import Browser, chromium

ROOT = Path(__file__).parent.parent
SONG = ROOT / "examples" / "song.mp3"

AWKWARD = """it's <b onclick="x">Ü & so\non.wav"""
"""A name that a page or a terminal must not take for something else."""

TERMINAL = {"COLUMNS": "200", "NO_COLOR": "1"}
"""What a command is told of the terminal that its output is for."""

Run = Callable[..., subprocess.CompletedProcess[str]]


def music(seconds: float, sr: int, seed: int = 0) -> NDArray[np.float32]:
    """Chords over noise that change every second: [samples], peak below 1."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sr)) / sr
    notes = rng.integers(45, 80, (int(seconds) + 1, 3))[t.astype(int)]
    tones = np.sin(2 * np.pi * 440 * 2 ** ((notes - 69) / 12) * t[:, None]).sum(axis=1)
    signal: NDArray[np.float32] = (0.2 * tones + 0.02 * rng.standard_normal(len(t))).astype(np.float32)
    return signal


def encode(path: Path, signal: NDArray[np.float32], sr: int, codec: str, **options: str) -> Path:
    """Write mono samples as what libsndfile does not, in the container that the name ends in."""
    av = pytest.importorskip("av", reason="PyAV, which encodes it here, is not installed")
    container = {"m4a": "ipod", "wma": "asf", "mka": "matroska", "aac": "adts"}
    with av.open(path, "w", format=container.get(path.suffix[1:], path.suffix[1:]), options=options) as file:
        stream = file.add_stream(codec, rate=sr, layout="mono", bit_rate=128_000)
        resampler = av.AudioResampler(stream.format, "mono", sr, stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(signal[None], "fltp", "mono")
        frame.sample_rate = sr
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return path


def delay(one: NDArray[np.float32], other: NDArray[np.float32]) -> int:
    """Samples between two signals that are otherwise alike."""
    length = min(len(one), len(other))
    spectrum = np.fft.rfft(one[:length], 2 * length) * np.fft.rfft(other[:length], 2 * length).conj()
    correlation = np.fft.irfft(spectrum)
    norm = np.linalg.norm(one[:length]) * np.linalg.norm(other[:length])
    assert correlation.max() > 0.8 * norm, "the signals are not alike"
    at = int(correlation.argmax())
    return min(at, 2 * length - at)


@pytest.fixture(scope="session")
def song() -> Path:
    return SONG


def run_module(module: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m module`, and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env=os.environ | TERMINAL | environment,
        timeout=300,
    )


@pytest.fixture(scope="session")
def autotag() -> Run:
    """Run the command line: `autotag("song.mp3", "--top", 3)`."""
    return lambda *arguments, **environment: run_module("autotag", *arguments, **environment)


@pytest.fixture(scope="session")
def train() -> Run:
    """Run `python -m train`."""
    return lambda *arguments, **environment: run_module("train", *arguments, **environment)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium; without one the test is skipped."""
    with chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found
