"""Small data sets of real MP3s, small networks, and `python -m train` without a process of its own."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from tests.conftest import TERMINAL, Run, music, run_module
from tests.train.narrow import WIDTHS
from train import cli
from train.data import msd as million
from train.data.mtat import TAGS

FOLDERS = "0123456789abcccccddddeef"

TEACHERS = {"one": 3, "two": 4}
"""Published models and the sizes of their embeddings."""


def write_labels(root: Path, soft: np.ndarray) -> None:
    names = "\t".join(f'"{name}"' for name in ("clip_id", *TAGS))
    with (
        (root / "annotations_final.csv").open("w", encoding="utf-8") as hard_file,
        (root / "soft_labels.csv").open("w", encoding="utf-8") as soft_file,
    ):
        hard_file.write(f'{names}\t"mp3_path"\n')
        soft_file.write(f"{names}\n")
        for clip, (folder, row) in enumerate(zip(FOLDERS, soft, strict=True)):
            cells = "\t".join(f'"{int(value > 0.5)}"' for value in row)
            hard_file.write(f'"{clip}"\t{cells}\t"{folder}/clip-{clip}.mp3"\n')
            soft_file.write(f"{clip}\t" + "\t".join(f"{value:.4f}" for value in row) + "\n")
    with (root / "soft_labels_msd.csv").open("w", encoding="utf-8") as file:
        file.write("\t".join(f'"{name}"' for name in ("clip_id", *million.TAGS)) + "\n")
        for clip, row in enumerate(soft[:, ::-1]):
            file.write(f"{clip}\t" + "\t".join(f"{value:.4f}" for value in row) + "\n")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 clips to train on, 5 to validate, 7 to test; one clip of 20 s, the others of 29.1 s."""
    root = tmp_path_factory.mktemp("data")
    for clip, folder in enumerate(FOLDERS):
        (root / folder).mkdir(exist_ok=True)
        seconds = 20 if clip == 3 else 29.1
        signal = music(seconds, 16000, clip)
        soundfile.write(root / folder / f"clip-{clip}.mp3", signal, 16000)
    rng = np.random.default_rng(0)
    soft = 0.9 * rng.random((len(FOLDERS), len(TAGS)))
    for split, tag in (("c", 0), ("d", 1)):  # the highest tenth of each tag are three clips of one split
        highest = soft[FOLDERS.index(split) :][:3, tag::2]
        highest[:] = 0.91 + 0.1 * highest
    write_labels(root, soft)
    embeddings = {f"{name}_embedding": rng.random((len(FOLDERS), size)) for name, size in TEACHERS.items()}
    arrays: dict[str, Any] = {"clip_id": np.arange(len(FOLDERS)), **embeddings}
    np.savez(root / "teacher_embeddings.npz", **arrays)
    return root


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mel cache that the tests of one data set share."""
    return tmp_path_factory.mktemp("cache")


MSD_CLIPS = {"train": 8, "valid": 4, "test": 4}


@pytest.fixture(scope="session")
def msd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Million Song Dataset's layout: 16 clips of 30 s, but one of 12 s."""
    root = tmp_path_factory.mktemp("msd")
    rng = np.random.default_rng(1)
    for letter, (split, count) in zip("ABC", MSD_CLIPS.items(), strict=True):
        tracks = [f"TRAA{letter}{chr(65 + i)}A128F93187A{i:X}" for i in range(count)]
        tracks[0] = f"TRAAA{letter}A128F93187A0"
        (root / f"{split}_x_msd_id.txt").write_text("\n".join(tracks) + "\n")
        np.save(root / f"{split}_y.npy", rng.random((count, 50)) < 0.5)
        for i, track in enumerate(tracks):
            folder = root / "/".join(track[2:5])
            folder.mkdir(parents=True, exist_ok=True)
            seconds = 12 if (split, i) == ("train", 2) else 30
            soundfile.write(folder / f"{track}.mp3", music(seconds, 22050, i), 22050)
    return root


@pytest.fixture(scope="module")
def narrow() -> Iterator[None]:
    """Networks of a few filters in this process: what a loop does does not depend on their width."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in WIDTHS.items():
            patch.setattr(name, value)
        yield


@pytest.fixture(scope="session")
def narrow_train() -> Run:
    """Run `python -m train` with networks of a few filters."""
    return lambda *arguments, **environment: run_module("tests.train.narrow", *arguments, **environment)


@pytest.fixture(scope="session")
def here() -> Run:
    """Do what `python -m train` does in this process, which has loaded torch: 3 s less a call."""

    def run(*arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
        command = ["train", *map(str, arguments)]
        out, err = io.StringIO(), io.StringIO()
        terminate = signal.getsignal(signal.SIGTERM)
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", command)
            for name, value in (TERMINAL | environment).items():
                patch.setitem(os.environ, name, value)
            with pytest.raises(SystemExit) as end:
                cli.main()
        signal.signal(signal.SIGTERM, terminate)
        return subprocess.CompletedProcess(command, end.value.code, out.getvalue(), err.getvalue())  # type: ignore[arg-type]

    return run


def children(pid: int) -> list[int]:
    """Processes that a process started, where /proc tells."""
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.glob("*/children") for child in task.read_text().split()]


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The learning rate of each step that is made."""
    found: list[float] = []
    step = torch.optim.AdamW.step

    def record(self: torch.optim.AdamW, *arguments: Any) -> Any:
        found.append(self.param_groups[0]["lr"])
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", record)
    return found
