"""Score the clips of a split, as the product would: the mean over all of a clip's segments."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotag.audio.mel import Array, compress
from autotag.audio.segments import segments
from autotag.config import Config
from autotag.models.model import Model
from train.console import progress
from train.data.dataset import Dataset
from train.errors import DataError
from train.measure.metrics import evaluate_outputs

AT_ONCE = 16
"""Segments that are scored at once."""


def evaluate_split(
    model: Model, dataset: Dataset, power: Array, usable: NDArray[np.bool_], split: str
) -> dict[str, Any]:
    """The metrics of a model on one split of a data set: `train.measure.metrics.evaluate_outputs`.

    The data set may have more outputs than the model.

    Args:
        power, usable: the mel cache, as `train.data.cache.mel_power` gives it.
        split: `"train"`, `"valid"` or `"test"`.

    Raises:
        DataError: the model has outputs that the data set lacks, or the split has no clips, or no tag that
            enough of its clips have and others have not.
    """
    return metrics_of(*split_scores(model, dataset, power, usable, split))


def split_scores(
    model: Model, dataset: Dataset, power: Array, usable: NDArray[np.bool_], split: str
) -> tuple[Dataset, NDArray[np.intp], Array]:
    """The data set with the outputs of a model, the clips of a split, and their scores [clips, outputs].

    Raises:
        DataError: as `evaluate_split` does.
    """
    rows = dataset.rows(split, usable)
    if not len(rows):
        raise DataError(f"{dataset.root}: no clips in the split {split!r}. Choose another one.")
    own = for_model(dataset, model)
    return own, rows, clip_scores(lambda cut: model(cut)[0], model.metadata.config, power, rows)


def metrics_of(dataset: Dataset, rows: NDArray[np.intp], scores: Array) -> dict[str, Any]:
    """`evaluate_outputs` for the clips `rows` and their scores [rows, outputs]."""
    known = None if dataset.known is None else dataset.known[rows]
    return evaluate_outputs(dataset.outputs, dataset.truth[rows], dataset.target[rows], scores, known)


def for_model(dataset: Dataset, model: Model) -> Dataset:
    """The data set with the outputs of a model, in its order.

    Raises:
        DataError: it lacks some of them.
    """
    columns = {output: column for column, output in enumerate(dataset.outputs)}
    outputs = model.metadata.outputs
    lacking = [output for output in outputs if output not in columns]
    if lacking:
        vocabulary, tag = lacking[0]
        raise DataError(
            f"{dataset.root}: its labels {dataset.origin['labels']!r} lack {len(lacking)} outputs of "
            f"{model.metadata.name}, for example {vocabulary}:{tag}. Choose others with --labels."
        )
    return dataset.with_columns([columns[output] for output in outputs])


def segment_scores(
    score: Callable[[Array], Array], config: Config, power: Array, rows: NDArray[np.intp]
) -> Array:
    """The scores of every segment of clips `rows` of the mel cache: [rows, segments, outputs].

    Args:
        score: log-mel segments [n, mels, frames] to scores [n, outputs].
        power: mel power at x1 [clips, mels, frames], as many frames of each clip.
    """
    count = len(list(segments([power[0, :, :: config.hop]], config.frames)))
    scores = []
    for part in progress(np.array_split(rows, -(-len(rows) * count // AT_ONCE)), f"{config.name} scores"):
        clips = (compress(power[row][:, :: config.hop], config.log) for row in part)
        cut = np.stack([segment for clip in clips for segment in segments([clip], config.frames)])
        scores.append(score(cut).reshape(len(part), count, -1))
    return np.concatenate(scores)


def clip_scores(
    score: Callable[[Array], Array], config: Config, power: Array, rows: NDArray[np.intp]
) -> Array:
    """Mean scores over the segments of clips, from what `segment_scores` takes: [rows, outputs]."""
    means: Array = segment_scores(score, config, power, rows).mean(axis=1)
    return means
