"""Train one configuration: a loop that reads top to bottom, resumes exactly, selects on validation."""

import json
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from autotag.config import Config
from autotag.mel import Array
from autotag.segments import segments
from train.architectures import build
from train.augment import augment
from train.console import stderr
from train.datasets.mtat import read
from train.errors import RunError
from train.features import mel_power
from train.metrics import evaluate


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: Adam on binary cross-entropy, and the rest here.

    Attributes:
        labels: `"annotations"`, or `"soft"` for probabilities.
        epochs: passes over the training split.
        batch: clips per step.
        rate: learning rate, constant or the peak of one cycle.
        one_cycle: warm up to `rate` and anneal to zero (Smith and Topin 2018).
        augment: vary and mix the clips, see `train.augment`.
        seed: of the weights, the order of clips and the augmentation.
    """

    labels: str = "annotations"
    epochs: int = 13
    batch: int = 64
    rate: float = 1e-3
    one_cycle: bool = False
    augment: bool = False
    seed: int = 0


RECIPES = {
    "study": Recipe(),
    "soft": Recipe(labels="soft", epochs=40, batch=32, one_cycle=True, augment=True),
}
"""The study's own recipe (its section 3.3), and the one behind the models that are bundled."""


def fit(config: Config, data: Path, work: Path, recipe: Recipe, device: str) -> Path:
    """Train into `work/NAME/`, or go on there after an interruption; returns that folder.

    The folder holds `run.json` (what was asked), `metrics.jsonl` (a line an epoch), `last.pt` (to resume)
    and `best.pt` (the weights of the epoch with the best validation ROC AUC).

    Raises:
        DataError: the data set is missing or malformed.
        RunError: the folder holds a run of another recipe or data set.
    """
    dataset = read(data, recipe.labels)
    power, usable = mel_power(dataset, config, work)
    run = work / config.name
    _claim(run, {"config": config.name, "data": str(data.resolve()), "recipe": asdict(recipe)})

    rows = np.flatnonzero(usable & (dataset.split == "train"))
    clips = torch.from_numpy(power[rows][:, :, :: config.hop].copy()).to(device)
    targets = torch.from_numpy(dataset.target[rows]).to(device)
    held_out = np.flatnonzero(usable & (dataset.split == "valid"))

    torch.manual_seed(recipe.seed)
    model = build(config).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), recipe.rate)
    steps = -(-len(rows) // recipe.batch)
    schedule: torch.optim.lr_scheduler.LRScheduler
    if recipe.one_cycle:
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, recipe.epochs * steps)
    else:
        schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, 1)
    first, best = 0, 0.0
    if (run / "last.pt").exists():
        last = torch.load(run / "last.pt", map_location=device)
        model.load_state_dict(last["model"])
        optimizer.load_state_dict(last["optimizer"])
        schedule.load_state_dict(last["schedule"])
        first, best = last["epoch"], last["best"]

    for epoch in range(first, recipe.epochs):
        started = time.perf_counter()
        torch.manual_seed(recipe.seed * 10_000 + epoch + 1)  # so that a resumed run is the same run
        model.train()
        losses = []
        order = torch.randperm(len(rows), device=device).split(recipe.batch)
        for batch in track(order, f"{config.name} epoch {epoch + 1}/{recipe.epochs}", console=stderr):
            inputs, wanted = clips[batch], targets[batch]
            if recipe.augment:
                inputs, wanted = augment(inputs, wanted)
            with torch.autocast(device, torch.bfloat16):
                logits, _ = model(network_input(inputs, config))
            loss = binary_cross_entropy_with_logits(logits.float(), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())

        scores = predict(model, power, held_out, config, device)
        line = {
            "epoch": epoch + 1,
            "loss": float(np.mean(losses)),
            "seconds": round(time.perf_counter() - started, 1),
            **evaluate(dataset.truth[held_out], dataset.target[held_out], scores),
        }
        if line["roc_auc"] > best:
            best = line["roc_auc"]
            _save(run / "best.pt", {"model": model.state_dict(), "epoch": epoch + 1, "commit": commit()})
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        _save(run / "last.pt", state | {"schedule": schedule.state_dict(), "epoch": epoch + 1, "best": best})
        with (run / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        stderr.print(f"{config.name} {json.dumps(line)}", markup=False, highlight=False, soft_wrap=True)
    return run


def network_input(power: Tensor, config: Config) -> Tensor:
    """Mel power [batch, mels, frames] to log-mel [batch, 1, mels, frames]: as `autotag.mel.compress` does."""
    db = config.log == "db"
    mel = 10 * torch.log10(power.clamp(min=1e-10)) if db else torch.log10(1 + 10000 * power)
    return mel[:, None].contiguous(memory_format=torch.channels_last)


def predict(
    model: torch.nn.Module, power: Array, rows: NDArray[np.intp], config: Config, device: str
) -> Array:
    """Mean scores over the segments of clips `rows` of the mel cache: [rows, tags]."""
    model.eval()
    scores = []
    with torch.no_grad():
        for row in rows:
            cut = np.stack(list(segments([power[row][:, :: config.hop]], config.frames)))
            logits, _ = model(network_input(torch.from_numpy(cut).to(device), config))
            scores.append(logits.sigmoid().mean(0).cpu().numpy())
    return np.stack(scores)


def commit() -> str:
    """The commit this code stands at, with `-dirty` if it was changed since, or `"unknown"`."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _claim(run: Path, asked: dict[str, Any]) -> None:
    path = run / "run.json"
    if path.exists():
        found = json.loads(path.read_text())
        if found != asked:
            raise RunError(
                f"{run} holds another run ({found}), not the one asked for ({asked}): "
                "choose another --work folder, or remove that one"
            )
    run.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asked, indent=2))


def _save(path: Path, state: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)
