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
from train.export.calibration import reliability
from train.fit.run import write
from train.measure.evaluate import clip_scores, evaluate_split, for_model
from train.measure.intervals import interval
from train.measure.metrics import by_kind, evaluate_outputs, roc_auc
from train.measure.robustness import robustness
from train.measure.sounds import heard
from train.measure.uncertain import by_tag, by_vocabulary, drawn_of, evaluated, intervals, means

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
        and "resampled" in before[file.name]  # which an older version did not keep
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
        "intervals": intervals(own, rows, scores),
        "resampled": _means(own, rows, scores),
        "kinds": _rounded(by_kind(own.outputs, roc_auc(own.truth[rows], scores))),
        "sources": _by_source(own, rows, scores),
        "tags": by_tag(own, rows, scores),
        "reliability": _reliability(own, rows, scores, file),
        "robustness": robustness([model], dataset, usable)[0] if several else {},
    }


def _means(dataset: Dataset, rows: NDArray[np.intp], scores: Array) -> dict[str, dict[str, list[float]]]:
    """`means` by vocabulary."""
    return {
        vocabulary: means(dataset.with_columns(np.flatnonzero(own).tolist()), rows, scores[:, own])
        for vocabulary, own in by_vocabulary(dataset).items()
    }


def _by_source(dataset: Dataset, rows: NDArray[np.intp], scores: Array) -> dict[str, dict[str, Any]]:
    """By kind of source, for those of `FEWEST` clips or more: the metrics by vocabulary."""
    if dataset.kinds is None:
        return {}
    kinds, counts = np.unique(dataset.kinds[rows], return_counts=True)
    found = {}
    for kind in kinds[counts >= FEWEST]:
        here = dataset.kinds[rows] == kind
        found[str(kind)] = {v: _rounded(m) for v, m in evaluated(dataset, rows[here], scores[here]).items()}
    return found


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

    ends = interval(shares, drawn_of(dataset, rows))
    return [[*row, *(round(end, 3) for end in ends[str(row[0])])] for row in reliability(has, said)]


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
