"""Recipes by name, and what of them depends on architecture and data set."""

import json
from pathlib import Path

import numpy as np
import pytest

from autotag.config import Config
from train.data import read
from train.errors import RunError
from train.fit import run as runs
from train.fit.loop import fit
from train.fit.plan import NAMES, Plan, name_of
from train.fit.recipe import RECIPES, Recipe


def test_the_schedule_of_the_scripts_fits_the_architecture() -> None:
    plan = Plan("scripts")
    assert plan.recipe("vgg", "mtat", 0) == RECIPES["study"]
    musicnn = plan.recipe("musicnn", "mtat", 3)
    assert (musicnn.epochs, musicnn.batch, musicnn.tenth, musicnn.seed) == (720, 32, 100, 3)
    assert plan.recipe("vgg", "msd", 0) == plan.recipe("musicnn", "msd", 0)
    assert plan.recipe("vgg", "msd", 0).epochs == 300
    assert plan.recipe("musicnn", "own", 0) == plan.recipe("musicnn", "mtat", 0)
    with pytest.raises(RunError, match="authors published none for crnn"):
        plan.recipe("crnn", "mtat", 0)


def test_a_recipe_is_known_by_its_name_unless_it_was_changed() -> None:
    for name in NAMES:
        assert name_of(Plan(name).recipe("musicnn", "msd", 5), "musicnn", "msd") == name
    assert name_of(Plan("study", {"epochs": 2}).recipe("vgg", "msd", 0), "vgg", "msd") == ""
    soft = Plan("soft", {"labels": "soft"}, ("mix",))
    assert soft.labels == "soft"
    assert "mix" in RECIPES["soft"].augment
    assert "mix" not in soft.recipe("vgg", "mtat", 0).augment
    assert Plan("scripts").labels == "annotations"


@pytest.mark.usefixtures("narrow")
def test_the_rate_is_stepped_and_patience_ends(
    data: Path, cache: Path, tmp_path: Path, rates: list[float]
) -> None:
    recipe = Recipe(epochs=30, batch=6, rate=1e-2, tenth=2, patience=3)
    fit(Config(hop=10), read(data), cache, tmp_path, recipe, "cpu")
    history = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [line["valid_loss"] for line in history]
    assert len(losses) == int(np.argmin(losses)) + 1 + recipe.patience < recipe.epochs
    expected = [recipe.rate * 0.1 ** (epoch // 2) for epoch in range(len(losses)) for _ in range(2)]
    np.testing.assert_allclose(rates, expected)
    outcome = runs.result(tmp_path)
    assert outcome is not None
    seconds = sum(line["seconds"] for line in history)
    assert outcome.clips_per_second == pytest.approx(12 * len(losses) / seconds, rel=1e-3)


def test_a_run_of_an_older_version_goes_on(tmp_path: Path) -> None:
    """It was written before a recipe could have patience."""
    wanted = {"config": "vgg-12k-48-x10-db", "recipe": Recipe().to_dict()}
    older = {name: value for name, value in Recipe().to_dict().items() if name not in ("patience", "tenth")}
    (tmp_path / "run.json").write_text(json.dumps(wanted | {"recipe": older}))
    runs.claim(tmp_path, wanted)
    with pytest.raises(RunError, match="holds another run"):
        runs.claim(tmp_path, wanted | {"recipe": Recipe(patience=2).to_dict()})
