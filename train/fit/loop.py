"""Train one configuration: a loop that reads top to bottom, resumes exactly, selects on validation."""

import copy
import json
import math
import time
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, StepLR
from torch.utils.data import DataLoader

from autotag.config import Config
from train.console import progress, say
from train.data.cache import bytes_per_clip
from train.data.dataset import Dataset
from train.errors import RunError
from train.fit import run as runs
from train.fit.augment import Batch, augment
from train.fit.clips import Places
from train.fit.device import device_name, join, peak_once, precision, readers
from train.fit.hints import Pupil, hint_loss
from train.fit.inputs import cut, network_input
from train.fit.outset import fit_outset
from train.fit.predict import loss_of, predict
from train.fit.prepare import Task, agree, prepare
from train.fit.recipe import Recipe
from train.fit.run import RunResult
from train.fit.settle import ends, settled
from train.measure.metrics import evaluate_outputs
from train.measure.uncertain import drawn_of
from train.networks import build, cost
from train.networks.network import Network


def fit(config: Config, dataset: Dataset, cache: Path, run: Path, recipe: Recipe, device: str) -> None:
    """Train in the folder `run` (see `train.fit.run`), or go on there after an interruption.

    Under torchrun the processes train one network together, each on its share of every batch.

    Raises:
        DataError: the data set has no clips to train, validate or test on, or they have no AUC.
        RunError: the folder holds a run of another recipe or other clips, there is no such device, or the
            loss is not finite.
    """
    task = prepare(config, dataset, cache, run, recipe, join(device))
    if task is None:
        return
    training = begin(task)
    for epoch in range(len(training.history), recipe.epochs):
        if _over(task, training):
            break
        loss, seconds = _epoch(task, training, epoch)
        if task.first:
            checkpoint(task, training, epoch, loss, seconds)
    if task.first:
        finish(task, training)
    if task.ranks > 1:
        distributed.barrier()  # one that ends while the first still validates sometimes aborts, and ends all


@dataclass
class Training:
    """What changes while a task is done.

    Attributes:
        network: that is trained.
        pupil: the network with the layer for its hints.
        shared: the pupil, or what keeps it equal in several processes.
        history: a line of `metrics.jsonl` for each epoch that is done.
    """

    network: Network
    pupil: Pupil
    shared: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: LRScheduler
    loader: "DataLoader[Batch]"
    history: list[dict[str, Any]] = field(default_factory=list)


def begin(task: Task) -> Training:
    """The first weights, or the state in which an interruption left the run."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    warnings.filterwarnings(
        "ignore", "max_pool2d_with_indices_backward"
    )  # exact on the CPU, rounded on a GPU
    recipe, device, dataset = task.recipe, task.device, task.dataset
    torch.manual_seed(recipe.seed)
    network = build(task.config, len(dataset.outputs), recipe.whole, recipe.bits)
    if recipe.prior:
        mean = torch.from_numpy(dataset.target[task.rows["train"]].mean(axis=0)).clamp(0.001, 0.999)
        network.last.bias.data.copy_(mean.logit())
    pupil = Pupil(network, task.clips.hint.shape[-1]).to(device)
    pupil = pupil.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(pupil.parameters(), recipe.rate, weight_decay=recipe.decay)
    loader = _loader(task)
    schedule: LRScheduler = (
        OneCycleLR(optimizer, recipe.rate, max(1, recipe.epochs * len(loader)))
        if recipe.one_cycle
        else StepLR(optimizer, (recipe.tenth or recipe.epochs + 1) * len(loader))
    )
    training = Training(network, pupil, pupil, optimizer, schedule, loader)
    last = task.run / "last.pt"
    if last.exists():
        state = torch.load(last, map_location="cpu")
        if state["fingerprint"] != task.fingerprint:
            raise RunError(
                f"{task.run}: the clips or labels of {dataset.root} have changed since it was begun. "
                "Remove the folder, or bring them back."
            )
        pupil.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        training.history = state["history"]
    elif task.start:
        found = runs.best(task.start)["model"]
        if found.keys() != network.state_dict().keys():
            raise RunError(f"{task.start}: another architecture. Begin with a run of {task.config.arch}.")
        network.inherit(found)
        if len(next(reversed(found.values()))) == len(dataset.outputs):
            fit_outset(task, pupil, loader)
        if recipe.average and task.first:
            runs.save(task.run / "first.pt", {"model": network.state_dict()})
    agree((task.fingerprint, len(training.history)), task.run, task.ranks)
    if task.ranks > 1:
        training.shared = DistributedDataParallel(pupil)
    if task.first:
        form = str(precision(device)).removeprefix("torch.")
        say(f"{task.config.name}: trains on {device_name(device)} in {form}")
    return training


def _loader(task: Task) -> "DataLoader[Batch]":
    """Batches of the clips, in an order of each epoch's own."""
    workers = readers(task.device)
    return DataLoader(
        task.clips,
        batch_size=task.recipe.batch // task.ranks,
        sampler=Places(task.clips, task.ranks, task.rank, seed=1000 * task.recipe.seed),  # + epoch
        generator=torch.Generator(),  # its own: it draws at other times in a resumed run
        collate_fn=_as_it_is,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,  # never fork: other threads may hold locks
        persistent_workers=workers > 0,
        pin_memory=task.device.type == "cuda",
    )


def _epoch(task: Task, training: Training, epoch: int) -> tuple[float, float]:
    """One pass over the clips: its mean loss over all processes, and seconds."""
    recipe, device = task.recipe, task.device
    started = time.perf_counter()
    assert isinstance(training.loader.sampler, Places)
    training.loader.sampler.set_epoch(epoch)
    # From these numbers alone, so that a resumed run is the same run.
    torch.manual_seed(int(np.random.SeedSequence([recipe.seed, epoch, task.rank]).generate_state(1)[0]))
    training.shared.train()
    low = precision(device) == torch.bfloat16
    losses = []
    for batch in progress(training.loader, f"{task.config.name} epoch {epoch + 1}/{recipe.epochs}"):
        if len(batch.power) == 1:  # a single clip has no variance for the batch norm of a 1x1 map
            training.schedule.step()
            continue
        batch = Batch(*(part.to(device, non_blocking=True) for part in batch))
        batch = augment(cut(batch, task.config, recipe), recipe.augment, task.config.sr)
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            logits, told = training.shared(network_input(batch.power, task.config))
        loss = binary_cross_entropy_with_logits(logits.float(), batch.target)
        loss = loss + recipe.hints * hint_loss(told, batch.hint)
        training.optimizer.zero_grad()
        loss.backward()
        training.optimizer.step()
        training.schedule.step()
        losses.append(loss.detach())
    mean = torch.stack(losses).mean()
    if task.ranks > 1:
        distributed.all_reduce(mean)
    return float(mean) / task.ranks, time.perf_counter() - started


def checkpoint(task: Task, training: Training, epoch: int, loss: float, seconds: float) -> None:
    """Validate, keep the weights if they are the best so far, and what it takes to go on from here."""
    run, rows, dataset = task.run, task.rows["valid"], task.dataset
    scores = predict(training.network, task.power, rows, task.config, task.device)
    if not (math.isfinite(loss) and np.isfinite(scores).all()):
        raise RunError(f"{run}: epoch {epoch + 1} ends in numbers that are not finite. Try a lower rate.")
    truth, target = dataset.truth[rows], dataset.target[rows]
    line = {
        "epoch": epoch + 1,
        "loss": loss,
        "valid_loss": loss_of(scores, target),
        "seconds": round(seconds, 2),
        **evaluate_outputs(dataset.outputs, truth, target, scores),
    }
    training.history.append(line)
    if line["valid_loss"] == _lowest(training):
        best = {"model": training.network.state_dict(), "epoch": epoch + 1, "commit": task.commit}
        runs.save(run / "best.pt", best)
    runs.write(run / "metrics.jsonl", "".join(json.dumps(past) + "\n" for past in training.history))
    state = {
        "model": training.pupil.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "schedule": training.schedule.state_dict(),
        "history": training.history,
        "fingerprint": task.fingerprint,
    }
    runs.save(run / "last.pt", state)
    say(f"{task.config.name} seed {task.recipe.seed} {json.dumps(line)}")


def finish(task: Task, training: Training) -> None:
    """Score the held-out clips with the best epoch, and say what came of the run."""
    run, dataset, config, recipe = task.run, task.dataset, task.config, task.recipe
    best, loss = runs.best(run), _lowest(training)
    kept = best["model"]
    for weights in ends(task, best["model"]):
        training.network.load_state_dict(weights)
        if (after := settled(task, training.network)) < loss:
            loss, kept = after, copy.deepcopy(training.network.state_dict())
    training.network.load_state_dict(kept)
    if kept is not best["model"]:
        runs.save(run / "best.pt", best | {"model": kept})
    (run / "first.pt").unlink(missing_ok=True)
    scores = {
        split: predict(training.network, task.power, task.rows[split], config, task.device)
        for split in ("valid", "test")
    }
    held_out = np.concatenate([task.rows[split] for split in scores])
    np.savez_compressed(
        run / "predictions.npz",
        paths=np.array(dataset.paths)[held_out],
        split=np.repeat(list(scores), [len(found) for found in scores.values()]),
        truth=dataset.truth[held_out],
        scores=np.concatenate(list(scores.values())),
        drawn=drawn_of(dataset, held_out),
        tags=np.array(dataset.names),
    )
    macs, parameters = cost(config)
    seconds = sum(line["seconds"] for line in training.history)
    outcome = RunResult(
        config=config,
        kind=dataset.kind,
        dataset=dataset.name,
        listed=dataset.listed,
        clips={split: len(found) for split, found in task.rows.items()},
        fingerprint=task.fingerprint[0],
        undefined=task.undefined,
        recipe=recipe,
        epoch=best["epoch"],
        valid_loss=loss,
        metrics={
            split: evaluate_outputs(dataset.outputs, dataset.truth[rows], dataset.target[rows], scores[split])
            for split, rows in task.rows.items()
            if split in scores
        },
        gmac=round(macs / 1e9, 4),
        parameters=parameters,
        bytes_per_clip=bytes_per_clip(config, dataset.stored),
        seconds=round(seconds, 1),
        clips_per_second=round(len(training.history) * len(task.clips) / max(seconds, 1e-9), 2),
        device=device_name(task.device) + (f", {task.ranks} of them" if task.ranks > 1 else ""),
        precision=str(precision(task.device)).removeprefix("torch."),
        commit=best["commit"],
        stored=dataset.stored,
    )
    runs.write(run / "result.json", json.dumps(outcome.to_dict(), indent=1))
    (run / "last.pt").unlink()
    peak = peak_once(task.device, run.parent.parent)
    outcome = replace(outcome, peak_gmac_per_second=round(task.ranks * peak))
    runs.write(run / "result.json", json.dumps(outcome.to_dict(), indent=1))  # complete without the peak too


def _over(task: Task, training: Training) -> bool:
    """Whether the validation loss has not been lower for as long as the recipe has patience."""
    patience = task.recipe.patience
    losses = [line["valid_loss"] for line in training.history]
    over = [bool(patience) and len(losses) - 1 - losses.index(min(losses)) >= patience if losses else False]
    if patience and task.ranks > 1:  # the first one alone has validated
        distributed.broadcast_object_list(over, src=0)
    return over[0]


def _lowest(training: Training) -> float:
    """The best validation loss so far."""
    return min(float(line["valid_loss"]) for line in training.history)


def _as_it_is(batch: Any) -> Any:
    return batch
