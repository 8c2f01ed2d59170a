"""Clips a second of training, validation and reading, by configuration, on this machine.

    python benchmarks/training.py [--device cuda] [--config vgg-12k-48-x10-db ...] [--steps 20]

The clips are noise in a mel cache of its own. *read whole* takes all of a clip from it, *read* as much as the
network sees at once; *train* does a step of the study's recipe with reading, one after the other; *validate*
scores clips in batches of 16 segments, and of as many as on a GPU. What else runs shows: compare only what
one call printed.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from autotag.audio.mel import Array
from autotag.config import Config
from train.fit.clips import Clips
from train.fit.device import device_name, join, precision
from train.fit.inputs import network_input
from train.fit.predict import ON_A_GPU, network_scores
from train.fit.recipe import RECIPES
from train.measure.evaluate import AT_ONCE, clip_scores
from train.networks import build

CONFIGS = ("vgg-12k-48-x2-db", "vgg-12k-48-x10-db", "musicnn-12k-48-x1-db", "crnn-12k-48-x10-db")

CLIPS = 128
"""In the cache; as many are validated on."""

TAGS = 50


def main() -> None:
    """Print a row for each configuration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--config", nargs="+", default=CONFIGS)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--clips", type=int, default=CLIPS)
    asked = parser.parse_args()
    device, _, _ = join(asked.device)
    print(f"{device_name(device)}, {str(precision(device)).removeprefix('torch.')}; clips/s")
    print(
        f"| configuration | read whole | read | train | validate, {AT_ONCE} at once | validate, {ON_A_GPU} |"
    )
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.config:
            found = measured(Config.parse(name), device, asked.steps, asked.clips, Path(folder))
            print(f"| {name} | " + " | ".join(f"{rate:.1f}" for rate in found) + " |", flush=True)


def measured(config: Config, device: torch.device, steps: int, count: int, folder: Path) -> tuple[float, ...]:
    """Clips a second: read in whole, read as the network needs them, trained on, and validated on twice."""
    batch = RECIPES["study"].batch
    power = noise(Config("vgg", config.sr, config.mels, 1), count, folder)
    rows, rng = np.arange(count), np.random.default_rng(0)
    truth = (rng.random((count, TAGS)) < 0.1).astype(np.float32)
    nothing = np.zeros((count, 0), np.float32)
    whole, part = (
        Clips(power, rows, config.hop, frames, truth, nothing)
        for frames in (len(range(0, power.shape[2], config.hop)), config.frames)
    )
    network = build(config, TAGS).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)

    def step() -> None:
        places = part.places * rng.integers(count, size=batch) + rng.integers(part.places, size=batch)
        clips = part.__getitems__(places.tolist())
        mel = network_input(clips.power.to(device, non_blocking=True), config)
        low = precision(device) == torch.bfloat16
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            logits, _ = network.train()(mel)
        loss = binary_cross_entropy_with_logits(logits.float(), clips.target.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    score = network_scores(network, device)

    def validate(at_once: int) -> Callable[[], None]:
        network.eval()
        return lambda: void(clip_scores(score, config, power, rows, at_once))

    def read(clips: Clips) -> Callable[[], None]:
        return lambda: void(clips.__getitems__(rng.integers(count, size=batch).tolist()))

    step()
    return (
        *(rate(read(clips), steps, batch, device) for clips in (whole, part)),
        rate(step, steps, batch, device),
        *(rate(validate(at_once), 1, count, device) for at_once in (AT_ONCE, ON_A_GPU)),
    )


def noise(config: Config, count: int, folder: Path) -> Array:
    """Mel power of some clips, memory-mapped as the cache is."""
    shape = (count, config.mels, config.frames)
    power = np.lib.format.open_memmap(folder / f"{config.name}.npy", "w+", np.float32, shape)
    for clip in power:
        clip[:] = np.random.default_rng(0).exponential(0.01, clip.shape)
    return power


def rate(do: Callable[[], None], times: int, clips: int, device: torch.device) -> float:
    """Clips a second, of some calls that handle so many each."""
    started = time.perf_counter()
    for _ in range(times):
        do()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return times * clips / (time.perf_counter() - started)


def void(_: object) -> None:
    """What was computed is not needed."""


if __name__ == "__main__":
    main()
