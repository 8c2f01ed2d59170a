"""The grid of the study: every configuration and run once, shared by any number of processes."""

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import torch

from autotag.config import GRID, RESOLUTIONS, Config, configurations
from autotag.models.registry import models
from train.console import say
from train.data.dataset import Dataset
from train.errors import RunBusy, RunError, RunsFailed
from train.export.publish import to_fp32
from train.fit.loop import fit
from train.fit.plan import Plan
from train.fit.run import alone
from train.networks import cost, pooling

NOTE = (
    "Frames and GMAC are of one segment, of 29.1 s for VGG-CNN and 3 s for MUSICNN. "
    "time:, bands: max-pooling of each block."
)


def choose(arch: str, only: Iterable[str]) -> list[Config]:
    """Configurations of an architecture, or `"all"` of the study's, that match one of the patterns.

    The cheapest come first.

    Raises:
        RunError: there is no such architecture, or a pattern matches none.
    """
    if arch not in (*RESOLUTIONS, "all"):
        raise RunError(f"--arch {arch!r} is not an architecture. Use {', '.join(RESOLUTIONS)} or all.")
    configs = GRID if arch == "all" else configurations(arch)
    patterns = tuple(only) or ("*",)
    for pattern in patterns:
        if not any(fnmatchcase(config.name, pattern) for config in configs):
            raise RunError(
                f"--only {pattern!r} matches no configuration of {arch}. Write one such as {configs[0].name}."
            )
    chosen = [config for config in configs if any(fnmatchcase(config.name, p) for p in patterns)]
    return sorted(chosen, key=lambda config: cost(config)[0])


def listing(configs: Iterable[Config]) -> str:
    """The study's Tables 2 and 3 for people: a line a configuration, with whether it is installed."""
    installed = {file.metadata.config for file in models().values()}
    rows = [["configuration", "frames", "time:", "bands:", "GMAC", "parameters", "installed"]]
    for config in configs:
        macs, parameters = cost(config)
        pools = (" ".join(map(str, sizes)) or "all" for sizes in pooling(config))
        costs = f"{macs / 1e9:.3f}", f"{parameters:,}"
        rows.append([config.name, str(config.frames), *pools, *costs, "yes" if config in installed else "no"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([name.ljust(widths[0]), *(map(str.rjust, cells, widths[1:]))]) for name, *cells in rows
    ]
    return "\n".join([*lines, NOTE])


def study(
    configs: list[Config], seeds: int, dataset: Dataset, cache: Path, work: Path, plan: Plan, device: str
) -> None:
    """Train each configuration with each seed into `work/NAME/seed-N`, with an ONNX file in float32.

    A run that is complete is skipped, one that was interrupted goes on, one that another process is at is
    waited for at the end, and one that fails is said then.

    Raises:
        DataError: as `train.fit.loop.fit` does.
        RunsFailed: some of them did.
        RunError: torchrun started this process.
    """
    if "WORLD_SIZE" in os.environ:
        raise RunError(
            "'study' takes one GPU, torchrun several. Start it once per GPU instead: they share the grid."
        )
    rest = [(config, seed) for seed in range(seeds) for config in configs]
    failed = []
    for wait in (False, True):
        busy = []
        for config, seed in rest:
            run = work / config.name / f"seed-{seed}"
            try:
                recipe = plan.recipe(config.arch, dataset.kind, seed)
                with alone(run, wait):
                    fit(config, dataset, cache, run, recipe, device)
                    if not (run / f"{config.name}.fp32.onnx").exists():
                        to_fp32(run, dataset, cache)
            except RunBusy:
                busy.append((config, seed))
            except (RunError, torch.OutOfMemoryError) as error:
                say(f"{config.name} seed {seed} failed: {error}")
                failed.append(str(run))
        if busy:
            say(f"waiting for {len(busy)} runs of other processes")
        rest = busy
    if failed:
        raise RunsFailed(
            f"{len(failed)} runs failed, the others are complete: {', '.join(failed)}. "
            "Start again to repeat them."
        )
