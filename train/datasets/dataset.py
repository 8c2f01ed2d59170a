"""The clips of a data set, as both readers give them."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autotag.config import Config
from train.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """Clips with their labels, in three splits.

    Attributes:
        kind: `"mtat"` or `"msd"`: whose layout and vocabulary it has.
        root: the folder that `paths` are relative to.
        origin: the arguments of `train.datasets.read`, to read it again.
        paths: the audio file of each clip.
        truth: annotations, 0 or 1, float32 [clips, tags].
        target: what training aims at, the annotations or probabilities, float32 [clips, tags].
        split: `"train"`, `"valid"` or `"test"`, [clips].
        tags: the names of the columns of `truth` and `target`.
        rule: what decides the split, as a model's metadata tells it.
        notes: what else a user should know of it.
        listed: clips per split before some were left out.
        left_out: the reason by path for the clips that are listed and not here.
    """

    kind: str
    root: Path
    origin: dict[str, str]
    paths: tuple[str, ...]
    truth: NDArray[np.float32]
    target: NDArray[np.float32]
    split: NDArray[np.str_]
    tags: tuple[str, ...]
    rule: dict[str, str]
    notes: tuple[str, ...] = ()
    listed: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def with_files(self, broken: frozenset[str] = frozenset()) -> Self:
        """The same without the clips that have no file or are known to be broken.

        Raises:
            DataError: no clip has a file.
        """
        left_out = {path: "known to be broken" for path in self.paths if path in broken}
        left_out |= {path: "missing" for path in self.paths if not (self.root / path).is_file()}
        kept = np.array([path not in left_out for path in self.paths])
        if not kept.any():
            raise DataError(
                f"{self.root}: none of its {len(self.paths)} clips has a file, for example "
                f"{self.paths[0]!r}: see --audio"
            )
        return replace(
            self,
            paths=tuple(path for path in self.paths if path not in left_out),
            truth=self.truth[kept],
            target=self.target[kept],
            split=self.split[kept],
            listed=dict(Counter(self.split.tolist())),
            left_out=left_out,
        )

    def model_name(self, config: Config) -> str:
        """A configuration trained on this data set: a plain name speaks MagnaTagATune's tags."""
        return config.name if self.kind == "mtat" else f"{self.kind}-{config.name}"

    def undefined(self, rows: NDArray[np.intp]) -> tuple[str, ...]:
        """Tags that all of the clips `rows` have, or none: they have no ROC AUC and no PR AUC."""
        count = self.truth[rows].sum(axis=0)
        return tuple(tag for tag, n in zip(self.tags, count, strict=True) if n in (0, len(rows)))


def fill_in(template: str, root: Path, **values: str) -> str:
    """The path of a clip by the template of `--audio`.

    Raises:
        DataError: the template asks for what a clip has not.
    """
    try:
        return template.format(**values)
    except (KeyError, IndexError, ValueError) as error:
        raise DataError(
            f"{root}: --audio {template!r} cannot be filled in for {values}: {type(error).__name__} {error}"
        ) from error
