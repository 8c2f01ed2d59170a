"""What a training run needs before its first step: clips, labels and the folder, checked."""

import hashlib
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed

from autotag.audio.mel import Array
from autotag.config import Config
from train.console import say
from train.data.cache import mel_power
from train.data.dataset import Dataset
from train.errors import DataError, RunError
from train.fit import run as runs
from train.fit.clips import Clips, training_clips
from train.fit.recipe import Recipe
from train.measure.metrics import undefined


@dataclass(frozen=True)
class Task:
    """A run that is to be trained by this process, perhaps together with others.

    Attributes:
        cache: the folder of the mel cache.
        power: what it holds [clips, mels, frames at x1].
        rows: the clips of each split.
        clips: those to train on, with what they are aimed at.
        fingerprint: of the clips and labels, and of what training aims at.
        undefined: by split, the tags that have no AUC there.
        commit: what the code stands at.
        start: a run to begin with the weights of.
        rank, ranks: which of the processes this is, and how many there are.
    """

    config: Config
    dataset: Dataset
    recipe: Recipe
    run: Path
    cache: Path
    power: Array
    rows: dict[str, NDArray[np.intp]]
    clips: Clips
    fingerprint: list[str]
    undefined: dict[str, list[str]]
    commit: str
    start: Path | None
    device: torch.device
    rank: int
    ranks: int

    @property
    def first(self) -> bool:
        """Whether this process validates and writes."""
        return self.rank == 0


def prepare(
    config: Config,
    dataset: Dataset,
    cache: Path,
    run: Path,
    recipe: Recipe,
    place: tuple[torch.device, int, int],
) -> Task | None:
    """The task of training in the folder `run`, or None if that is done.

    Args:
        place: the device, and which of how many processes this is: `train.fit.device.join`.

    Raises:
        DataError, RunError: as `train.fit.loop.fit` does.
    """
    device, rank, ranks = place
    if recipe.batch % ranks or recipe.batch // ranks < 2:
        raise RunError(
            f"a batch of {recipe.batch} clips cannot be shared by {ranks} processes, 2 clips each. "
            "Start fewer."
        )
    start = run.parent.parent / recipe.start / run.name if recipe.start else None
    if start and (start / "last.pt").exists():
        raise RunError(f"{start}: not at its end, and {run} begins with its weights. Train it first.")
    if rank == 0:
        wanted = {"config": config.name, "data": dataset.origin, "recipe": recipe.to_dict()}
        runs.claim(run, wanted | {"processes": ranks})
    if ranks > 1:
        distributed.barrier()
    if agree(runs.result(run) is not None, run, ranks):
        (run / "last.pt").unlink(missing_ok=True)
        return None
    power, usable = _shared_cache(partial(mel_power, dataset, config, cache), ranks)
    if not usable.all():
        say(f"{(~usable).sum()} of {len(usable)} clips are left out: 'python -m train prepare' lists them")
    rows = {split: dataset.rows(split, usable) for split in ("train", "valid", "test")}
    lacking = _without_auc(dataset, rows)
    clips = training_clips(dataset, config, cache, recipe)
    aims = hashlib.sha256(clips.target.tobytes() + clips.hint.tobytes()).hexdigest()
    return Task(
        config=config,
        dataset=dataset,
        recipe=recipe,
        run=run,
        cache=cache,
        power=power,
        rows=rows,
        clips=clips,
        fingerprint=[dataset.fingerprint(usable), aims],
        undefined=lacking,
        commit=runs.commit(),
        start=start,
        device=device,
        rank=rank,
        ranks=ranks,
    )


def _shared_cache(open_cache: Any, ranks: int) -> tuple[Array, NDArray[np.bool_]]:
    """Mel power [clips, mels, frames] and usable clips: the first process of each machine fills the cache."""
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    if not first:
        distributed.barrier()
    found: tuple[Array, NDArray[np.bool_]] = open_cache()
    if first and ranks > 1:
        distributed.barrier()
    return found


def _without_auc(dataset: Dataset, rows: dict[str, NDArray[np.intp]]) -> dict[str, list[str]]:
    """The tags that have no AUC in each split, and how many they are is said; fail now if all are."""
    if min(len(found) for found in rows.values()) < 2:
        counts = " / ".join(str(len(found)) for found in rows.values())
        raise DataError(
            f"{dataset.root}: {counts} clips to train / validate / test on. All three are needed."
        )
    lacking = {split: undefined(dataset.truth[rows[split]]) for split in ("valid", "test")}
    for split, tags in lacking.items():
        if tags.all():
            raise DataError(
                f"{dataset.root}: no tag has both positive and negative clips in split {split!r}. "
                "Use more clips."
            )
    if any(tags.any() for tags in lacking.values()):
        counts = ", ".join(f"{tags.sum()} of {len(tags)} in {split}" for split, tags in lacking.items())
        say(f"tags with too few positive or negative clips for an AUC: {counts} (-v names them)")
    names = np.array(dataset.names)
    found = {split: names[tags].tolist() for split, tags in lacking.items()}
    for split, tags in found.items():
        say(f"no AUC in {split}: {', '.join(tags)}", detail=True)
    return found


def agree(value: Any, run: Path, ranks: int) -> Any:
    """The value, once all processes have it.

    Raises:
        RunError: they have others.
    """
    values = [value] * ranks
    if ranks > 1:
        distributed.all_gather_object(values, value)
    if any(other != value for other in values):
        raise RunError(
            f"{run}: the processes do not find the same there, or not the same clips: {values}. "
            "Give all of them the same folders."
        )
    return value
