"""Weights that were trained elsewhere, as a run like any other."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from autotag.config import Config
from train.data.dataset import Dataset
from train.fit import run as runs
from train.fit.device import join
from train.fit.loop import begin, checkpoint, finish
from train.fit.prepare import prepare
from train.fit.recipe import Recipe


def adopt(
    config: Config,
    dataset: Dataset,
    cache: Path,
    run: Path,
    recipe: Recipe,
    found: dict[str, Any],
    seconds: float,
) -> None:
    """Make a complete run in the folder `run` of weights that are there.

    Args:
        recipe: by which they were trained.
        found: the weights, the commit that the code stood at, and whether the scores are calibrated, as of
            `train.fit.run.best`.
        seconds: that training took.
    """
    task = prepare(config, dataset, cache, run, recipe, join("cpu"))
    if task is None:
        return
    task = replace(task, start=None, commit=found["commit"])
    training = begin(task)
    training.network.inherit(found["model"])
    checkpoint(task, training, epoch=-1, loss=0.0, seconds=seconds)
    runs.save(run / "best.pt", runs.best(run) | {"calibrated": found.get("calibrated", False)})
    finish(task, training)
