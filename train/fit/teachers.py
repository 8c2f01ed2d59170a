"""Labels and hints of short segments, from published models that tag 3 s at a time.

A network that sees 3 s of a clip learns little from a label of all of it. A teacher here is an ONNX file
like those of musicnn (Pons and Serra, 2019): log-mel patches `logmel` [batch, 187, 96] at 16 kHz, which are
segments of `musicnn-16k-96-x1-log`, turned, to the probabilities `probs` [batch, tags] and, if it tells that,
what it computes before its last layer, `embedding` [batch, d].
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from torch import Tensor, arange, rand

from autotag.audio.mel import compress
from autotag.config import SEGMENT_FRAMES, Config
from autotag.system.cores import usable_cores
from autotag.system.files import replacing
from train.console import progress
from train.data.cache import folder_of, mel_power
from train.data.dataset import Dataset
from train.errors import DataError, RunError

TEACHER_INPUT = Config("musicnn", 16000, 96, 1, "log")
"""The configuration whose segments the teachers see."""

PATCHES = 10
"""Labelled segments of a clip: evenly spread, so that each begins about where the one before ends."""


def label(dataset: Dataset, teachers: Sequence[Path], cache: Path) -> Path:
    """Write what some teachers say of `PATCHES` segments of each training clip.

    Returns:
        an `.npz` file of `labels`, their mean probabilities, float32 [clips, patches, tags], and
        `embeddings`, one teacher's beside the other's, float16 [clips, patches, d]; NaN for clips that are
        not to train on.

    Raises:
        DataError: a file is no such model, or its tags are not as many as the data set's, or the data set has
            two vocabularies.
    """
    if dataset.vocabulary == "all":
        raise DataError(
            f"{dataset.root}: no teacher knows both vocabularies. Label with --labels soft, "
            "then with soft-msd."
        )
    power, usable = mel_power(dataset, TEACHER_INPUT, cache)
    sessions = [_session(teacher, len(dataset.tags)) for teacher in teachers]
    width = sum(port.shape[1] for session in sessions for port in session.get_outputs()[1:])
    labels = np.full((len(dataset.paths), PATCHES, len(dataset.tags)), np.nan, np.float32)
    embeddings = np.full((len(dataset.paths), PATCHES, width), np.nan, np.float16)
    for row in progress(dataset.rows("train", usable), "labels of segments"):
        logmel = compress(power[row], TEACHER_INPUT.log)
        patches = np.stack([logmel[:, start : start + TEACHER_INPUT.frames].T for start in _starts()])
        said = [session.run(None, {"logmel": patches}) for session in sessions]
        labels[row] = np.mean([probabilities for probabilities, *_ in said], axis=0)
        embeddings[row] = np.concatenate([told[1:] for told in said], axis=2)[0] if width else 0
    path = _path(dataset, dataset.vocabulary, cache)
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, labels=labels, embeddings=embeddings)
    return path


def segment_labels(dataset: Dataset, cache: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What `label` wrote for this data set, of two vocabularies side by side.

    Returns:
        labels [clips, patches, outputs] and embeddings [clips, patches, d].

    Raises:
        RunError: nothing yet.
    """
    found = []
    for vocabulary in dict.fromkeys(vocabulary for vocabulary, _ in dataset.outputs):
        path = _path(dataset, vocabulary, cache)
        if not path.exists():
            labels = {"mtat": "soft", "msd": "soft-msd"}[vocabulary]
            raise RunError(
                f"{path}: no labels of segments for {dataset.root}. 'python -m train label "
                f"--labels {labels}' makes them."
            )
        with np.load(path) as file:
            found.append((file["labels"], file["embeddings"].astype(np.float32)))
    every, told = zip(*found, strict=True)
    return np.concatenate(every, axis=2), np.concatenate(told, axis=2)


def labelled_segments(
    power: Tensor, labels: Tensor, hints: Tensor, config: Config
) -> tuple[Tensor, Tensor, Tensor]:
    """A segment from anywhere in each clip, with label and hint, between those of the two nearest patches.

    Args:
        power: mel power of whole clips [batch, mels, frames at x1].
        labels: of `PATCHES` segments of each clip [batch, patches, tags].
        hints: of the same [batch, patches, d].

    Returns:
        power [batch, mels, config.frames], labels [batch, tags] and hints [batch, d].
    """
    place = rand(len(power), 1, device=power.device)  # 0: the clip's begin, 1: the last segment
    start = (place * (power.shape[2] - config.frames)).round().long()
    position = place * (PATCHES - 1)
    before = position.long().clamp(max=PATCHES - 2)
    share, rows = position - before, arange(len(power), device=power.device)
    label, hint = (
        (1 - share) * told[rows, before[:, 0]] + share * told[rows, before[:, 0] + 1]
        for told in (labels, hints)
    )
    return segment_at(power, start, config.frames), label, hint


def segment_at(power: Tensor, start: Tensor, frames: int) -> Tensor:
    """The frames from `start` [batch, 1] on: [batch, mels, any frames] to [batch, mels, frames]."""
    index = start + arange(frames, device=power.device)
    return power.gather(2, index[:, None, :].expand(-1, power.shape[1], -1))


def _starts() -> NDArray[np.int64]:
    whole = SEGMENT_FRAMES["vgg", TEACHER_INPUT.sr]
    return np.linspace(0, whole - TEACHER_INPUT.frames, PATCHES).round().astype(int)


def _path(dataset: Dataset, vocabulary: str, cache: Path) -> Path:
    return folder_of(dataset, cache) / f"segments-{vocabulary}.npz"


def _session(path: Path, tags: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        shapes = {port.name: port.shape[1:] for port in (*session.get_inputs(), *session.get_outputs())}
    except Exception as error:  # onnxruntime's errors share no base class but this
        raise DataError(f"{path}: not an ONNX model that onnxruntime can load: {error}") from error
    if shapes.get("logmel") != [TEACHER_INPUT.frames, TEACHER_INPUT.mels] or shapes.get("probs") != [tags]:
        raise DataError(
            f"{path}: its inputs and outputs are {shapes}, where a teacher of {tags} tags has "
            f"'logmel' {[TEACHER_INPUT.frames, TEACHER_INPUT.mels]} and 'probs' {[tags]}"
        )
    return session
