"""The end of a run: its own weights with settled batch norms, or their mean with those it began with."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from autotag.config import Config
from train.data import read
from train.fit.device import join
from train.fit.loop import fit
from train.fit.predict import loss_of, predict
from train.fit.prepare import prepare
from train.fit.recipe import RECIPES
from train.fit.run import best, result, save
from train.fit.settle import ends
from train.networks import build

CONFIG = Config(hop=10)


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("rate", [0.3, 1e-6])
def test_a_run_ends_where_validation_is_best(rate: float, data: Path, cache: Path, tmp_path: Path) -> None:
    """After wild steps that is nearer to where it began; what the result says is of the weights it keeps."""
    dataset, recipe = read(data, "soft-all"), replace(RECIPES["soft"], epochs=2, batch=6)
    fit(CONFIG, dataset, cache, tmp_path / "before" / "seed-0", recipe, "cpu")
    run = tmp_path / "after" / "seed-0"
    after = replace(recipe, start="before", epochs=1, rate=rate, average=0.01)
    fit(CONFIG, dataset, cache, run, after, "cpu")
    outcome, own = result(run), (run / "metrics.jsonl").read_text("utf-8")
    assert outcome is not None
    assert not (run / "first.pt").exists()
    assert f'"valid_loss": {outcome.valid_loss}' not in own, "the epoch as it was"
    network = build(CONFIG, len(dataset.outputs), whole=True)
    network.load_state_dict(best(run)["model"])
    task = prepare(CONFIG, dataset, cache, tmp_path / "new" / "seed-0", recipe, join("cpu"))
    assert task is not None
    scores = predict(network, task.power, task.rows["valid"], CONFIG, task.device)
    assert loss_of(scores, dataset.target[task.rows["valid"]]) == pytest.approx(outcome.valid_loss, abs=1e-6)
    moved = [
        (best(run)["model"][name] - begun).norm() / begun.norm()
        for name, begun in best(tmp_path / "before" / "seed-0")["model"].items()
        if name.endswith("0.weight") and begun.ndim == 4
    ]
    assert max(moved) < 0.2


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
def test_the_mean_is_between_both(data: Path, cache: Path, tmp_path: Path) -> None:
    dataset, recipe = read(data, "soft-all"), replace(RECIPES["soft"], settle=False, average=0.25)
    task = prepare(CONFIG, dataset, cache, tmp_path / "seed-0", recipe, join("cpu"))
    assert task is not None
    first, last = ({"weight": torch.full((2,), value), "seen": torch.tensor(value)} for value in (1, 5))
    for weights in (first, last):
        weights["weight"] = weights["weight"].float()
    assert list(ends(task, last)) == []
    save(task.run / "first.pt", {"model": first})
    (mean,) = ends(task, last)
    assert mean["weight"].tolist() == [2.0, 2.0]
    assert mean["seen"] == 5, "a count is not averaged"
