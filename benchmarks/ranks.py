"""What convolutions split in two cost and bring: accuracy, size and time in INT8 by their ranks.

    python benchmarks/ranks.py runs/vgg-12k-48-x2-db/seed-0 --data corpus 0,0,256 128,192,128

Each argument after the run has the ranks of three layers (`RANKS` of `train.networks.vgg` or of
`train.networks.musicnn`), 0 for one that stays whole. Accuracy is that of the clips to validate on, without
calibration; the time is the median of 15 rounds over 29.1 s on one thread, all in turns.
"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch

from autotag.audio.mel import Array
from autotag.models.model import Model
from train.data import read
from train.data.cache import mel_power, training_segments
from train.export.publish import to_int8, trained
from train.export.to_onnx import write_metadata
from train.fit.run import result
from train.measure.evaluate import clip_scores
from train.measure.metrics import evaluate_outputs


def first_output(model: Model, cut: Array) -> Array:
    """The scores of segments [n, mels, frames]."""
    return model(cut)[0]


arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
arguments.add_argument("run", type=Path)
arguments.add_argument("ranks", nargs="+")
arguments.add_argument("--data", type=Path, required=True)
arguments.add_argument("--cache", type=Path, default=Path("cache"))
asked = arguments.parse_args()
torch.set_num_threads(1)
outcome = result(asked.run)
assert outcome is not None, f"{asked.run}: not a complete run"
config, network = outcome.config, trained(asked.run, outcome)
dataset = read(asked.data, outcome.recipe.labels)
power, usable = mel_power(dataset, config, asked.cache)
rows = dataset.rows("valid", usable)
segments = round(29.1 * config.sr / 256 / config.hop / config.frames)
one = np.repeat(training_segments(dataset, config, asked.cache, 1)[:1], segments, axis=0)
metadata = Model(next(asked.run.glob("*.fp32.onnx"))).metadata
models = {}
for ranks in asked.ranks:
    sys.modules[type(network).__module__].RANKS = tuple(map(int, ranks.split(",")))  # type: ignore[attr-defined]
    path = asked.run / f"ranks-{ranks}.onnx"
    to_int8(network, config, dataset, asked.cache, path)
    write_metadata(path, metadata)
    models[ranks] = Model(path, threads=1), path
times: dict[str, list[float]] = {ranks: [] for ranks in models}
for _ in range(16):
    for ranks, (model, _) in models.items():
        begin = time.perf_counter()
        model(one)
        times[ranks].append(1000 * (time.perf_counter() - begin))
print("| ranks | MB | ms | ROC AUC, PR AUC by vocabulary |\n|---|---|---|---|")
for ranks, (model, path) in models.items():
    scores = clip_scores(partial(first_output, model), config, power, rows)
    found = evaluate_outputs(dataset.outputs, dataset.truth[rows], dataset.target[rows], scores)
    by = [found[v] for v in dict.fromkeys(v for v, _ in dataset.outputs) if v in found] or [found]
    accuracy = "; ".join(f"{m['roc_auc']:.4f}, {m['pr_auc']:.4f}" for m in by)
    print(f"| {ranks} | {path.stat().st_size / 1e6:.1f} | {median(times[ranks][1:]):.1f} | {accuracy} |")
    path.unlink()
