"""The first step of a network that begins with another's weights: it goes on from what that one knew."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autotag.config import Config
from train.data import read
from train.fit.device import join
from train.fit.hints import hint_loss
from train.fit.inputs import network_input
from train.fit.loop import begin, fit
from train.fit.prepare import prepare
from train.fit.recipe import RECIPES
from train.fit.run import best, save

CONFIG = Config(hop=10)


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
def test_a_calibrated_network_begins_where_it_was_before(data: Path, cache: Path, tmp_path: Path) -> None:
    """Its last layer takes back what calibration stretched, and the layer for hints knows something."""
    dataset, recipe = read(data, "soft-all"), replace(RECIPES["soft"], epochs=2, batch=6)
    before = tmp_path / "before" / "seed-0"
    fit(CONFIG, dataset, cache, before, recipe, "cpu")
    found = best(before)
    for name in ("dense.weight", "dense.bias"):
        found["model"][name] = 3 * found["model"][name] + (name == "dense.bias")
    save(before / "best.pt", found)

    task = prepare(CONFIG, dataset, cache, tmp_path / "run" / "seed-0", recipe, join("cpu"))
    assert task is not None
    losses = {}
    for start in (None, before):
        training = begin(replace(task, start=start))
        batches = list(training.loader)
        power, target, hint = (torch.cat(parts) for parts in zip(*batches, strict=True))
        if start is None:
            training.network.load_state_dict(found["model"])
        with torch.no_grad():
            logits, told = training.pupil.train()(network_input(power, CONFIG))
        losses[start] = (
            float(torch.nn.functional.binary_cross_entropy_with_logits(logits, target)),
            float(hint_loss(told, hint)),
        )
    (stretched, random), (fitted, knowing) = losses[None], losses[before]
    assert fitted < stretched - 0.05
    assert fitted < np.log(2), "a coin knows as much"
    assert knowing < min(random, 1.0), "the mean of all clips has an error of 1"
