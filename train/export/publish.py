"""A trained run as models: float32 in the run's folder, INT8 among the models, both measured."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import logit

from autotag.config import Config
from autotag.meaning import Output
from autotag.models.metadata import Metadata
from autotag.models.model import Model
from autotag.models.registry import MANIFEST, manifest
from autotag.system.files import replacing
from train.console import say
from train.data.cache import mel_power, training_segments
from train.data.dataset import Dataset
from train.errors import RunError
from train.export.calibration import LOWEST, Calibration, calibrate
from train.export.quantise import quantise
from train.export.to_onnx import parity, to_onnx, write_metadata
from train.fit.predict import network_scores
from train.fit.run import RunResult, all_results, best, result, write
from train.locks import in_turn
from train.measure.evaluate import metrics_of, segment_scores, split_scores
from train.measure.uncertain import means
from train.networks import build
from train.networks.network import Network

RANGES = 64
"""Training clips, at most, that the INT8 ranges are read from: the loudest of more widen them."""

SHRINKING = 1024
"""Training clips, at most, by which a network of 48 bands is shrunk before INT8."""


@dataclass(frozen=True)
class Words:
    """What a model's metadata shall say that the run does not know.

    Attributes:
        dataset: what it was trained on, by default the name of the data set's folder.
        label_source: where the labels came from, by default which of them.
        licence: of the weights.
    """

    dataset: str | None = None
    label_source: str | None = None
    licence: str = "not stated"

    def describe(self, metadata: Metadata) -> Metadata:
        """The metadata with these words."""
        dataset, label_source = self.dataset or metadata.dataset, self.label_source or metadata.label_source
        return replace(metadata, dataset=dataset, label_source=label_source, licence=self.licence)


def to_fp32(run: Path, dataset: Dataset, cache: Path) -> Path:
    """Write the best epoch of a complete run as ONNX in float32, with metadata, into the run's folder.

    Raises:
        RunError: the run is not complete, its clips have changed, or ONNX and torch disagree by over 1e-4.
    """
    outcome = _complete(run)
    return _to_fp32(run, outcome, trained(run, outcome), (), dataset, cache)


def export(run: Path, dataset: Dataset, cache: Path, models: Path, words: Words) -> Path:
    """Calibrate and quantise the best epoch of a run, measure both precisions, and publish INT8 in `models`.

    A run on annotations has learned what is true, and is not calibrated.

    Returns:
        The INT8 file; the folder changes at the very end.

    Raises:
        RunError: as `to_fp32` does.
        ModelError: the manifest in `models` is malformed.
    """
    if (models / MANIFEST).exists():
        manifest(models)  # fails now if it would fail after all the work
    outcome = _complete(run)
    config, network = outcome.config, trained(run, outcome)
    uncalibrated: tuple[Output, ...] = ()
    if dataset.begins is not None:
        fixed = dataset.begins < LOWEST
        uncalibrated = tuple(Output(*o) for o, left in zip(dataset.outputs, fixed, strict=True) if left)
        if not best(run).get("calibrated"):
            calibration_of(network, config, dataset, cache).fold(network)
    fp32 = _to_fp32(run, outcome, network, uncalibrated, dataset, cache)
    metadata = words.describe(Model(fp32).metadata)
    int8 = run / f"{config.name}.int8.onnx"
    to_int8(network, config, dataset, cache, int8)
    write_metadata(int8, replace(metadata, precision="int8"))
    power, usable = mel_power(dataset, config, cache)
    metrics: dict[str, dict[str, dict[str, Any]]] = {"fp32": {}, "int8": {}}
    for (precision, found), path in zip(metrics.items(), (fp32, int8), strict=True):
        for split in ("valid", "test"):
            scored = split_scores(Model(path), dataset, power, usable, split)
            found[split] = metrics_of(*scored)
            if split == "test" and precision == "int8":
                found[split]["resampled"] = means(*scored)
    write_metadata(fp32, replace(metadata, metrics=metrics))
    write_metadata(int8, replace(metadata, metrics=metrics, precision="int8"))
    return publish(int8, models)


def to_int8(network: Network, config: Config, dataset: Dataset, cache: Path, target: Path) -> None:
    """Write a network as ONNX in INT8, shrunk before; one of a third of 48 bands by thrice as many clips."""
    clips = SHRINKING * max(1, 48 // config.mels)
    seen = torch.from_numpy(training_segments(dataset, config, cache, clips))[:, None]
    to_onnx(network.shrunk(seen), config, target)
    quantise(target, target, training_segments(dataset, config, cache, RANGES))


def calibration_of(network: Network, config: Config, dataset: Dataset, cache: Path) -> Calibration:
    """What the clips to validate on tell of a network's scores."""
    assert dataset.begins is not None
    power, usable = mel_power(dataset, config, cache)
    rows = dataset.rows("valid", usable)
    scores = segment_scores(network_scores(network, torch.device("cpu")), config, power, rows)
    logits = logit(np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7))
    has = (dataset.target[rows] >= dataset.begins).astype(np.float32)
    return calibrate(logits, has, [vocabulary for vocabulary, _ in dataset.outputs], dataset.begins < LOWEST)


def publish(path: Path, models: Path) -> Path:
    """Copy a model into a folder of models, and its metadata, size and sha256 into the manifest there."""
    metadata = Model(path).metadata
    target, listing = models / f"{metadata.name}.onnx", models / MANIFEST
    data = path.read_bytes()
    models.mkdir(parents=True, exist_ok=True)
    waiting = f"{models}: another process adds a model: waiting for it"
    with in_turn(models.parent / f"{models.name}.lock", waiting):
        entries: dict[str, Any] = json.loads(listing.read_text("utf-8")) if listing.exists() else {}
        entries[metadata.name] = metadata.to_dict() | {
            "file": target.name,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        with replacing(target) as part:
            part.write_bytes(data)
        write(listing, json.dumps(dict(sorted(entries.items())), indent=1) + "\n")
    return target


def is_published(run: Path, models: Path, words: Words) -> bool:
    """Whether `models` lists the INT8 file of a run as it is, described by the same words."""
    file = next(run.glob("*.int8.onnx"), None)
    if file is None or not (models / MANIFEST).exists():
        return False
    if file.stat().st_mtime_ns < (run / "best.pt").stat().st_mtime_ns:
        return False
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return any(
        entry.sha256 == sha256 and entry.path.exists() and words.describe(entry.metadata) == entry.metadata
        for entry in manifest(models)
    )


def trained(run: Path, outcome: RunResult) -> Network:
    """The network of the best epoch of a run."""
    weights = best(run)["model"]
    bias = next(reversed(weights.values()))
    network = build(outcome.config, len(bias), outcome.recipe.whole, outcome.recipe.bits)
    network.load_state_dict(weights)
    return network.eval()


def best_runs(work: Path) -> list[Path]:
    """The complete run of each model under `work` whose validation loss is lowest."""
    chosen: dict[str, Path] = {}
    results = all_results(work)
    for run, outcome in results.items():
        if not run.parent.name.endswith(outcome.config.name):
            continue  # of `train.family.PRETRAINING`
        rival = chosen.setdefault(run.parent.name, run)
        if outcome.valid_loss < results[rival].valid_loss:
            chosen[run.parent.name] = run
    return list(chosen.values())


def _complete(run: Path) -> RunResult:
    outcome = result(run)
    if outcome is None:
        raise RunError(f"{run}: not a complete run. 'python -m train fit' or 'study' makes it.")
    return outcome


def _to_fp32(
    run: Path,
    outcome: RunResult,
    network: Network,
    uncalibrated: tuple[Output, ...],
    dataset: Dataset,
    cache: Path,
) -> Path:
    """Write a network of a run as ONNX in float32, with metadata, into the run's folder."""
    config = outcome.config
    _, usable = mel_power(dataset, config, cache)
    if dataset.fingerprint(usable) != outcome.fingerprint:
        raise RunError(
            f"{run}: the clips or labels of {dataset.root} are no longer those it was trained on. "
            "Bring them back, or train again."
        )
    metadata = Metadata(
        name=dataset.model_name(config),
        config=config,
        frames=config.frames,
        outputs=tuple(Output(*output) for output in dataset.outputs),
        uncalibrated=uncalibrated,
        dataset=dataset.name,
        label_source=outcome.recipe.labels,
        split=dataset.rule,
        precision="fp32",
        metrics={"fp32": outcome.metrics},
        training={
            "recipe": outcome.recipe.to_dict(),
            "clips": outcome.clips,
            "seconds": outcome.seconds,
            "device": outcome.device,
            "stored": outcome.stored,
        },
        gmac=outcome.gmac,
        parameters=outcome.parameters,
        commit=outcome.commit,
        licence=Words.licence,
    )
    path = run / f"{config.name}.fp32.onnx"
    with replacing(path) as part:
        to_onnx(network, config, part)
        write_metadata(part, metadata)
        difference = parity(network, Model(part), training_segments(dataset, config, cache, 8))
        say(f"{config.name}: torch and ONNX differ by at most {difference:.1e}")
    return path
