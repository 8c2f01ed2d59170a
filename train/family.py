"""The models that come with autotag, and how each is trained from the opinions of published ones."""

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import torch

from autotag.config import parse_model_name
from autotag.errors import ModelNotFound
from autotag.models.registry import find
from train.console import say
from train.data import read
from train.errors import RunError
from train.export.publish import Words, export, is_published, training_segments
from train.export.restore import restore
from train.fit.augment import STEPS
from train.fit.loop import RECIPES, Recipe, fit
from train.fit.run import alone, result, save

ROOTS = {
    "root-x10": "vgg-12k-48-x10-db",
    "root-musicnn": "musicnn-12k-48-x1-db",
    "root-musicnn-96": "musicnn-12k-96-x1-db",
    "root-musicnn-long": "musicnn-12k-96-x1-db",
    "root-musicnn-longer": "musicnn-12k-96-x1-db",
    "root-musicnn-msd": "musicnn-12k-96-x1-db",
}
"""Configurations that are trained for others to begin with, and not exported."""

SPEEDS = (1.0, 0.89, 1.12)
"""About two semitones down and up: each clip three times, so that an epoch is three."""

SEEN = 128
"""Training clips that the batch norms of a published model see again."""

_BOTH = RECIPES["soft"]
_NEXT = replace(_BOTH, rate=5e-4)
_SEGMENT = Recipe(
    labels="soft", epochs=40, batch=32, one_cycle=True, augment=tuple(STEPS), segments=True, prior=True
)
_SEGMENT_NEXT = replace(_SEGMENT, rate=5e-4, speeds=SPEEDS, prior=False)
_CLEAN = replace(_SEGMENT_NEXT, augment=("roll", "gain", "tilt", "noise"))  # not mixed
_MSD = replace(_SEGMENT, labels="soft-msd", rate=5e-4, prior=False)

FAMILY: dict[str, Recipe] = {
    "root-x10": _BOTH,
    "vgg-12k-48-x10-db": replace(_BOTH, epochs=40, start="root-x10"),
    "vgg-12k-48-x2-db": replace(_BOTH, rate=1e-3, epochs=14, start="vgg-12k-48-x10-db"),
    "vgg-12k-48-x5-db": replace(_NEXT, epochs=3, start="vgg-12k-48-x2-db"),
    "vgg-12k-48-x4-db": replace(_NEXT, epochs=3, start="vgg-12k-48-x2-db"),
    "vgg-12k-48-x3-db": replace(_NEXT, epochs=3, start="vgg-12k-48-x2-db"),
    "vgg-12k-8-x1-db": replace(_NEXT, rate=1e-3, epochs=8, start="vgg-12k-48-x2-db"),
    "vgg-12k-24-x1-db": replace(_NEXT, epochs=3, start="vgg-12k-48-x2-db"),
    "vgg-12k-48-x1-db": replace(_NEXT, epochs=3, start="vgg-12k-48-x2-db"),
    "vgg-12k-96-x2-db": replace(_NEXT, epochs=4, start="vgg-12k-48-x2-db"),
    "vgg-12k-96-x1-db": replace(_NEXT, epochs=2, start="vgg-12k-96-x2-db"),
    "root-musicnn": replace(_SEGMENT, epochs=60),
    "root-musicnn-96": replace(_SEGMENT_NEXT, rate=1e-3, epochs=5, start="root-musicnn"),
    "root-musicnn-long": replace(_SEGMENT_NEXT, rate=1e-3, epochs=8, start="root-musicnn-96"),
    "root-musicnn-longer": replace(_SEGMENT_NEXT, rate=1e-3, epochs=12, start="root-musicnn-long"),
    "musicnn-12k-96-x1-db": replace(_CLEAN, epochs=4, start="root-musicnn-longer"),
    "musicnn-12k-48-x1-db": replace(_SEGMENT_NEXT, epochs=3, start="root-musicnn"),
    "musicnn-16k-48-x1-db": replace(_SEGMENT_NEXT, epochs=3, start="musicnn-12k-48-x1-db"),
    "musicnn-16k-96-x1-db": replace(_CLEAN, epochs=5, start="root-musicnn-longer"),
    "root-musicnn-msd": replace(_MSD, epochs=16, start="root-musicnn-long"),
    "msd-musicnn-12k-96-x1-db": replace(_MSD, rate=1e-3, epochs=16, start="root-musicnn-msd"),
}
"""The recipe of each model, after that of the one whose weights it begins with.

Beginning with another's weights takes a fraction of the epochs that beginning from nothing takes. VGG-CNN
learns both vocabularies at once; MUSICNN, which learns labels of segments, one.
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
    """Train and export the models of the family that match one of the patterns; start it again to go on.

    A model begins with the weights of its neighbour's run in `work`, or else of the neighbour as it is at
    hand (`autotag.models.registry`); roots are not at hand, so they are trained first.

    Raises:
        DataError, RunError: as `train.fit.loop.fit` and `train.export.publish.export` do; or a pattern
            matches none.
    """
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in FAMILY):
            raise RunError(f"--only {pattern!r} matches none of the family: {', '.join(FAMILY)}")
    wanted = {name for name in FAMILY if any(fnmatchcase(name, pattern) for pattern in only)}
    for name, recipe in reversed(FAMILY.items()):
        trained = result(work / name / f"seed-{recipe.seed}")
        if name in wanted and recipe.start in ROOTS and not trained:
            wanted.add(recipe.start)
    for name, recipe in FAMILY.items():
        if name not in wanted:
            continue
        run = work / name / f"seed-{recipe.seed}"
        dataset = read(root, recipe.labels, audio)
        if recipe.start is not None:
            _begin(recipe.start, work / recipe.start / run.name, root, audio, cache)
        with alone(run):
            fit(parse_model_name(ROOTS.get(name, name))[0], dataset, cache, run, recipe, device)
            if name not in ROOTS and not is_published(run, models, words):
                export(run, dataset, cache, models, words)


def _begin(name: str, run: Path, root: Path, audio: str | None, cache: Path) -> None:
    """Where a run to begin with is missing, put the weights of the published model there."""
    if (run / "best.pt").exists():
        return
    try:
        entry = find(name)
    except ModelNotFound:
        return  # fit says what is missing
    config, metadata = entry.metadata.config, entry.metadata
    dataset = read(root, metadata.training["recipe"]["labels"], audio)
    seen = torch.from_numpy(training_segments(dataset, config, cache, SEEN))[:, None]
    with alone(run):
        state = restore(entry.path, config, seen).state_dict()
        save(run / "best.pt", {"model": state, "epoch": 0, "commit": metadata.commit})
    say(f"{run}: the weights of {entry.path}")
