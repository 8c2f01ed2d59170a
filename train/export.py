"""Turn a trained run into self-describing ONNX files: float32 in the run's folder, INT8 among the models."""

import hashlib
import json
import logging
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from autotag.config import Config
from autotag.mel import Array, compress
from autotag.metadata import KEY, Metadata
from autotag.model import Model
from autotag.registry import MANIFEST, manifest
from autotag.segments import segments
from train.architectures import build, cost
from train.console import stderr
from train.datasets.mtat import FOLDERS, LABELS, read
from train.errors import RunError
from train.evaluate import evaluate_split
from train.features import mel_power

CALIBRATION = 128
"""Training clips, at most, that the INT8 ranges are read from."""

TOLERANCE = 1e-4
"""Largest difference of scores and embeddings between torch and ONNX, both in float32."""


class Scorer(nn.Module):
    """A network as it is used: mel to scores in 0..1 and the embedding."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        logits, embedding = self.network(mel)
        return logits.sigmoid(), embedding


def export(
    run: Path, models: Path | None, dataset: str | None, label_source: str | None, licence: str
) -> Path:
    """Export the best epoch of a run, measure both precisions, and publish INT8 among the models.

    Args:
        run: a folder that `train.fit` made.
        models: the folder for the INT8 file and the manifest, which change at the very end; by default
            `models` beside the run.
        dataset, label_source: what the metadata shall say of them, by default the names of the data
            set's folder and of its file of labels.
        licence: of the weights.

    Returns:
        The INT8 file.

    Raises:
        RunError: the folder is no run, or ONNX and torch disagree by more than 1e-4.
        ModelError: the manifest in `models` is malformed.
    """
    run = run.resolve()
    models = models or run.parent / "models"
    if (models / MANIFEST).exists():
        manifest(models)  # fails now if it would fail after all the work
    try:
        asked = json.loads((run / "run.json").read_text())
        best = torch.load(run / "best.pt", map_location="cpu")
    except FileNotFoundError as error:
        raise RunError(f"{error.filename}: no such file: 'python -m train fit' makes it") from error
    config = Config.parse(asked["config"])
    labels = asked["recipe"]["labels"]
    clips = read(Path(asked["data"]), labels)
    power, usable = mel_power(clips, config, run.parent)
    train_rows = np.flatnonzero(usable & (clips.split == "train"))
    chosen = train_rows[np.unique(np.linspace(0, len(train_rows) - 1, CALIBRATION).astype(int))]
    excerpts = compress(power[:, :, :: config.hop][chosen], config.log)
    spectrograms = np.stack([cut for excerpt in excerpts for cut in segments([excerpt], config.frames)])

    network = build(config)
    network.load_state_dict(best["model"])
    macs, parameters = cost(config)
    metadata = Metadata(
        name=config.name,
        config=config,
        frames=config.frames,
        tags=clips.tags,
        dataset=dataset or clips.root.name,
        label_source=label_source or LABELS[labels],
        split={"by": "folder", **FOLDERS},
        precision="fp32",
        scores={},
        gmac=round(macs / 1e9, 4),
        parameters=parameters,
        commit=best["commit"],
        licence=licence,
    )
    files = {precision: run / f"{config.name}.{precision}.onnx" for precision in ("fp32", "int8")}
    to_onnx(network, config, files["fp32"])
    describe(files["fp32"], metadata)
    difference = parity(network, Model(files["fp32"]), spectrograms[:8])
    stderr.print(f"{config.name}: torch and ONNX differ by at most {difference:.1e}", highlight=False)
    quantize(files["fp32"], files["int8"], spectrograms)
    describe(files["int8"], replace(metadata, precision="int8"))

    scores = {
        precision: {
            split: evaluate_split(Model(path), clips, power, usable, split) for split in ("valid", "test")
        }
        for precision, path in files.items()
    }
    for precision, path in files.items():
        describe(path, replace(metadata, scores=scores, precision=precision))
    return publish(files["int8"], models)


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
    onnx.save(program.model_proto, path)


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
    onnx.save(model, path)


def publish(path: Path, models: Path) -> Path:
    """Copy a model into a folder of models, and its metadata, size and sha256 into the manifest there."""
    metadata = Model(path).metadata
    target, listing = models / f"{metadata.name}.onnx", models / MANIFEST
    entries: dict[str, Any] = json.loads(listing.read_text("utf-8")) if listing.exists() else {}
    data = path.read_bytes()
    entries[metadata.name] = metadata.as_dict() | {
        "file": target.name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    models.mkdir(parents=True, exist_ok=True)
    part = models / f"{metadata.name}.part"
    part.write_bytes(data)
    part.replace(target)
    part.write_text(json.dumps(dict(sorted(entries.items())), indent=1) + "\n", "utf-8")
    part.replace(listing)
    return target
