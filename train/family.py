"""The models that come with autotag, and how each is trained from the opinions of published ones."""

from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import torch

from autotag.config import parse_model_name
from autotag.errors import ModelNotFound
from autotag.models.registry import ModelFile, find
from train.console import say
from train.data import read
from train.data.cache import training_segments
from train.errors import RunError
from train.export.publish import Words, export, is_published
from train.export.restore import restore
from train.fit.adopt import adopt
from train.fit.loop import fit
from train.fit.recipe import RECIPES, Recipe
from train.fit.run import alone

PRETRAINING = {
    "root-x10": "vgg-12k-48-x10-db",
    "root-x2": "vgg-12k-48-x2-db",
    "root-96": "vgg-12k-96-x2-db",
    "root-128": "vgg-12k-128-x1-db",
    "root-musicnn": "musicnn-12k-96-x1-db",
    "root-musicnn-16k": "musicnn-16k-48-x1-db",
}
"""Configurations that are trained for others to begin with, and not exported."""

RESTORE_SEGMENTS = 128
"""Training clips that the batch norms of a published model see again."""

_CLIP = RECIPES["soft"]
_NEXT = replace(_CLIP, rate=2e-4, epochs=2)
_GENTLE = replace(_NEXT, rate=1e-4)

BUNDLED: dict[str, Recipe] = {
    "root-x10": _CLIP,
    "root-x2": replace(_CLIP, rate=1e-3, epochs=14, start="root-x10"),
    "root-96": replace(_CLIP, rate=5e-4, epochs=6, start="root-x2"),
    "root-musicnn": replace(_CLIP, segments=True, known=0.0, epochs=60),
    "vgg-12k-48-x10-db": replace(_CLIP, rate=1e-3, epochs=16, start="root-x10"),
    "vgg-12k-48-x2-db": replace(_CLIP, rate=1e-3, epochs=4, start="root-x2"),
    "vgg-12k-48-x5-db": replace(_NEXT, start="vgg-12k-48-x2-db"),
    "vgg-12k-48-x4-db": replace(_NEXT, start="vgg-12k-48-x2-db"),
    "vgg-12k-48-x3-db": replace(_GENTLE, start="vgg-12k-48-x2-db"),
    "vgg-12k-48-x1-db": replace(_GENTLE, start="vgg-12k-48-x2-db"),
    "vgg-12k-32-x1-db": replace(_CLIP, rate=5e-4, epochs=3, start="vgg-12k-48-x1-db"),
    "vgg-12k-24-x1-db": replace(_CLIP, rate=1e-3, epochs=10, start="vgg-12k-48-x2-db"),
    "vgg-12k-16-x1-db": replace(_CLIP, rate=5e-4, epochs=2, start="vgg-12k-24-x1-db"),
    "vgg-12k-8-x1-db": replace(_CLIP, rate=1e-3, epochs=20, start="vgg-12k-48-x2-db"),
    "vgg-16k-48-x10-db": replace(_CLIP, rate=5e-4, epochs=4, start="vgg-12k-48-x10-db"),
    "vgg-12k-48-x10-log": replace(_CLIP, rate=1e-3, epochs=6, start="vgg-12k-48-x10-db"),
    "vgg-12k-96-x2-db": replace(_CLIP, rate=5e-4, epochs=2, start="root-96"),
    "vgg-12k-96-x1-db": replace(_GENTLE, epochs=1, start="vgg-12k-96-x2-db"),
    "root-128": replace(_CLIP, rate=5e-4, epochs=2, start="vgg-12k-96-x1-db"),
    "vgg-12k-128-x1-db": replace(_GENTLE, epochs=1, start="root-128"),
    "musicnn-12k-96-x1-db": replace(_CLIP, rate=1e-3, epochs=12, start="root-musicnn"),
    "musicnn-12k-48-x1-db": replace(_CLIP, rate=1e-3, epochs=8, start="musicnn-12k-96-x1-db"),
    "musicnn-16k-96-x1-db": replace(_CLIP, rate=1e-3, epochs=2, start="musicnn-12k-96-x1-db"),
    "root-musicnn-16k": replace(_CLIP, rate=1e-3, epochs=3, start="musicnn-12k-48-x1-db"),
    "musicnn-16k-48-x1-db": replace(_CLIP, rate=1e-3, epochs=3, start="root-musicnn-16k"),
}
"""The recipe of each model, after that of the one whose weights it begins with.

Beginning with another's weights takes a fraction of the epochs that beginning from nothing takes. MUSICNN,
which hears 3 s, needs labels of segments when it begins from nothing; later those of the clip will do, which
are their mean.
"""


def distill(
    root: Path,
    only: list[str],
    audio: str | None,
    cache: Path,
    work: Path,
    models: Path,
    words: Words,
    device: str,
) -> None:
    """Train and export the bundled models that match one of the patterns; start it again to go on.

    A model begins with the weights of its neighbour's run in `work`, or else of the neighbour as it is
    installed (`autotag.models.registry`). Those of `PRETRAINING` are not, so they are
    trained first.

    Raises:
        DataError, RunError: as `train.fit.loop.fit` and `train.export.publish.export` do; or a pattern
            matches none.
    """
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in BUNDLED):
            raise RunError(
                f"--only {pattern!r} matches none of the bundled models. They are {', '.join(BUNDLED)}."
            )
    wanted = {name for name in BUNDLED if any(fnmatchcase(name, pattern) for pattern in only)}
    for name, recipe in reversed(BUNDLED.items()):
        started = recipe.start is None or (work / recipe.start / f"seed-{recipe.seed}" / "best.pt").exists()
        if name in wanted and recipe.start in PRETRAINING and not started:
            wanted.add(recipe.start)
    for name, recipe in BUNDLED.items():
        if name not in wanted:
            continue
        run = work / name / f"seed-{recipe.seed}"
        dataset = read(root, recipe.labels, audio)
        if recipe.start is not None:
            _begin(recipe.start, work / recipe.start / run.name, root, audio, cache)
        with alone(run):
            fit(parse_model_name(PRETRAINING.get(name, name))[0], dataset, cache, run, recipe, device)
            if name not in PRETRAINING and not is_published(run, models, words):
                export(run, dataset, cache, models, words)


def restore_run(model: ModelFile, run: Path, root: Path, audio: str | None, cache: Path) -> None:
    """Make a complete run of a published model, for others to begin with or to be exported again.

    Args:
        root, audio: of the data set; see `train.data.read`.
    """
    config, metadata = model.metadata.config, model.metadata
    recipe = Recipe.from_dict(metadata.training["recipe"])
    dataset = read(root, recipe.labels, audio)
    seen = torch.from_numpy(training_segments(dataset, config, cache, RESTORE_SEGMENTS))
    with alone(run):
        weights = restore(model.path, config, seen[:, None], recipe.whole, recipe.bits).state_dict()
        calibrated = 0 < len(metadata.uncalibrated) < len(metadata.outputs)
        found = {"model": weights, "commit": metadata.commit, "calibrated": calibrated}
        adopt(config, dataset, cache, run, recipe, found, metadata.training["seconds"])
    say(f"{run}: the weights of {model.path}")


def _begin(name: str, run: Path, root: Path, audio: str | None, cache: Path) -> None:
    """Where a run to begin with is missing, put the weights of the installed model there."""
    if (run / "best.pt").exists():
        return
    with suppress(ModelNotFound):  # fit says what is missing
        restore_run(find(name), run, root, audio, cache)
