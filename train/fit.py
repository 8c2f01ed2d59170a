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
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from autotag.config import Config
from autotag.mel import Array
from autotag.segments import segments
from train.architectures import build
from train.augment import augment
from train.console import progress, stderr
from train.datasets.mtat import read
from train.errors import DataError, RunError
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
"""The study's own recipe, and the one behind the models that are bundled."""


def fit(config: Config, data: Path, work: Path, recipe: Recipe, device: str) -> Path:
    """Train into `work/NAME/`, or go on there after an interruption; returns that folder.

    The folder holds `run.json` (what was asked), `metrics.jsonl` (a line an epoch), `last.pt` (to resume)
    and `best.pt` (the weights of the epoch with the best validation ROC AUC).

    Raises:
        DataError: the data set is missing or malformed.
        RunError: the folder holds a run of another recipe or data set, or there is no such device.
    """
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        raise RunError(
            f"--device {device}: {str(error).splitlines()[0]}: use cpu, or cuda with a GPU"
        ) from error
    torch.manual_seed(recipe.seed)
    model = build(config).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    code = commit()
    dataset = read(data, recipe.labels)
    power, usable = mel_power(dataset, config, work)

    rows = np.flatnonzero(usable & (dataset.split == "train"))
    clips = torch.from_numpy(power[:, :, :: config.hop][rows]).to(device)
    targets = torch.from_numpy(dataset.target[rows]).to(device)
    held_out = np.flatnonzero(usable & (dataset.split == "valid"))
    if not len(rows) or not len(held_out):
        raise DataError(
            f"{data}: {len(rows)} clips to train on, {len(held_out)} to validate on: both are needed"
        )

    evaluate(dataset.truth[held_out], *[dataset.target[held_out]] * 2)  # fails now if it would fail later
    run = work / config.name
    _claim(run, {"config": config.name, "data": str(data.resolve()), "recipe": asdict(recipe)})

    optimizer = torch.optim.Adam(model.parameters(), recipe.rate)
    steps = -(-len(rows) // recipe.batch)
    schedule: torch.optim.lr_scheduler.LRScheduler
    if recipe.one_cycle:
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, recipe.epochs * steps)
    else:
        schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, 1)
    history: list[dict[str, Any]] = []
    best = 0.0
    if (run / "last.pt").exists():
        last = torch.load(run / "last.pt", map_location=device)
        model.load_state_dict(last["model"])
        optimizer.load_state_dict(last["optimizer"])
        schedule.load_state_dict(last["schedule"])
        history, best = last["history"], last["best"]
        _log(run, history)

    for epoch in range(len(history), recipe.epochs):
        started = time.perf_counter()
        torch.manual_seed(recipe.seed * 10_000 + epoch + 1)  # so that a resumed run is the same run
        model.train()
        losses = []
        batches = torch.randperm(len(rows), device=device).split(recipe.batch)
        if len(batches[-1]) == 1:  # a single clip has no variance for the batch norm of a 1x1 map
            batches = batches[:-1]
        for batch in progress(batches, f"{config.name} epoch {epoch + 1}/{recipe.epochs}"):
            inputs, wanted = clips[batch], targets[batch]
            if recipe.augment:
                inputs, wanted = augment(inputs, wanted)
            if config.frames < inputs.shape[2]:
                inputs = random_segment(inputs, config.frames)
            with torch.autocast(torch.device(device).type, torch.bfloat16):
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
            _save(run / "best.pt", {"model": model.state_dict(), "epoch": epoch + 1, "commit": code})
        history.append(line)
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "history": history}
        _save(run / "last.pt", state | {"schedule": schedule.state_dict(), "best": best})
        _log(run, history)
        stderr.print(f"{config.name} {json.dumps(line)}", markup=False, highlight=False, soft_wrap=True)
    return run


def random_segment(power: Tensor, frames: int) -> Tensor:
    """A segment of each clip, from anywhere in it: [batch, mels, any frames] to [batch, mels, frames]."""
    batch, mels, length = power.shape
    start = torch.randint(length - frames + 1, (batch, 1), device=power.device)
    index = start + torch.arange(frames, device=power.device)
    return power.gather(2, index[:, None, :].expand(-1, mels, -1))


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

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        dirty = git("status", "--porcelain", "--", "autotag", "train")
        return git("rev-parse", "--short", "HEAD") + ("-dirty" if dirty else "")
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
    else:
        run.mkdir(parents=True, exist_ok=True)
        _write(path, json.dumps(asked, indent=1))


def _log(run: Path, history: list[dict[str, Any]]) -> None:
    _write(run / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in history))


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


def _save(path: Path, state: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)
