"""Score the clips of a split with an exported model, as the product would, and measure how well."""

import numpy as np
from numpy.typing import NDArray

from autotag.audio.mel import Array, compress
from autotag.audio.segments import segments
from autotag.models.model import Model
from train.console import progress
from train.data.dataset import Dataset
from train.errors import DataError
from train.measure.metrics import by_group, evaluate, roc_auc


def evaluate_split(
    model: Model, dataset: Dataset, power: Array, usable: NDArray[np.bool_], split: str
) -> dict[str, float]:
    """The metrics of a model on one split of a data set, and its ROC AUC by group: `train.measure.metrics`.

    Args:
        power, usable: the mel cache, as `train.data.cache.mel_power` gives it.
        split: `"train"`, `"valid"` or `"test"`.

    Raises:
        DataError: the model has other tags than the data set, or the split has no clips, or no tag that
            some of its clips have and others have not.
    """
    if model.metadata.tags != dataset.tags:
        raise DataError(
            f"{dataset.root}: the tags of its labels {dataset.origin['labels']!r} are not those of "
            f"{model.metadata.name}, which are of {model.metadata.vocabulary!r}: see --labels"
        )
    rows = dataset.rows(split, usable)
    if not len(rows):
        raise DataError(f"{dataset.root}: no clips in the split {split!r}")
    scores = clip_scores(model, power, rows)
    truth = dataset.truth[rows]
    return evaluate(truth, dataset.target[rows], scores) | by_group(dataset.tags, roc_auc(truth, scores))


def clip_scores(model: Model, power: Array, rows: NDArray[np.intp]) -> Array:
    """Mean scores over the segments of clips `rows` of the mel cache [clips, mels, frames]: [rows, tags]."""
    config = model.metadata.config
    scores = []
    for row in progress(rows, f"{config.name} {model.metadata.precision}"):
        spectrogram = compress(power[row][:, :: config.hop], config.log)
        cut = np.stack(list(segments([spectrogram], config.frames)))
        scores.append(model(cut)[0].mean(axis=0))
    return np.stack(scores)
