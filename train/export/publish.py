"""Turn a trained run into self-describing ONNX files: float32 in the run's folder, INT8 among the models."""

import hashlib
import json
import logging
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from autotag.audio.mel import Array, compress
from autotag.audio.segments import segments
from autotag.config import Config
from autotag.models.metadata import KEY, Metadata
from autotag.models.model import Model
from autotag.models.registry import MANIFEST, manifest
from train.console import say
from train.data.cache import mel_power
from train.data.dataset import Dataset
from train.errors import RunError
from train.export.calibration import reliability, thresholds
from train.fit.run import all_results, asked, best, result, write
from train.locks import locked
from train.measure.evaluate import evaluate_split
from train.networks import build
from train.networks.low_rank import factorise
from train.networks.musicnn import MUSICNN, pool_early, silence_dead
from train.networks.vgg import VGG

CALIBRATION = 256
"""Training clips, at most, that the INT8 ranges are read from."""

FACTORISATION = 512
"""Likewise, that the last convolution of VGG-CNN is split by."""

TOLERANCE = 1e-4
"""Largest difference of scores and embeddings between torch and ONNX, both in float32."""


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


class Scorer(nn.Module):
    """A network as it is used: mel to scores in 0..1 and the embedding."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        logits, embedding = self.network(mel)
        return logits.sigmoid(), embedding


def to_fp32(run: Path, dataset: Dataset, cache: Path) -> Path:
    """Write the best epoch of a complete run as ONNX in float32, with metadata, into the run's folder.

    Raises:
        RunError: the run is not complete, its clips have changed, or ONNX and torch disagree by over 1e-4.
    """
    outcome = result(run)
    if outcome is None:
        raise RunError(f"{run}: not a complete run: 'python -m train fit' or 'study' makes it")
    config = Config.parse(outcome["config"])
    _, usable = mel_power(dataset, config, cache)
    if dataset.fingerprint(usable) != outcome["fingerprint"]:
        raise RunError(f"{run}: the clips or labels of {dataset.root} are no longer those it was trained on")
    network = trained(run, config, dataset)
    predictions = np.load(run / "predictions.npz")
    valid = predictions["split"] == "valid"
    truth, scores = predictions["truth"][valid], predictions["scores"][valid]
    training = {name: outcome[name] for name in ("recipe", "clips", "seconds", "device")}
    metadata = Metadata(
        name=dataset.model_name(config),
        config=config,
        frames=config.frames,
        vocabulary=dataset.vocabulary,
        tags=dataset.tags,
        thresholds=thresholds(truth, scores),
        reliability=reliability(truth, dataset.target[dataset.rows("valid", usable)], scores),
        dataset=dataset.root.resolve().name,
        label_source=outcome["recipe"]["labels"],
        split=dataset.rule,
        precision="fp32",
        scores={"fp32": outcome["scores"]},
        training=training,
        gmac=outcome["gmac"],
        parameters=outcome["parameters"],
        commit=outcome["commit"],
        licence=Words.licence,
    )
    path = run / f"{config.name}.fp32.onnx"
    part = path.with_suffix(".part")
    to_onnx(network, config, part)
    describe(part, metadata)
    difference = parity(network, Model(part), training_segments(dataset, config, cache, 8))
    say(f"{config.name}: torch and ONNX differ by at most {difference:.1e}")
    part.replace(path)
    return path


def export(run: Path, dataset: Dataset, cache: Path, models: Path, words: Words) -> Path:
    """Quantise the best epoch of a run to INT8, measure both precisions, and publish INT8 in `models`.

    Returns:
        The INT8 file; the folder changes at the very end.

    Raises:
        RunError: as `to_fp32` does.
        ModelError: the manifest in `models` is malformed.
    """
    if (models / MANIFEST).exists():
        manifest(models)  # fails now if it would fail after all the work
    fp32 = to_fp32(run, dataset, cache)
    metadata = words.describe(Model(fp32).metadata)
    int8 = run / f"{metadata.config.name}.int8.onnx"
    excerpts = training_segments(dataset, metadata.config, cache, CALIBRATION)
    network = trained(run, metadata.config, dataset)
    if isinstance(network, VGG):
        seen = torch.from_numpy(training_segments(dataset, metadata.config, cache, FACTORISATION))
        network = factorise(network, seen[:, None])
    elif isinstance(network, MUSICNN):
        network = pool_early(silence_dead(network))
    to_onnx(network, metadata.config, int8)
    quantize(int8, int8, excerpts)
    describe(int8, replace(metadata, precision="int8"))
    power, usable = mel_power(dataset, metadata.config, cache)
    scores = {
        precision: {
            split: evaluate_split(Model(path), dataset, power, usable, split)
            for split in metadata.scores["fp32"]
        }
        for precision, path in (("fp32", fp32), ("int8", int8))
    }
    describe(fp32, replace(metadata, scores=scores))
    describe(int8, replace(metadata, scores=scores, precision="int8"))
    return publish(int8, models)


def trained(run: Path, config: Config, dataset: Dataset) -> nn.Module:
    """The network of the best epoch of a run."""
    network = build(config, len(dataset.outputs), asked(run)["recipe"].get("whole", False))
    network.load_state_dict(best(run)["model"])
    return network


def best_runs(work: Path) -> list[Path]:
    """The complete run of each model under `work` whose validation loss is lowest."""
    chosen: dict[str, Path] = {}
    results = all_results(work)
    for run, outcome in results.items():
        if not run.parent.name.endswith(outcome["config"]):
            continue  # a root, see `train.family`
        rival = chosen.setdefault(run.parent.name, run)
        if outcome["valid_loss"] < results[rival]["valid_loss"]:
            chosen[run.parent.name] = run
    return list(chosen.values())


def training_segments(dataset: Dataset, config: Config, cache: Path, count: int) -> Array:
    """Segments [n, mels, frames] of training clips, spread over the whole split."""
    power, usable = mel_power(dataset, config, cache)
    rows = dataset.rows("train", usable)
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, count).astype(int))]
    excerpts = compress(power[chosen][:, :, :: config.hop], config.log)
    return np.stack([cut for excerpt in excerpts for cut in segments([excerpt], config.frames)])


def to_onnx(network: nn.Module, config: Config, path: Path) -> None:
    """Write the network in float32, with batch norms folded into the convolutions where they can be."""
    mel = torch.zeros(2, 1, config.mels, config.frames)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Scorer(network).eval(),
            (mel,),
            input_names=["mel"],
            output_names=["scores", "embedding"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:  # where in the source it comes from, with paths of this machine
        del node.metadata_props[:]
    onnx.save(model, path)


def parity(network: nn.Module, model: Model, spectrograms: Array) -> float:
    """Largest difference between the outputs of torch and ONNX for segments [n, mels, frames].

    Raises:
        RunError: it is over 1e-4.
    """
    with torch.no_grad():
        expected = Scorer(network).eval()(torch.from_numpy(spectrograms)[:, None])
    found = model(spectrograms)
    difference = max(float(np.abs(e.numpy() - f).max()) for e, f in zip(expected, found, strict=True))
    if not difference <= TOLERANCE:
        raise RunError(f"{model.metadata.name}: torch and ONNX differ by {difference}, over {TOLERANCE}")
    return difference


def quantize(source: Path, target: Path, spectrograms: Array) -> None:
    """Static INT8 (QDQ) of the convolutions but the first, calibrated on segments [n, mels, frames].

    Weights are per channel and of 7 bits, which no processor's 16-bit sums overflow. The first
    convolution stays in float32 because with one input channel INT8 slows it down, the dense layer and
    the sigmoid because scores of 8 bits would tie.
    """
    prepared = target.with_suffix(".part")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    first = next(node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv")
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    quantize_static(
        str(prepared),
        str(target),
        Calibration(spectrograms),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=[first],
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    logging.getLogger().setLevel(level)
    prepared.unlink()


class Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Feeds segments [n, mels, frames] to the calibration, one by one."""

    def __init__(self, spectrograms: Iterable[Array]) -> None:
        self._inputs: Iterator[dict[str, Array]] = ({"mel": s[None, None]} for s in spectrograms)

    def get_next(self) -> dict[str, Array] | None:
        return next(self._inputs, None)


def describe(path: Path, metadata: Metadata) -> None:
    """Write the metadata into an ONNX file, in place of what stood there."""
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {KEY: json.dumps(metadata.as_dict())})
    part = path.with_suffix(".described")
    onnx.save(model, part)
    part.replace(path)


def publish(path: Path, models: Path) -> Path:
    """Copy a model into a folder of models, and its metadata, size and sha256 into the manifest there."""
    metadata = Model(path).metadata
    target, listing = models / f"{metadata.name}.onnx", models / MANIFEST
    data = path.read_bytes()
    models.mkdir(parents=True, exist_ok=True)
    with locked(
        models.parent / f"{models.name}.lock", f"{models}: another process adds a model: waiting for it"
    ):
        entries: dict[str, Any] = json.loads(listing.read_text("utf-8")) if listing.exists() else {}
        entries[metadata.name] = metadata.as_dict() | {
            "file": target.name,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        part = models / f"{metadata.name}.part"
        part.write_bytes(data)
        part.replace(target)
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
