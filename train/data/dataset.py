"""The clips of a data set, as each reader gives them."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autotag.config import Config, model_name
from train.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """Clips with their labels, in three splits.

    Attributes:
        kind: `"mtat"`, `"msd"`, `"jamendo"` or `"own"`: which reader gave it.
        vocabulary: whose tags: `"mtat"`, `"msd"`, or `"all"` for both; or one's own.
        root: the folder that `paths` are relative to.
        origin: the arguments of `train.data.read`, to read it again.
        ids: what the label files call each clip.
        paths: the audio file of each clip.
        truth: annotations, 0 or 1, float32 [clips, outputs].
        target: what training aims at, the annotations or probabilities, float32 [clips, outputs].
        split: `"train"`, `"valid"` or `"test"`, [clips].
        outputs: the columns of `truth` and `target`, each a vocabulary and a tag of it.
        rule: what decides the split, as a model's metadata tells it.
        cut: so many usable clips of the first two splits are to train on and the rest to validate on, as the
            study did with the Million Song Dataset; by default, and if there are no more, as listed.
        repeat: whether a clip of less than 29.1 s is repeated to fill them, or left out.
        known: tags that the source of a clip itself names, all of which would be right, bool
            [clips, outputs]; none of a clip of which nothing is known.
        groups: whose music a clip is, [clips]: clips of one group are alike; None where nobody says.
        kinds: what kind of source a clip is from, [clips]; None where nobody says.
        begins: the probability from which on a clip counts as having a tag, [outputs]; None for annotations.
        notes: what else a user should know of it.
        left_out: by path, why a clip cannot be used.
        name: of the data set, by default that of its folder.
        stored: what the mel cache keeps its power in, `"float32"`, or `"uint8"` (`train.data.quantised`).
    """

    kind: str
    vocabulary: str
    root: Path
    origin: dict[str, str]
    ids: tuple[str, ...]
    paths: tuple[str, ...]
    truth: NDArray[np.float32]
    target: NDArray[np.float32]
    split: NDArray[np.str_]
    outputs: tuple[tuple[str, str], ...]
    rule: dict[str, str]
    repeat: bool
    cut: int | None = None
    known: NDArray[np.bool_] | None = None
    begins: NDArray[np.float64] | None = None
    groups: NDArray[np.str_] | None = None
    kinds: NDArray[np.str_] | None = None
    notes: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    name: str = ""
    stored: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.root.resolve().name)

    def with_files(self) -> Self:
        """The data set with the clips that have no file among `left_out`.

        Raises:
            DataError: no clip has a file.
        """
        missing = {path: "missing" for path in self.paths if not (self.root / path).is_file()}
        left_out = missing | self.left_out
        if len(left_out) == len(self.paths):
            raise DataError(
                f"{self.root}: none of its {len(self.paths)} clips has a file, for example "
                f"{self.paths[0]!r}: see --audio"
            )
        return replace(self, left_out=left_out)

    def kept_in(self, stored: str) -> Self:
        """The same, with its mel cache in `"float32"` or `"uint8"`."""
        if stored == self.stored:
            return self
        return replace(self, stored=stored, origin=self.origin | {"stored": stored})

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the outputs, some of them twice where there are two vocabularies."""
        return tuple(tag for _, tag in self.outputs)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each output: the tag, after its vocabulary where there are two, as in `msd:rock`."""
        if self.vocabulary == "all":
            return tuple(f"{vocabulary}:{tag}" for vocabulary, tag in self.outputs)
        return self.tags

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which clips are not left out, [clips]."""
        return np.array([path not in self.left_out for path in self.paths])

    @property
    def listed(self) -> dict[str, int]:
        """Clips per split, those that are left out among them."""
        return dict(Counter(self.split.tolist()))

    def with_columns(self, columns: Sequence[int]) -> Self:
        """The data set with some of its outputs, in another order."""
        return replace(
            self,
            truth=self.truth[:, columns],
            target=self.target[:, columns],
            outputs=tuple(self.outputs[column] for column in columns),
            known=None if self.known is None else self.known[:, columns],
            begins=None if self.begins is None else self.begins[list(columns)],
        )

    def rows(self, split: str, usable: NDArray[np.bool_]) -> NDArray[np.intp]:
        """The clips of a split that are among the clips `usable` [clips]."""
        if self.cut is None or split == "test":
            return np.flatnonzero(usable & (self.split == split))
        pool = np.flatnonzero(usable & (self.split != "test"))
        if len(pool) <= self.cut:  # but part of the data set is here
            return np.flatnonzero(usable & (self.split == split))
        return pool[: self.cut] if split == "train" else pool[self.cut :]

    def fingerprint(self, usable: NDArray[np.bool_]) -> str:
        """What tells two sets of clips or labels apart, for the clips `usable` [clips]."""
        digest = hashlib.sha256("\n".join(np.array(self.paths)[usable]).encode())
        digest.update(self.truth[usable].tobytes() + self.target[usable].tobytes())
        return digest.hexdigest()[:12]

    def model_name(self, config: Config) -> str:
        """A configuration trained on this data set."""
        return model_name(config, "mtat" if self.vocabulary == "all" else self.vocabulary)


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
