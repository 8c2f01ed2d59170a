"""The models that come with autotag, and how each is trained from the opinions of published ones."""

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from autotag.config import parse_model_name
from train.datasets import read
from train.errors import RunError
from train.export import Words, export, is_published
from train.fit import RECIPES, Recipe, fit
from train.runs import alone

ROOTS = {"root-x10": "vgg-12k-48-x10-db", "root-x2": "vgg-12k-48-x2-db"}
"""Configurations that are trained for others to begin with, and not exported."""

_NEXT = replace(RECIPES["soft"], rate=5e-4)
_SEGMENT = replace(RECIPES["soft"], segments=True, prior=True)
_SEGMENT_NEXT = replace(_SEGMENT, rate=5e-4)

FAMILY: dict[str, Recipe] = {
    "root-x10": replace(RECIPES["soft"], augment=("roll", "gain", "tilt", "mix")),
    "root-x2": replace(_NEXT, epochs=16, start="root-x10"),
    "vgg-12k-48-x2-db": replace(RECIPES["soft"], epochs=24, start="root-x2"),
    "vgg-12k-48-x10-db": replace(_NEXT, epochs=20, start="root-x2"),
    "msd-vgg-12k-48-x10-db": replace(_NEXT, labels="soft-msd", epochs=16, start="vgg-12k-48-x10-db"),
    "msd-vgg-12k-48-x2-db": replace(_NEXT, labels="soft-msd", epochs=16, start="vgg-12k-48-x2-db"),
    "vgg-12k-48-x5-db": replace(_NEXT, epochs=16, start="vgg-12k-48-x2-db"),
    "vgg-12k-48-x4-db": replace(_NEXT, epochs=16, start="vgg-12k-48-x2-db"),
    "vgg-12k-48-x3-db": replace(_NEXT, epochs=16, start="vgg-12k-48-x2-db"),
    "vgg-12k-8-x1-db": replace(RECIPES["soft"], start="vgg-12k-48-x2-db"),
    "vgg-12k-24-x1-db": replace(_NEXT, epochs=16, start="vgg-12k-48-x2-db"),
    "vgg-12k-48-x1-db": replace(_NEXT, epochs=12, start="vgg-12k-48-x2-db"),
    "vgg-12k-96-x2-db": replace(_NEXT, epochs=12, start="vgg-12k-48-x2-db"),
    "vgg-12k-96-x1-db": replace(_NEXT, epochs=12, start="vgg-12k-96-x2-db"),
    "musicnn-12k-48-x1-db": replace(_SEGMENT, epochs=60),
    "musicnn-12k-96-x1-db": replace(_SEGMENT_NEXT, epochs=24, start="musicnn-12k-48-x1-db"),
    "musicnn-16k-48-x1-db": replace(_SEGMENT_NEXT, epochs=24, start="musicnn-12k-48-x1-db"),
    "musicnn-16k-96-x1-db": replace(_SEGMENT_NEXT, epochs=24, start="musicnn-12k-96-x1-db"),
    "msd-musicnn-12k-96-x1-db": replace(
        _SEGMENT_NEXT, labels="soft-msd", epochs=24, start="musicnn-12k-96-x1-db"
    ),
}
"""The recipe of each model, after that of the one whose weights it begins with.

Beginning with another's weights takes a fraction of the epochs that beginning from nothing takes.
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

    Raises:
        DataError, RunError: as `train.fit.fit` and `train.export.export` do, or a pattern matches none.
    """
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in FAMILY):
            raise RunError(f"--only {pattern!r} matches none of the family: {', '.join(FAMILY)}")
    for name, recipe in FAMILY.items():
        if not any(fnmatchcase(name, pattern) for pattern in only):
            continue
        run = work / name / f"seed-{recipe.seed}"
        dataset = read(root, recipe.labels, audio)
        with alone(run):
            fit(parse_model_name(ROOTS.get(name, name))[0], dataset, cache, run, recipe, device)
            if name not in ROOTS and not is_published(run, models, words):
                export(run, dataset, cache, models, words)
