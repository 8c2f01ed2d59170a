"""The folder of a training run: what was asked, what is reached, and what came of it.

run.json         configuration, data set and recipe
metrics.jsonl    a line an epoch
last.pt          to go on after an interruption; removed at the end
best.pt          the weights of the epoch with the lowest validation loss
predictions.npz  scores, annotations and paths of the clips to validate and to test on
result.json      written last: a run that has it is complete
NAME.fp32.onnx   what `train study` and `train export` make of it
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from train.errors import RunBusy, RunError


@contextmanager
def alone(run: Path, wait: bool = False) -> Iterator[None]:
    """Keep other processes out of a run, or wait for them; those that torchrun starts are one.

    Raises:
        RunBusy: another process is at it.
        RunError: the folder cannot be made.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{run}: cannot be made: {error.strerror}: --work names another folder") from error
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    try:
        lock = FileLock(run / "lock").acquire(blocking=wait)
    except Timeout as error:
        raise RunBusy(
            f"{run}: another process is at this run: wait for it, or choose another seed"
        ) from error
    with lock:
        yield


def claim(run: Path, wanted: dict[str, Any]) -> None:
    """Begin a run, or find that the folder holds this very one.

    Raises:
        RunError: the folder holds a run of another configuration, recipe or data set.
    """
    path = run / "run.json"
    if path.exists():
        found = asked(run)
        if found != wanted:
            raise RunError(
                f"{run} holds another run ({found}), not the one asked for ({wanted}): "
                "choose another --work folder, or remove that one"
            )
    else:
        run.mkdir(parents=True, exist_ok=True)
        write(path, json.dumps(wanted, indent=1))


def asked(run: Path) -> dict[str, Any]:
    """What a run was asked for.

    Raises:
        RunError: the folder is no run.
    """
    try:
        found: dict[str, Any] = json.loads((run / "run.json").read_text("utf-8"))
        return found
    except FileNotFoundError as error:
        raise RunError(
            f"{error.filename}: no such file: 'python -m train fit' or 'study' makes it"
        ) from error


def result(run: Path) -> dict[str, Any] | None:
    """What came of a run, or None while it is not complete."""
    path = run / "result.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def best(run: Path) -> dict[str, Any]:
    """The weights of the best epoch so far, on the CPU.

    Raises:
        RunError: there is none.
    """
    try:
        found: dict[str, Any] = torch.load(run / "best.pt", map_location="cpu")
        return found
    except FileNotFoundError as error:
        raise RunError(f"{run}: no weights there yet: training makes them") from error


def all_results(work: Path) -> dict[Path, dict[str, Any]]:
    """The complete runs under `work`, `NAME/seed-N`, and what came of them.

    Raises:
        RunError: there is none.
    """
    found = {path.parent: json.loads(path.read_text("utf-8")) for path in work.glob("*/seed-*/result.json")}
    if not found:
        raise RunError(f"{work}: no complete run in it: 'python -m train fit' or 'study' makes them")
    return dict(sorted(found.items()))


def write(path: Path, text: str) -> None:
    """Write a file at once or not at all.

    Raises:
        RunError: it cannot be written.
    """
    with _part(path) as part:
        part.write_text(text, "utf-8")


def save(path: Path, state: dict[str, Any]) -> None:
    """`torch.save`, likewise."""
    with _part(path) as part:
        torch.save(state, part)


@contextmanager
def _part(path: Path) -> Iterator[Path]:
    part = path.with_suffix(".part")
    try:
        yield part
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch has the latter for a full disk
        part.unlink(missing_ok=True)
        why = str(error).splitlines()[0]
        raise RunError(f"{path}: cannot be written: {why}: start again when there is space for it") from error


def commit() -> str:
    """The commit this code stands at, with `-dirty` if it was changed since, or `"unknown"`."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parents[2]), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        dirty = git("status", "--porcelain", "--", "autotag", "train")
        return git("rev-parse", "--short", "HEAD") + ("-dirty" if dirty else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
