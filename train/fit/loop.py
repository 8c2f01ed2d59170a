"""Train one configuration: a loop that reads top to bottom, resumes exactly, selects on validation."""

import hashlib
import json
import math
import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, interpolate
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler

from autotag.audio.mel import Array
from autotag.audio.segments import segments
from autotag.config import Config
from train.console import progress, say
from train.data.cache import bytes_per_clip, mel_power
from train.data.dataset import Dataset
from train.errors import DataError, RunError
from train.fit import run as runs
from train.fit.augment import STEPS, Batch, augment
from train.fit.device import describe, join, peak, precision, readers
from train.fit.hints import Pupil, hint_loss, standardised, teacher_embeddings
from train.fit.teachers import labelled_segments, segment_at, segment_labels
from train.measure.metrics import evaluate
from train.networks import build, cost


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: Adam on binary cross-entropy, and the rest here.

    Attributes:
        labels: `"annotations"`, or `"soft"`, `"soft-msd"` or `"soft-all"` for probabilities.
        epochs: passes over the training split.
        batch: clips per step, over all processes.
        rate: learning rate, constant or the peak of one cycle.
        decay: of the weights, apart from the gradient (Loshchilov and Hutter 2019); 0 is plain Adam.
        one_cycle: warm up to `rate` and anneal to zero (Smith and Topin 2018).
        augment: the steps of `train.fit.augment` that are done.
        seed: of the weights, the order of clips and the augmentation.
        segments: aim a network of 3 s at labels of its very segment, see `train.fit.teachers`.
        prior: begin with the mean probability of every tag.
        start: name of a configuration whose run of this seed, trained before, gives the first weights.
        speeds: at which every training clip is played; other speeds than 1 take the labels of
            `train.fit.teachers`, for clips as well as for segments.
        whole: every frame and band of a segment counts, see `train.networks.vgg.window`.
        hints: weight of the error in telling the teachers' embeddings, see `train.fit.hints`.
        known: in each vocabulary, the likeliest tag that the source of a clip names is aimed at with so much.
    """

    labels: str = "annotations"
    epochs: int = 13
    batch: int = 64
    rate: float = 1e-3
    decay: float = 0.0
    one_cycle: bool = False
    augment: tuple[str, ...] = ()
    seed: int = 0
    segments: bool = False
    prior: bool = False
    start: str | None = None
    speeds: tuple[float, ...] = (1.0,)
    whole: bool = False
    hints: float = 0.0
    known: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain values for JSON."""
        return asdict(self) | {"augment": list(self.augment), "speeds": list(self.speeds)}


RECIPES = {
    "study": Recipe(),
    "soft": Recipe(
        labels="soft-all",
        epochs=40,
        batch=32,
        rate=2e-3,
        decay=0.01,
        one_cycle=True,
        augment=tuple(STEPS),
        prior=True,
        whole=True,
        hints=0.3,
        known=0.5,
    ),
}
"""The study's own recipe, and one for probabilities."""

SEGMENTS = 16
"""Segments that are scored at once outside training."""


class Clips(torch.utils.data.Dataset[Batch]):
    """Training clips, read from memory-mapped caches a batch at a time; the maps travel by their names.

    Args:
        powers: mel power at each speed [clips, mels, frames].
        rows: which clips of each of them to train on.
        hop: of the frames.
        targets: likewise for each, [rows, outputs] or [rows, patches, outputs].
        hints: likewise for each, [rows, d].
    """

    def __init__(
        self,
        powers: Sequence[Array],
        rows: Sequence[NDArray[np.intp]],
        hop: int,
        targets: Sequence[NDArray[np.float32]],
        hints: Sequence[NDArray[np.float32]],
    ) -> None:
        self.powers, self.hop = powers, hop
        self.target, self.hint = np.concatenate(targets), np.concatenate(hints)
        self.places = [(take, row) for take, found in enumerate(rows) for row in found]

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"powers": [cast(Any, power).filename for power in self.powers]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, powers=[np.load(name, mmap_mode="r") for name in state["powers"]])

    def __len__(self) -> int:
        return len(self.places)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A batch, the target of which may be [batch, patches, outputs]."""
        places = [self.places[index] for index in indices]
        power = np.stack([self.powers[take][row][:, :: self.hop] for take, row in places])
        return Batch(*map(torch.from_numpy, (power, self.target[indices], self.hint[indices])))


def fit(config: Config, dataset: Dataset, cache: Path, run: Path, recipe: Recipe, device_name: str) -> None:
    """Train in the folder `run` (see `train.fit.run`), or go on there after an interruption.

    Under torchrun the processes train one network together, each on its share of every batch.

    Raises:
        DataError: the data set has no clips to train, validate or test on, or they have no AUC.
        RunError: the folder holds a run of another recipe or other clips, there is no such device, or the
            loss is not finite.
    """
    device, rank, ranks = join(device_name)
    if recipe.batch % ranks or recipe.batch // ranks < 2:
        raise RunError(f"a batch of {recipe.batch} clips cannot be shared by {ranks} processes, 2 clips each")
    start = run.parent.parent / recipe.start / run.name if recipe.start else None
    if start and (start / "last.pt").exists():
        raise RunError(f"{start}: not at its end, and {run} begins with its weights: train it first")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    warnings.filterwarnings("ignore", "max_pool2d_with_indices_backward")  # our windows never overlap
    if rank == 0:
        asked = {
            "config": config.name,
            "data": dataset.origin,
            "recipe": recipe.as_dict(),
            "processes": ranks,
        }
        runs.claim(run, asked)
    if ranks > 1:
        distributed.barrier()
    if _agree(runs.result(run) is not None, run, ranks):
        (run / "last.pt").unlink(missing_ok=True)
        return
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # of its machine, which fills the cache for the others
    if not first:
        distributed.barrier()
    power, usable = mel_power(dataset, config, cache)
    if first and ranks > 1:
        distributed.barrier()
    if not usable.all():
        say(f"{(~usable).sum()} of {len(usable)} clips are left out: 'python -m train prepare' lists them")
    rows = {split: dataset.rows(split, usable) for split in ("train", "valid", "test")}
    undefined = _check(dataset, rows)
    fingerprint = dataset.fingerprint(usable)
    clips = _takes(dataset, config, cache, recipe)
    aims = hashlib.sha256(clips.target.tobytes() + clips.hint.tobytes()).hexdigest()
    code = runs.commit()

    torch.manual_seed(recipe.seed)
    network = build(config, len(dataset.outputs), recipe.whole)
    if recipe.prior:
        mean = torch.from_numpy(dataset.target[rows["train"]].mean(axis=0)).clamp(0.001, 0.999)
        network.output_bias.data.copy_(mean.logit())
    pupil = Pupil(network, network.embedding, clips.hint.shape[1]).to(device)
    dtype = precision(device)
    if rank == 0:
        say(f"{config.name}: trains on {describe(device)} in {str(dtype).removeprefix('torch.')}")
    pupil = pupil.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(pupil.parameters(), recipe.rate, weight_decay=recipe.decay)
    sampler: DistributedSampler[Batch] = DistributedSampler(
        clips, ranks, rank, seed=1000 * recipe.seed
    )  # which adds the epoch
    workers = readers(device)
    loader = DataLoader(
        clips,
        batch_size=recipe.batch // ranks,
        sampler=sampler,
        generator=torch.Generator(),  # its own: it draws at other times in a resumed run
        collate_fn=_as_it_is,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,  # never fork: other threads may hold locks
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )
    schedule: torch.optim.lr_scheduler.LRScheduler
    if recipe.one_cycle:
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, recipe.epochs * len(loader))
    else:
        schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, 1)
    history: list[dict[str, Any]] = []
    if start and not (run / "last.pt").exists():
        inherit(network, runs.best(start)["model"])
    if (run / "last.pt").exists():
        last = torch.load(run / "last.pt", map_location="cpu")
        pupil.load_state_dict(last["model"])
        optimizer.load_state_dict(last["optimizer"])
        schedule.load_state_dict(last["schedule"])
        history = last["history"]
        if last["fingerprint"] != [fingerprint, aims]:
            raise RunError(f"{run}: the clips or labels of {dataset.root} have changed since it was begun")
    _agree((fingerprint, aims, len(history)), run, ranks)
    model = DistributedDataParallel(pupil) if ranks > 1 else pupil

    for epoch in range(len(history), recipe.epochs):
        started = time.perf_counter()
        sampler.set_epoch(epoch)
        # From these numbers alone, so that a resumed run is the same run.
        torch.manual_seed(int(np.random.SeedSequence([recipe.seed, epoch, rank]).generate_state(1)[0]))
        model.train()
        losses = []
        for batch in progress(loader, f"{config.name} epoch {epoch + 1}/{recipe.epochs}"):
            if len(batch.power) == 1:  # a single clip has no variance for the batch norm of a 1x1 map
                schedule.step()
                continue
            batch = Batch(*(part.to(device, non_blocking=True) for part in batch))
            if recipe.segments:
                cut, labels = labelled_segments(batch.power, batch.target, config)
                batch = batch._replace(power=cut, target=labels)
            elif config.frames < batch.power.shape[2]:
                batch = batch._replace(power=random_segment(batch.power, config.frames))
            batch = augment(batch, recipe.augment)
            with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
                logits, told = model(network_input(batch.power, config))
            loss = binary_cross_entropy_with_logits(logits.float(), batch.target)
            loss = loss + recipe.hints * hint_loss(told, batch.hint)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
        mean_loss = torch.stack(losses).mean()
        if ranks > 1:
            distributed.all_reduce(mean_loss)
        train_loss = float(mean_loss) / ranks
        seconds = time.perf_counter() - started

        if rank == 0:
            scores = predict(network, power, rows["valid"], config, device)
            if not (math.isfinite(train_loss) and np.isfinite(scores).all()):
                raise RunError(f"{run}: epoch {epoch + 1} ends in numbers that are not finite")
            target = dataset.target[rows["valid"]]
            line = {
                "epoch": epoch + 1,
                "loss": train_loss,
                "valid_loss": float(binary_cross_entropy(torch.from_numpy(scores), torch.from_numpy(target))),
                "seconds": round(seconds, 2),
                **evaluate(dataset.truth[rows["valid"]], target, scores),
            }
            history.append(line)
            if line["valid_loss"] == min(past["valid_loss"] for past in history):
                runs.save(
                    run / "best.pt", {"model": network.state_dict(), "epoch": epoch + 1, "commit": code}
                )
            runs.write(run / "metrics.jsonl", "".join(json.dumps(past) + "\n" for past in history))
            state = {"model": pupil.state_dict(), "optimizer": optimizer.state_dict(), "history": history}
            state |= {"schedule": schedule.state_dict(), "fingerprint": [fingerprint, aims]}
            runs.save(run / "last.pt", state)
            say(f"{config.name} seed {recipe.seed} {json.dumps(line)}")

    if rank == 0:
        seconds = sum(line["seconds"] for line in history)
        macs, parameters = cost(config)
        outcome = {
            "config": config.name,
            "dataset": {"kind": dataset.kind, "name": dataset.root.resolve().name},
            "listed": dataset.listed,
            "clips": {name: len(found) for name, found in rows.items()},
            "fingerprint": fingerprint,
            "undefined": undefined,
            "recipe": recipe.as_dict(),
            "valid_loss": min(line["valid_loss"] for line in history),
            **_outcome_of_best(network, run, power, rows, dataset, config, device),
            "gmac": round(macs / 1e9, 4),
            "parameters": parameters,
            "bytes_per_clip": bytes_per_clip(config),
            "seconds": round(seconds, 1),
            "clips_per_second": round(recipe.epochs * len(clips) / seconds, 2),
            "device": describe(device) + (f", {ranks} of them" if ranks > 1 else ""),
            "precision": str(dtype).removeprefix("torch."),
        }
        runs.write(run / "result.json", json.dumps(outcome, indent=1))
        (run / "last.pt").unlink()
        outcome["peak_gmac_per_second"] = round(ranks * peak(device))  # the run is complete without it
        runs.write(run / "result.json", json.dumps(outcome, indent=1))


def _outcome_of_best(
    network: nn.Module,
    run: Path,
    power: Array,
    rows: dict[str, NDArray[np.intp]],
    dataset: Dataset,
    config: Config,
    device: torch.device,
) -> dict[str, Any]:
    """Which epoch of the run is kept, and its scores on both splits; the predictions go into a file."""
    best = runs.best(run)
    network.load_state_dict(best["model"])
    held_out = np.concatenate([rows["valid"], rows["test"]])
    split = np.repeat(["valid", "test"], [len(rows["valid"]), len(rows["test"])])
    scores = predict(network, power, held_out, config, device)
    np.savez_compressed(
        run / "predictions.npz",
        paths=np.array(dataset.paths)[held_out],
        split=split,
        truth=dataset.truth[held_out],
        scores=scores,
    )
    figures = {
        name: evaluate(dataset.truth[rows[name]], dataset.target[rows[name]], scores[split == name])
        for name in ("valid", "test")
    }
    return {"epoch": best["epoch"], "commit": best["commit"], "scores": figures}


def _takes(dataset: Dataset, config: Config, cache: Path, recipe: Recipe) -> Clips:
    """The training clips at every speed, each with the labels that the recipe aims at."""
    powers, rows, targets, hints = [], [], [], []
    embeddings = teacher_embeddings(dataset) if recipe.hints else np.empty((len(dataset.ids), 0), np.float32)
    for speed in recipe.speeds:
        take = replace(dataset, speed=speed)
        power, usable = mel_power(take, config, cache)
        train, target = take.rows("train", usable), take.target
        if recipe.segments or speed != 1:
            labels = segment_labels(take, cache)
            if np.isnan(labels[train]).any():
                raise RunError(
                    f"{dataset.root}: clips have come since its segments were labelled: 'python -m train "
                    f"label --labels {dataset.origin['labels']} --speed {speed:g}' does it anew"
                )
            target = labels if recipe.segments else labels.mean(axis=1)
        elif recipe.known and dataset.known is not None:
            target = with_known(target, dataset, recipe.known)
        told = standardised(embeddings, train)
        powers.append(power)
        rows.append(train)
        targets.append(target[train])
        hints.append(told if speed == 1 else np.full_like(told, np.nan))  # they heard it as it is
    return Clips(powers, rows, config.hop, targets, hints)


def with_known(target: Array, dataset: Dataset, floor: float) -> Array:
    """The targets [clips, outputs] with a floor for what the source of a clip itself names.

    Weak positives: of the acceptable tags of a clip the likeliest in each vocabulary gets at least `floor`.
    """
    assert dataset.known is not None
    raised = target.copy()
    vocabularies = np.array([vocabulary for vocabulary, _ in dataset.outputs])
    for vocabulary in np.unique(vocabularies):
        acceptable = dataset.known & (vocabularies == vocabulary)
        clips = np.flatnonzero(acceptable.any(axis=1))
        likeliest = np.where(acceptable[clips], target[clips], -1).argmax(axis=1)
        raised[clips, likeliest] = np.maximum(target[clips, likeliest], floor)
    return raised


def _agree(value: Any, run: Path, ranks: int) -> Any:
    """The value, once all processes have it."""
    values = [value] * ranks
    if ranks > 1:
        distributed.all_gather_object(values, value)
    if any(other != value for other in values):
        raise RunError(f"{run}: the processes do not find the same there, or not the same clips: {values}")
    return value


def _as_it_is(batch: Any) -> Any:
    return batch


def inherit(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Begin with the weights of the same architecture at another resolution.

    All of VGG-CNN's fit as they are; the filters of MUSICNN that span bands are resized to span the same
    part of the spectrum, with the same response to a flat one. A last layer of other outputs begins as it is.
    """
    fitting = {}
    for name, wanted in network.state_dict().items():
        given = weights[name]
        if given.shape != wanted.shape and given.ndim < 4:  # the last layer, of other outputs
            given = wanted
        elif given.shape != wanted.shape:
            height, width = wanted.shape[2:]
            given = interpolate(given, (height, width), mode="area") * (given.shape[2] / height)
        fitting[name] = given
    network.load_state_dict(fitting)


def random_segment(power: Tensor, frames: int) -> Tensor:
    """A segment of each clip, from anywhere in it: [batch, mels, any frames] to [batch, mels, frames]."""
    start = torch.randint(power.shape[2] - frames + 1, (len(power), 1), device=power.device)
    return segment_at(power, start, frames)


def network_input(power: Tensor, config: Config) -> Tensor:
    """Mel power [batch, mels, frames] to log-mel [batch, 1, mels, frames], as `autotag.audio.mel` has it."""
    db = config.log == "db"
    mel = 10 * torch.log10(power.clamp(min=1e-10)) if db else torch.log10(1 + 10000 * power)
    return mel[:, None].contiguous(memory_format=torch.channels_last)


def predict(
    network: nn.Module, power: Array, rows: NDArray[np.intp], config: Config, device: torch.device
) -> Array:
    """Mean scores over the segments of clips `rows` of the mel cache: [rows, tags]."""
    network.eval()
    count = len(list(segments([power[0, :, :: config.hop]], config.frames)))
    scores = []
    with torch.no_grad():
        for part in np.array_split(rows, -(-len(rows) * count // SEGMENTS)):
            cut = np.stack(
                [s for row in part for s in segments([power[row, :, :: config.hop]], config.frames)]
            )
            logits, _ = network(network_input(torch.from_numpy(cut).to(device), config))
            scores.append(logits.sigmoid().unflatten(0, (len(part), count)).mean(1).cpu().numpy())
    return np.concatenate(scores)


def _check(dataset: Dataset, rows: dict[str, NDArray[np.intp]]) -> dict[str, list[str]]:
    """Say which tags have no AUC in which split; fail now if training would fail later."""
    if min(len(found) for found in rows.values()) < 2:
        counts = " / ".join(str(len(found)) for found in rows.values())
        raise DataError(f"{dataset.root}: {counts} clips to train / validate / test on: all are needed")
    lacking = {split: undefined(dataset.truth[rows[split]]) for split in ("valid", "test")}
    for split, tags in lacking.items():
        if tags.all():
            raise DataError(f"{dataset.root}: no tag has both positive and negative clips in split {split!r}")
        if tags:
            say(
                f"{split}: {len(tags)} of {len(dataset.tags)} tags are without a positive or without a "
                f"negative clip, so they have no AUC and the mean is over the others: {', '.join(tags)}"
            )
    return undefined
