"""The models that come with autotag, and how each is trained from the opinions of published ones."""

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from autotag.config import Config
from train.datasets import read
from train.errors import RunError
from train.export import Words, export, is_published
from train.fit import RECIPES, Recipe, fit
from train.runs import alone

FIRST = RECIPES["soft"]
NEXT = replace(FIRST, rate=5e-4)
SEGMENT = replace(FIRST, segments=True, prior=True, epochs=60)

FAMILY: dict[str, Recipe] = {
    "vgg-12k-48-x10-db": FIRST,
    "vgg-12k-48-x5-db": replace(NEXT, epochs=12, start="vgg-12k-48-x10-db"),
    "vgg-12k-48-x4-db": replace(NEXT, epochs=10, start="vgg-12k-48-x5-db"),
    "vgg-12k-48-x3-db": replace(NEXT, epochs=10, start="vgg-12k-48-x4-db"),
    "vgg-12k-48-x2-db": replace(NEXT, epochs=12, start="vgg-12k-48-x3-db"),
    "vgg-12k-8-x1-db": replace(NEXT, epochs=14, start="vgg-12k-48-x2-db"),
    "msd-vgg-12k-48-x10-db": replace(NEXT, labels="soft-msd", epochs=20, start="vgg-12k-48-x10-db"),
    "msd-vgg-12k-48-x2-db": replace(NEXT, labels="soft-msd", epochs=12, start="vgg-12k-48-x2-db"),
    "musicnn-12k-48-x1-db": SEGMENT,
    "musicnn-12k-96-x1-db": replace(SEGMENT, rate=5e-4, epochs=24, start="musicnn-12k-48-x1-db"),
    "vgg-12k-24-x1-db": replace(NEXT, epochs=8, start="vgg-12k-48-x2-db"),
    "vgg-12k-48-x1-db": replace(NEXT, epochs=6, start="vgg-12k-48-x2-db"),
    "vgg-12k-96-x2-db": replace(NEXT, epochs=6, start="vgg-12k-48-x2-db"),
    "musicnn-16k-96-x1-db": replace(SEGMENT, rate=5e-4, epochs=20, start="musicnn-12k-96-x1-db"),
    "musicnn-16k-48-x1-db": replace(SEGMENT, rate=5e-4, epochs=20, start="musicnn-12k-48-x1-db"),
    "msd-musicnn-12k-96-x1-db": replace(
        SEGMENT, labels="soft-msd", rate=5e-4, epochs=20, start="musicnn-12k-96-x1-db"
    ),
    "vgg-12k-96-x1-db": replace(NEXT, epochs=6, start="vgg-12k-96-x2-db"),
}
"""The recipe of each model, in an order in which what one starts from comes before it.

Most begin with the weights of a cheaper neighbour, which saves most of their epochs.
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
            fit(Config.parse(name.removeprefix("msd-")), dataset, cache, run, recipe, device)
            if not is_published(run, models, words):
                export(run, dataset, cache, models, words)
