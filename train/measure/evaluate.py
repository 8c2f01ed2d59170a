"""Score the clips of a split, as the product would: the mean over all of a clip's segments."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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
"""Segments that are scored at once on a CPU, whose caches hold no more."""

AHEAD = 2
"""Batches that are read while one is scored, where they are larger."""


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
    score: Callable[[Array], Array],
    config: Config,
    power: Array,
    rows: NDArray[np.intp],
    at_once: int = AT_ONCE,
) -> Array:
    """The scores of every segment of clips `rows` of the mel cache: [rows, segments, outputs].

    Args:
        score: log-mel segments [n, mels, frames] to scores [n, outputs].
        power: mel power at x1 [clips, mels, frames], as many frames of each clip.
        at_once: segments of a batch, about; batches of more than `AT_ONCE` are read ahead by a thread.
    """
    count = len(list(segments([power[0, :, :: config.hop]], config.frames)))
    parts = np.array_split(rows, -(-len(rows) * count // at_once))

    def read(part: NDArray[np.intp]) -> Array:
        clips = (compress(power[row][:, :: config.hop], config.log) for row in part)
        return np.stack([segment for clip in clips for segment in segments([clip], config.frames)])

    ahead = AHEAD if at_once > AT_ONCE else 0
    cuts = progress(_ahead(read, parts, ahead), f"{config.name} scores", len(parts))
    return np.concatenate([score(cut).reshape(len(cut) // count, count, -1) for cut in cuts])


def _ahead(
    read: Callable[[NDArray[np.intp]], Array], parts: list[NDArray[np.intp]], ahead: int
) -> Iterator[Array]:
    """What is read of each part, so many of them by a thread while the one before is used."""
    if not ahead:
        yield from map(read, parts)
        return
    with ThreadPoolExecutor(1) as thread:
        waiting: deque[Future[Array]] = deque()
        for part in parts:
            waiting.append(thread.submit(read, part))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def clip_scores(
    score: Callable[[Array], Array],
    config: Config,
    power: Array,
    rows: NDArray[np.intp],
    at_once: int = AT_ONCE,
) -> Array:
    """Mean scores over the segments of clips, from what `segment_scores` takes: [rows, outputs]."""
    means: Array = segment_scores(score, config, power, rows, at_once).mean(axis=1)
    return means
