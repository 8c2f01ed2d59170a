"""The folder of a training run: what was asked, what is reached, and what came of it.

run.json         configuration, data set and recipe
metrics.jsonl    a line an epoch
first.pt         the weights that it begins with, where they count at the end; removed then
last.pt          to go on after an interruption; removed at the end
best.pt          the weights of the epoch with the lowest validation loss
predictions.npz  scores, annotations, paths and groups of the clips to validate and to test on
result.json      written last: a run that has it is complete
NAME.fp32.onnx   what `train study` and `train export` make of it
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import torch

from autotag.config import Config
from autotag.system.files import replacing
from autotag.system.lock import locked
from train.errors import RunBusy, RunError
from train.fit.recipe import Recipe
from train.locks import in_turn


@dataclass(frozen=True)
class RunResult:
    """What came of a run.

    Attributes:
        config: what was trained.
        kind: whose layout the data set has, `"mtat"` or `"msd"`.
        dataset: name of the data set's folder.
        listed, clips: how many clips of each split the data set lists, and how many were used.
        fingerprint: of clips and labels.
        undefined: by split, the tags that have no AUC there.
        recipe: what was asked for.
        epoch: the one whose weights are kept.
        valid_loss: of that epoch.
        metrics: by split, `roc_auc`, `pr_auc` and the rest of `train.measure.metrics`.
        gmac, parameters, bytes_per_clip: cost of the configuration.
        seconds: of all epochs.
        clips_per_second: while training.
        device, precision: that it was trained on, and in.
        commit: what the code stood at.
        peak_gmac_per_second: 10^9 multiply-accumulates a second of the device in a product of large matrices.
        stored: what the mel cache kept that it was trained on.
        folder: that it was read from, where a report needs more than this.
    """

    config: Config
    kind: str
    dataset: str
    listed: dict[str, int]
    clips: dict[str, int]
    fingerprint: str
    undefined: dict[str, list[str]]
    recipe: Recipe
    epoch: int
    valid_loss: float
    metrics: dict[str, dict[str, Any]]
    gmac: float
    parameters: int
    bytes_per_clip: int
    seconds: float
    clips_per_second: float
    device: str
    precision: str
    commit: str
    peak_gmac_per_second: int | None = None
    stored: str = "float32"
    folder: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values for JSON."""
        found = asdict(self) | {"config": self.config.name, "recipe": self.recipe.to_dict()}
        del found["folder"]
        return found

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Self:
        """The result that `to_dict` gave, or that an older version wrote under other names."""
        if "scores" in found:
            name = found["dataset"]
            found = found | {"metrics": found["scores"], "kind": name["kind"], "dataset": name["name"]}
        values = {field.name: found[field.name] for field in fields(cls) if field.name in found}
        config, recipe = Config.parse(found["config"]), Recipe.from_dict(found["recipe"])
        return cls(**{"precision": "unknown"} | values | {"config": config, "recipe": recipe})

    @property
    def study(self) -> tuple[object, ...]:
        """What results of one study have in common: data set and clips."""
        return self.kind, self.dataset, sorted(self.clips.items())


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
        raise RunError(
            f"{run}: cannot be made: {error.strerror}. Name another folder with --work."
        ) from error
    with ExitStack() as held:
        if wait:
            held.enter_context(
                in_turn(run / "lock", f"{run}: another process is at this run: waiting for it")
            )
        elif os.environ.get("RANK", "0") == "0":
            try:
                held.enter_context(locked(run / "lock"))
            except BlockingIOError as error:
                raise RunBusy(
                    f"{run}: another process is at this run. Wait for it, or choose another seed."
                ) from error
        yield


def claim(run: Path, wanted: dict[str, Any]) -> None:
    """Begin a run, or find that the folder holds this very one.

    Raises:
        RunError: the folder holds a run of another configuration, recipe or data set.
    """
    path = run / "run.json"
    if path.exists():
        found = asked(run)
        if "recipe" in found:  # which an older version wrote without what it could not choose
            found["recipe"] = Recipe.from_dict(found["recipe"]).to_dict()
        if found != wanted:
            raise RunError(
                f"{run} holds another run ({found}), not the one asked for ({wanted}). "
                "Choose another --work folder, or remove that one."
            )
    else:
        run.mkdir(parents=True, exist_ok=True)
        write(path, json.dumps(wanted, indent=1))


def asked(run: Path) -> dict[str, Any]:
    """What a run was asked for: `config`, `data`, `recipe` and `processes`.

    Raises:
        RunError: the folder is no run.
    """
    try:
        found: dict[str, Any] = json.loads((run / "run.json").read_text("utf-8"))
        return found
    except FileNotFoundError as error:
        raise RunError(
            f"{error.filename}: no such file. 'python -m train fit' or 'study' makes it."
        ) from error


def result(run: Path) -> RunResult | None:
    """What came of a run, or None while it is not complete."""
    path = run / "result.json"
    return RunResult.from_dict(json.loads(path.read_text("utf-8"))) if path.exists() else None


def best(run: Path) -> dict[str, Any]:
    """The weights of the best epoch so far, on the CPU: `model`, `epoch`, `commit`, perhaps `calibrated`.

    Raises:
        RunError: there is none.
    """
    try:
        found: dict[str, Any] = torch.load(run / "best.pt", map_location="cpu")
        return found
    except FileNotFoundError as error:
        raise RunError(f"{run}: no weights there yet. Training makes them.") from error


def all_results(work: Path) -> dict[Path, RunResult]:
    """The complete runs under `work`, `NAME/seed-N`, and what came of them.

    Raises:
        RunError: there is none.
    """
    runs = sorted(path.parent for path in work.glob("*/seed-*/result.json"))
    found = {run: outcome for run in runs if (outcome := result(run))}
    if not found:
        raise RunError(f"{work}: no complete run in it. 'python -m train fit' or 'study' makes them.")
    return found


def write(path: Path, text: str) -> None:
    """Write a file at once or not at all.

    Raises:
        RunError: it cannot be written.
    """
    with _part(path) as part:
        part.write_text(text, "utf-8")


def save(path: Path, state: dict[str, Any]) -> None:
    """`torch.save`, at once or not at all.

    Raises:
        RunError: it cannot be written.
    """
    with _part(path) as part:
        torch.save(state, part)


@contextmanager
def _part(path: Path) -> Iterator[Path]:
    try:
        with replacing(path) as part:
            yield part
    except (OSError, RuntimeError) as error:  # torch has the latter for a full disk
        why = str(error).splitlines()[0]
        raise RunError(
            f"{path}: cannot be written: {why}. Start again when there is space for it."
        ) from error


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
