"""The schedules of the scripts that the study's authors published, which the paper does not tell.

The networks are the paper's; `docs/study/deviations.md` has what else differs.
"""

from train.errors import RunError
from train.fit.recipe import RECIPES, Recipe

SCRIPTS = {
    ("vgg", "mtat"): RECIPES["study"],
    ("musicnn", "mtat"): Recipe(batch=32, tenth=100, epochs=720),
    ("vgg", "msd"): Recipe(batch=32, tenth=100, epochs=300),
    ("musicnn", "msd"): Recipe(batch=32, tenth=100, epochs=300),
}
"""By architecture and data set. An epoch of MUSICNN takes one segment of every clip, as theirs did."""


def scripts(arch: str, kind: str) -> Recipe:
    """The schedule of an architecture on a kind of data set; on others that of MagnaTagATune.

    Raises:
        RunError: the authors published none.
    """
    found = SCRIPTS.get((arch, kind), SCRIPTS.get((arch, "mtat")))
    if found is None:
        raise RunError(f"--recipe scripts: the study's authors published none for {arch}. Use study.")
    return found
