"""The clips to train on, batch by batch, and what each of them is aimed at."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from autotag.audio.mel import Array
from autotag.config import Config
from train.data.cache import mel_power
from train.data.dataset import Dataset
from train.errors import RunError
from train.fit.augment import Batch
from train.fit.hints import standardised, teacher_embeddings
from train.fit.recipe import Recipe
from train.fit.teachers import segment_labels


class Clips(torch.utils.data.Dataset[Batch]):
    """Training clips, read from memory-mapped caches a batch at a time; the maps travel by their names.

    Args:
        powers: mel power at each speed [clips, mels, frames].
        rows: which clips of each of them to train on.
        hop: of the frames.
        targets: for each of them, [rows, outputs] or [rows, patches, outputs].
        hints: for each of them, [rows, d].
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


def training_clips(dataset: Dataset, config: Config, cache: Path, recipe: Recipe) -> Clips:
    """The training clips at every speed, each with what the recipe aims at.

    Raises:
        DataError: as `mel_power` and `teacher_embeddings` do.
        RunError: the recipe asks for labels of segments that nobody made.
    """
    powers, rows, targets, hints = [], [], [], []
    embeddings = teacher_embeddings(dataset) if recipe.hints else np.empty((len(dataset.ids), 0), np.float32)
    for speed in recipe.speeds:
        at_speed = replace(dataset, speed=speed)
        power, usable = mel_power(at_speed, config, cache)
        train, target = at_speed.rows("train", usable), at_speed.target
        if recipe.segments or speed != 1:
            labels = segment_labels(at_speed, cache)
            if np.isnan(labels[train]).any():
                raise RunError(
                    f"{dataset.root}: clips have come since its segments were labelled. Label them again: "
                    f"'python -m train label --labels {dataset.origin['labels']} --speed {speed:g}'."
                )
            target = labels if recipe.segments else labels.mean(axis=1)
        elif recipe.known and dataset.known is not None:
            target = with_known(target, dataset, recipe.known)
        told = standardised(embeddings, train)
        powers.append(power)
        rows.append(train)
        targets.append(target[train])
        hints.append(told if speed == 1 else np.full_like(told, np.nan))  # the teachers heard it at speed 1
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
