"""What is asked of training: a recipe by its name, and changes to it."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from train.errors import RunError
from train.fit.recipe import RECIPES, Recipe
from train.fit.scripts import scripts

NAMES = (*RECIPES, "scripts")


@dataclass(frozen=True)
class Plan:
    """A recipe that may depend on architecture and data set, with changes.

    Attributes:
        name: one of `NAMES`.
        changes: values of `Recipe` instead of the recipe's.
        without: steps of its augmentation that are left out.
    """

    name: str = "study"
    changes: Mapping[str, Any] = field(default_factory=dict)
    without: Collection[str] = ()

    @property
    def labels(self) -> str:
        """What training aims at, which no architecture changes."""
        recipe = RECIPES.get(self.name, RECIPES["study"])
        return str(self.changes.get("labels", recipe.labels))

    def recipe(self, arch: str, kind: str, seed: int) -> Recipe:
        """The recipe for an architecture on a kind of data set.

        Raises:
            RunError: there is none.
        """
        recipe = scripts(arch, kind) if self.name == "scripts" else RECIPES[self.name]
        augment = tuple(step for step in recipe.augment if step not in self.without)
        return replace(recipe, **{**self.changes, "augment": augment, "seed": seed})


def name_of(recipe: Recipe, arch: str, kind: str) -> str:
    """The name of the recipe that this one is, but for the seed; `""` if it is none of them."""
    for name in NAMES:
        with suppress(RunError):
            if Plan(name).recipe(arch, kind, recipe.seed) == recipe:
                return name
    return ""
