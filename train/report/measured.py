"""What is measured of the models for their card, and kept beside their manifest."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotag.audio.mel import Array
from autotag.models.model import Model
from autotag.models.registry import ModelFile
from autotag.speed.measure import clip_ms
from autotag.tagger import Tagger
from train.data.cache import mel_power
from train.data.dataset import Dataset
from train.errors import DataError
from train.export.calibration import reliability
from train.fit.run import write
from train.measure.evaluate import clip_scores, evaluate_split, for_model
from train.measure.intervals import interval
from train.measure.metrics import by_kind, evaluate, evaluate_outputs, pr_auc, roc_auc
from train.measure.robustness import robustness
from train.measure.sounds import heard

MEASURED = "measured.json"
"""Beside the manifest: by model, the sha256 of what was measured, the clips' fingerprint, and the figures."""

FEWEST = 30
"""Clips of a kind of source that are measured on their own."""

ROUNDS = 15
"""Times that each model is timed, in turns with all others."""


def measure(files: list[ModelFile], folder: Path, dataset: Dataset, cache: Path) -> dict[str, Any]:
    """Measure the models that have changed since, or on other clips, and time all of them."""
    path = folder / MEASURED
    before: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    clips = dataset.fingerprint(dataset.present)
    found = {
        file.name: before[file.name]
        for file in files
        if {"sha256": file.sha256, "clips": clips}.items() <= before.get(file.name, {}).items()
    }
    new = [file for file in files if file.name not in found]
    said = heard([Tagger(file.path, threads=1) for file in new]) if new else []
    for file, sounds in zip(new, said, strict=True):
        figures = {"sha256": file.sha256, "clips": clips, "sounds": sounds}
        found[file.name] = figures | _figures(file, dataset, cache)
        write(path, json.dumps(before | found, indent=1) + "\n")
    for file, milliseconds in zip(files, clip_ms(files, ROUNDS, 1, "model"), strict=True):
        found[file.name]["ms"] = round(milliseconds, 2)
    write(path, json.dumps({file.name: found[file.name] for file in files}, indent=1) + "\n")
    return found


def _figures(file: ModelFile, dataset: Dataset, cache: Path) -> dict[str, Any]:
    """What the model says of clips: of disturbed ones only if it has several vocabularies."""
    model = Model(file.path, threads=1, sha256=file.sha256)
    power, usable = mel_power(dataset, file.metadata.config, cache)
    own, rows = for_model(dataset, model), dataset.rows("test", usable)
    scores = clip_scores(lambda cut: model(cut)[0], file.metadata.config, power, rows)
    known = None if own.known is None else own.known[rows]
    several = len(file.metadata.vocabularies) > 1
    return {
        "valid": evaluate_split(model, dataset, power, usable, "valid"),
        "test": evaluate_outputs(own.outputs, own.truth[rows], own.target[rows], scores, known),
        "intervals": _intervals(own, rows, scores),
        "kinds": _rounded(by_kind(own.outputs, roc_auc(own.truth[rows], scores))),
        "sources": _by_source(own, rows, scores),
        "tags": _by_tag(own, rows, scores),
        "reliability": _reliability(own, rows, scores, file),
        "robustness": robustness([model], dataset, usable)[0] if several else {},
    }


def _by_vocabulary(dataset: Dataset) -> dict[str, NDArray[np.bool_]]:
    """The outputs of each vocabulary, [outputs]."""
    of = np.array([vocabulary for vocabulary, _ in dataset.outputs])
    return {vocabulary: of == vocabulary for vocabulary in dict.fromkeys(of.tolist())}


def _evaluated(dataset: Dataset, rows: NDArray[np.intp], scores: Array) -> dict[str, dict[str, float]]:
    """`evaluate` by vocabulary, for the clips `rows` and their scores [rows, outputs]."""
    return {
        vocabulary: evaluate(
            dataset.truth[rows][:, own],
            dataset.target[rows][:, own],
            scores[:, own],
            None if dataset.known is None else dataset.known[rows][:, own],
        )
        for vocabulary, own in _by_vocabulary(dataset).items()
    }


def _groups(dataset: Dataset, rows: NDArray[np.intp]) -> NDArray[np.str_]:
    """What to resample: groups of clips, or clips where nobody says what is alike."""
    return np.array(dataset.ids)[rows] if dataset.groups is None else dataset.groups[rows]


def _intervals(dataset: Dataset, rows: NDArray[np.intp], scores: Array) -> dict[str, dict[str, list[float]]]:
    """By vocabulary, the ends of the interval of each metric."""

    def metrics(drawn: NDArray[np.intp]) -> dict[str, float]:
        try:
            found = _evaluated(dataset, rows[drawn], scores[drawn])
        except DataError:  # a sample in which no tag has an AUC
            return {}
        return {f"{v}/{name}": value for v, values in found.items() for name, value in values.items()}

    found: dict[str, dict[str, list[float]]] = {}
    for name, ends in interval(metrics, _groups(dataset, rows)).items():
        vocabulary, metric = name.split("/")
        if metric not in ("tags", "clips", "known_clips"):
            found.setdefault(vocabulary, {})[metric] = [round(end, 4) for end in ends]
    return found


def _by_source(dataset: Dataset, rows: NDArray[np.intp], scores: Array) -> dict[str, dict[str, Any]]:
    """By kind of source, for those of `FEWEST` clips or more: the metrics by vocabulary."""
    if dataset.kinds is None:
        return {}
    kinds, counts = np.unique(dataset.kinds[rows], return_counts=True)
    found = {}
    for kind in kinds[counts >= FEWEST]:
        here = dataset.kinds[rows] == kind
        found[str(kind)] = {v: _rounded(m) for v, m in _evaluated(dataset, rows[here], scores[here]).items()}
    return found


def _by_tag(dataset: Dataset, rows: NDArray[np.intp], scores: Array) -> list[list[Any]]:
    """Vocabulary, tag, clips that have it, ROC AUC and PR AUC of every output; None for no AUC."""
    truth = dataset.truth[rows]
    areas = roc_auc(truth, scores), pr_auc(truth, scores)
    return [
        [*output, int(count), *(None if np.isnan(value) else round(float(value), 4) for value in values)]
        for output, count, *values in zip(dataset.outputs, truth.sum(axis=0), *areas, strict=True)
    ]


def _reliability(
    dataset: Dataset, rows: NDArray[np.intp], scores: Array, file: ModelFile
) -> list[list[float]]:
    """For each tenth of calibrated scores: begin, count, mean, share that is true, its interval."""
    calibrated = [output not in file.metadata.uncalibrated for output in dataset.outputs]
    if dataset.begins is None or not any(calibrated):
        return []
    has = (dataset.target[rows] >= dataset.begins)[:, calibrated].astype(np.float32)
    said = scores[:, calibrated]

    def shares(drawn: NDArray[np.intp]) -> dict[str, float]:
        return {str(begin): share for begin, _, _, share in reliability(has[drawn], said[drawn])}

    ends = interval(shares, _groups(dataset, rows))
    return [[*row, *(round(end, 3) for end in ends[str(row[0])])] for row in reliability(has, said)]


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
