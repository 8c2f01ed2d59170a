"""Which tags to show of a song's scores."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from autotag.models.metadata import Metadata
from autotag.result import Tag

if TYPE_CHECKING:
    from autotag.audio.mel import Array

SYNONYMS = (
    ("female vocal", "female voice", "woman", "female"),
    ("male vocal", "male voice", "man", "male"),
    ("vocals", "vocal", "voice", "singing"),
    ("no vocals", "no vocal", "no voice"),
    ("beat", "beats"),
    ("classical", "classic"),
    ("choir", "choral"),
    ("female vocalists", "female vocalist"),
    ("electronic", "electronica"),
    ("chillout", "chill"),
)
"""Tags of one meaning in both vocabularies, under the name that stands for all of them."""

NAMES = {tag: group[0] for group in SYNONYMS for tag in group}


def choose(
    scores: "Array",
    metadata: Metadata,
    top: int = 5,
    threshold: float | str | None = None,
    merge_synonyms: bool = False,
) -> tuple[Tag, ...]:
    """The tags with the highest scores, the highest first.

    Args:
        scores: of one song, [tags], in the order of `metadata.tags`.
        top: how many at most; 0 for all.
        threshold: the lowest score that counts, or `"auto"` for each tag's own, `metadata.thresholds`.
        merge_synonyms: of tags that mean the same, show the highest score under one name.

    Raises:
        ValueError: `top` is negative, or `threshold` neither in 0..1 nor `"auto"`.
    """
    rated = (Tag(*item) for item in zip(metadata.tags, scores.tolist(), strict=True))
    return narrow(rated, metadata, top, threshold, merge_synonyms)


def narrow(
    tags: Iterable[Tag],
    metadata: Metadata | None,
    top: int = 5,
    threshold: float | str | None = None,
    merge_synonyms: bool = False,
) -> tuple[Tag, ...]:
    """The same, of tags with scores, such as an earlier result has; `"auto"` needs the metadata."""
    if top < 0:
        raise ValueError(f"top is {top}: use a number of tags, or 0 for all")
    limits: dict[str, float] = {}
    lowest = 0.0
    if threshold == "auto" and metadata:
        limits = dict(zip(metadata.tags, metadata.thresholds, strict=True))
    elif threshold is None or (isinstance(threshold, (int, float)) and 0 <= threshold <= 1):
        lowest = threshold or 0.0
    else:
        raise ValueError(f"threshold is {threshold!r}: use a score between 0 and 1, or 'auto'")
    found = sorted((tag for tag in tags if tag.score >= limits.get(tag.tag, lowest)), key=lambda t: -t.score)
    if merge_synonyms:
        best: dict[str, float] = {}
        for tag, score in found:
            best.setdefault(NAMES.get(tag, tag), score)
        found = [Tag(*item) for item in best.items()]
    return tuple(found[: top or None])
