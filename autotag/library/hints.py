"""What may help where a search finds nothing."""

from collections.abc import Iterable, Sequence

from autotag.library.database import Library
from autotag.library.tags import Vocabulary
from autotag.library.terms import TagTerm, parse
from autotag.models.registry import models
from autotag.request import implied_by


def clash(library: Library, wanted: Sequence[str], unwanted: Sequence[str]) -> str:
    """Why no track can have what is wanted without what is not, a sentence; empty where one can.

    Args:
        wanted, unwanted: terms of a search; see `autotag.library.query.find`.
    """
    vocabulary = Vocabulary(library)
    barred = {vocabulary.name(tag.name): tag.name for term in _tags(vocabulary, unwanted) for tag in term}
    for term in _tags(vocabulary, wanted):
        names = [vocabulary.name(tag.name) for tag in term]
        found = [[barred[each] for each in (name, *implied_by(name)) if each in barred] for name in names]
        if names and all(found):
            has, has_not = f"'{names[0]}'", f"'{found[0][0]}'"
            if has == has_not:
                return f"{has} is wanted and not wanted. Leave out one of them."
            return f"Each track with {has} has {has_not} too. Leave out one of them."
    return ""


def weaker(library: Library, wanted: Sequence[str], minimum: float) -> str:
    """How to find tracks in which the tags are weaker, a sentence; empty where no minimum counts."""
    vocabulary = Vocabulary(library)
    names = [vocabulary.name(tag.name) for term in _tags(vocabulary, wanted) for tag in term]
    if not names or not minimum:
        return ""
    model = models().get(library.model)
    low = [f"'{name}'" for name in names if model and name in model.metadata.uncalibrated_tags]
    if low:
        return f"Scores of {' and '.join(low)} are low, and not calibrated. Use --min 0 to list the highest."
    return f"Try a lower --min (now {minimum:g})."


def _tags(vocabulary: Vocabulary, texts: Iterable[str]) -> list[list[TagTerm]]:
    """The tags of each term that is of tags, all of which count from the minimum of the search on."""
    terms = [parse(text, vocabulary.knows) for text in texts]
    tags = [list(term) for term in terms if isinstance(term, tuple)]
    return [term for term in tags if not any(tag.bounds for tag in term)]
