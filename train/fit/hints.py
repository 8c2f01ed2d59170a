"""Hints: a network that must also tell its teachers' embeddings learns more from a clip than its labels say.

`teacher_embeddings.npz` beside the labels holds the clips' ids, `clip_id` [clips], and for each published
model NAME what it computes before its last layer, `NAME_embedding` [clips, d], a mean over the clip. A linear
layer from our embedding to all of these, standardised, is trained along and thrown away (Romero et al.,
"FitNets", ICLR 2015).
"""

import zipfile

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from train.console import say
from train.data.dataset import Dataset
from train.errors import DataError
from train.networks.network import Network

FILE = "teacher_embeddings.npz"


def teacher_embeddings(dataset: Dataset) -> NDArray[np.float32]:
    """The embeddings of all teachers, one after the other: [clips, d], with d = 0 where there are none.

    Raises:
        DataError: the file is not such a file, or is of other clips.
    """
    path = dataset.root / FILE
    if not path.exists():
        say(f"{path}: no such file: trains without hints")
        return np.empty((len(dataset.ids), 0), np.float32)
    try:
        with np.load(path) as file:
            ids = [str(clip) for clip in file["clip_id"]]
            found = {name: file[name] for name in sorted(file.files) if name.endswith("_embedding")}
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a file of teachers' embeddings: {error}") from error
    for name, array in found.items():
        if array.ndim != 2 or len(array) != len(ids):
            raise DataError(f"{path}: {name} has the shape {array.shape}, where {len(ids)} clips are listed")
        if not np.isfinite(array).all():
            row = int(np.argwhere(~np.isfinite(array))[0, 0])
            raise DataError(f"{path}: {name}, row {row}, clip {ids[row]}: not all numbers are finite")
    if not found:
        raise DataError(f"{path}: no array in it is named NAME_embedding")
    for row, (wanted, clip) in enumerate(zip(dataset.ids, ids, strict=False)):
        if clip != wanted:
            raise DataError(f"{path}: row {row} is of clip {clip}, where the labels have clip {wanted}")
    if len(ids) != len(dataset.ids):
        raise DataError(f"{path}: it has {len(ids)} rows, where the labels have {len(dataset.ids)} clips")
    return np.concatenate([array.astype(np.float32) for array in found.values()], axis=1)


def standardised(embeddings: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """The embeddings [clips, ..., d] of the clips `rows`, with mean 0 and deviation 1 over these."""
    chosen = embeddings[rows]
    over = tuple(range(chosen.ndim - 1))
    deviation = np.maximum(chosen.std(axis=over), 1e-3)  # some are all but constant
    scaled: NDArray[np.float32] = (chosen - chosen.mean(axis=over)) / deviation
    return scaled


class Pupil(nn.Module):
    """A network with the layer that its hints are taken from: mel to (logits, told embeddings [batch, d])."""

    def __init__(self, network: Network, told: int) -> None:
        super().__init__()
        self.network = network
        self.teller = nn.Linear(network.width, told) if told else None

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        logits, embedding = self.network(mel)
        return logits, embedding[:, :0] if self.teller is None else self.teller(embedding)


def hint_loss(told: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error of the told embeddings [batch, d], without those that are NaN in `wanted`."""
    there = wanted.isfinite()
    error = (told.float() - wanted.nan_to_num()).square() * there
    return error.sum() / there.sum().clamp(min=1)
