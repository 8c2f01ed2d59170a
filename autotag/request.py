"""What is wanted of a sound: which tags to choose from a network's scores, and what else.

The steps from scores to tags stand in `Selection.choose`, once, in their order: vocabulary, merge, imply,
exclude, threshold, top. The mean over segments comes before them (`autotag.scores.Scores`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from autotag.config import Excerpt
from autotag.errors import VocabularyNotFound
from autotag.meaning import Output, meaning_of
from autotag.result import Tag

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALL = "all"
"""The vocabulary of all outputs."""

LIKELY = 0.5
"""The score from which on a track counts as having a tag: in `find`, `stats` and `write`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which tags to choose from scores.

    Attributes:
        vocabulary: whose tags to show: one that the model has, or `"all"`. A name that stands in several
            vocabularies is then one tag, with the mean of its scores.
        top: how many tags at most; 0 for all.
        threshold: the lowest score that counts, or `"auto"` for `LIKELY`.
        merge: show tags of one meaning as one, give a tag at least the score of those that imply it, and hide
            a tag where one that excludes it scores higher: see `autotag.meaning`.

    Raises:
        ValueError: a value is not one of these.
    """

    vocabulary: str = ALL
    top: int = 5
    threshold: float | Literal["auto"] = 0.0
    merge: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.vocabulary, str) or not self.vocabulary:
            raise ValueError(
                f"vocabulary is {self.vocabulary!r}. Use a name such as 'mtat' or 'msd', or 'all'."
            )
        if isinstance(self.top, bool) or not hasattr(self.top, "__index__") or self.top < 0:
            raise ValueError(f"top is {self.top!r}. Use a number of tags, or 0 for all.")
        object.__setattr__(self, "top", self.top.__index__())
        if self.threshold != "auto":
            object.__setattr__(self, "threshold", _score(self.threshold, "threshold"))
        if self.merge not in (True, False):
            raise ValueError(f"merge is {self.merge!r}. Use True or False.")

    @property
    def lowest(self) -> float:
        """The lowest score that counts."""
        return LIKELY if self.threshold == "auto" else self.threshold

    def check(self, outputs: Sequence[Output]) -> None:
        """Fail now, before anything is heard, if `choose` would fail for want of outputs.

        Raises:
            VocabularyNotFound: no output is of the vocabulary.
        """
        self.choose(outputs, [0.0] * len(outputs))

    def choose(
        self, outputs: Sequence[Output], scores: "NDArray[np.float32] | Sequence[float]"
    ) -> tuple[Tag, ...]:
        """The chosen tags, the highest score first; of equal ones in the order of the outputs.

        Args:
            outputs: of the network.
            scores: of one song, [outputs].

        Raises:
            VocabularyNotFound: no output is of the vocabulary.
        """
        found: dict[str, list[float]] = {}
        for output, score in zip(outputs, scores, strict=True):
            if self.vocabulary in (ALL, output.vocabulary):
                found.setdefault(output.tag, []).append(float(score))
        if not found:
            spoken = ", ".join(dict.fromkeys(output.vocabulary for output in outputs))
            raise VocabularyNotFound(
                f"vocabulary {self.vocabulary!r} is none of the model's. Use {spoken}, or all."
            )
        return self.narrow(Tag(tag, sum(each) / len(each)) for tag, each in found.items())

    def narrow(self, tags: Iterable[Tag]) -> tuple[Tag, ...]:
        """The chosen tags of those that an earlier result has: all steps but the choice of a vocabulary."""
        found = exclude(imply(merge(tags))) if self.merge else dict(tags)
        chosen = [Tag(tag, score) for tag, score in found.items() if score >= self.lowest]
        return tuple(sorted(chosen, key=lambda tag: -tag.score)[: self.top or None])


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRequest(Selection):
    """What is wanted of a sound; which model is asked is not in it.

    Attributes:
        excerpt: tag only so many seconds from the middle, or several excerpts; None for all of it.
        embed: put the `"mean"` embedding over the segments into the result, or that of each of the
            `"segments"`; None for none.

    Raises:
        ValueError: a value is not one of these.
    """

    excerpt: Excerpt | float | None = None
    embed: Literal["mean", "segments"] | None = None

    def __post_init__(self) -> None:
        Selection.__post_init__(self)
        object.__setattr__(self, "excerpt", Excerpt.of(self.excerpt))
        if self.embed not in (None, "mean", "segments"):
            raise ValueError(f"embed is {self.embed!r}. Use 'mean', 'segments' or None.")


def merge(tags: Iterable[Tag]) -> dict[str, float]:
    """The highest score of the tags of each meaning, by the meaning's name."""
    found: dict[str, float] = {}
    for tag, score in tags:
        name = meaning_of(tag).name
        found[name] = max(score, found.get(name, 0.0))
    return found


def imply(found: dict[str, float]) -> dict[str, float]:
    """The scores by name, each at least as high as those of the names that imply it."""
    raised = dict(found)
    for name, score in found.items():
        for implied in implied_by(name):
            if implied in raised:
                raised[implied] = max(score, raised[implied])
    return raised


def exclude(found: dict[str, float]) -> dict[str, float]:
    """The scores of the names of which none that excludes them scores higher."""
    return {
        name: score
        for name, score in found.items()
        if all(found.get(other, 0.0) <= score for other in meaning_of(name).yields_to)
    }


def implied_by(name: str) -> list[str]:
    """All names that are true where this one is, directly or through others."""
    names: list[str] = []
    for implied in meaning_of(name).implies:
        names += [implied, *implied_by(implied)]
    return names


def _score(value: float, what: str) -> float:
    """The value as a float in 0..1."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, str | bool) or not 0 <= number <= 1:
        raise ValueError(f"{what} is {value!r}. Use a score between 0 and 1, or 'auto'.")
    return number
