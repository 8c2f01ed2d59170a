"""The clips to train on, batch by batch, and what each of them is aimed at."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DistributedSampler

from autotag.audio.mel import Array
from autotag.config import Config
from train.data.cache import mel_power, opened
from train.data.dataset import Dataset
from train.errors import RunError
from train.fit.augment import Batch
from train.fit.hints import standardised, teacher_embeddings
from train.fit.recipe import Recipe
from train.fit.teachers import segment_labels


class Clips(torch.utils.data.Dataset[Batch]):
    """Training clips, read from the memory-mapped cache a batch at a time; the map travels by its name.

    Of each clip as many frames are read as the network sees at once, from one of `places` on: clip and place
    are one number, `row * places + place`.

    Args:
        power: mel power of all clips [clips, mels, frames].
        rows: which of them to train on.
        hop: of the frames.
        frames: that are read of a clip.
        target: [rows, outputs] or [rows, patches, outputs].
        hint: [rows, d] or [rows, patches, d].
    """

    def __init__(
        self,
        power: Array,
        rows: NDArray[np.intp],
        hop: int,
        frames: int,
        target: NDArray[np.float32],
        hint: NDArray[np.float32],
    ) -> None:
        self.power, self.rows, self.hop, self.frames = power, rows, hop, frames
        self.target, self.hint = target, hint
        self.places = len(range(0, power[0].shape[1], hop)) - frames + 1

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"power": cast(Any, self.power).filename}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, power=opened(Path(state["power"]), "r"))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A batch, target and hint of which may be [batch, patches, ...]."""
        chosen, places = np.divmod(np.asarray(indices), self.places)
        begins, length = self.hop * places, self.hop * (self.frames - 1) + 1
        power = np.stack(
            [
                self.power[row, :, begin : begin + length : self.hop]
                for row, begin in zip(self.rows[chosen], begins, strict=True)
            ]
        )
        return Batch(*map(torch.from_numpy, (power, self.target[chosen], self.hint[chosen])))


class Places(DistributedSampler[Any]):
    """Clips in an order of each epoch's own, each from a place on that is drawn for it."""

    dataset: Clips

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch, self.rank])
        for index in super().__iter__():
            yield index * self.dataset.places + int(rng.integers(self.dataset.places))


def training_clips(dataset: Dataset, config: Config, cache: Path, recipe: Recipe) -> Clips:
    """The training clips, each with what the recipe aims at.

    Raises:
        DataError: as `mel_power` and `teacher_embeddings` do.
        RunError: the recipe asks for labels of segments that nobody made.
    """
    power, usable = mel_power(dataset, config, cache)
    rows = dataset.rows("train", usable)
    if recipe.segments:
        target, embeddings = segment_labels(dataset, cache)
        if np.isnan(target[rows]).any():
            raise RunError(
                f"{dataset.root}: clips have come since its segments were labelled. Label them again: "
                "'python -m train label'."
            )
    else:
        target = dataset.target
        if recipe.known and dataset.known is not None:
            target = with_known(target, dataset, recipe.known)
        embeddings = teacher_embeddings(dataset) if recipe.hints else np.empty((len(target), 0), np.float32)
    hint = standardised(embeddings if recipe.hints else embeddings[..., :0], rows)
    # Labels of segments are found by their place in the whole clip.
    frames = len(range(0, power[0].shape[1], config.hop)) if recipe.segments else config.frames
    return Clips(power, rows, config.hop, frames, target[rows], hint)


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
