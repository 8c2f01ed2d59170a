"""Which tags a track has: by the scores of a network's outputs, and by what a person said."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

from autotag.meaning import MEANINGS, Output, meaning_of
from autotag.request import Selection, implied_by
from autotag.result import Tag

EVERY_TAG = Selection(top=0)
"""All meanings of all vocabularies."""


def meanings() -> str:
    """A hash of the table of meanings: where it differs, the tags of outputs do."""
    return blake2b(repr(MEANINGS).encode(), digest_size=8).hexdigest()


def names(outputs: Iterable[Output]) -> list[str]:
    """The meanings of outputs, each once, in their order."""
    return list(dict.fromkeys(meaning_of(output.tag).name for output in outputs))


def tags_of(
    outputs: Sequence[Output],
    scores: Sequence[float],
    corrections: Mapping[str, bool],
    selection: Selection = EVERY_TAG,
) -> tuple[Tag, ...]:
    """The tags of a track, the highest score first: as `Selection.choose`, but for those set by hand.

    Args:
        outputs: of the network.
        scores: of one track, [outputs].
        corrections: by the name of a meaning, whether the track has it. One that it has scores 1, and so do
            those that it implies; one that it has not is left out, and so are those that imply it.
    """
    if not corrections:
        return selection.choose(outputs, scores)
    found = Selection(vocabulary=selection.vocabulary, top=0, merge=False).choose(outputs, scores)
    return corrected(found, corrections, selection)


def corrected(
    found: Iterable[Tag], corrections: Mapping[str, bool], selection: Selection = EVERY_TAG
) -> tuple[Tag, ...]:
    """The tags of a track, as `tags_of` gives them, from tags that have their scores."""
    said = [Tag(name, float(has)) for name, has in corrections.items()]
    heard = [tag for tag in found if meaning_of(tag.tag).name not in corrections]
    every = Selection(top=0, merge=selection.merge).narrow([*heard, *said])
    kept = [tag for tag in every if not _denied(meaning_of(tag.tag).name, corrections)]
    shown = {tag.tag for tag in kept}
    kept += [tag for tag in said if tag.score and tag.tag not in shown]
    return replace(selection, merge=False).narrow(kept)


def _denied(name: str, corrections: Mapping[str, bool]) -> bool:
    """Whether a person said that a track has not a meaning, nor said that it has, or what that implies."""
    if name in corrections:
        return not corrections[name]
    return not all(corrections.get(implied, True) for implied in implied_by(name))
