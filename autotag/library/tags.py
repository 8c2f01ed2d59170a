"""The names by which the tags of a library may be asked for."""

import re
from difflib import get_close_matches

from autotag.errors import TagNotFound
from autotag.library.database import Library
from autotag.meaning import MEANINGS, meaning_of
from autotag.models.registry import models
from autotag.request import implied_by


class Vocabulary:
    """What a library's tags are called: in any case, by any synonym, with spaces or hyphens or without."""

    def __init__(self, library: Library) -> None:
        self._library = library
        outputs = [output.tag for output in library.outputs]
        every = [(name, each.name) for each in MEANINGS for name in (each.genre, each.mood, *each.synonyms)]
        every += [(each.name, each.name) for each in MEANINGS] + [(name, name) for name in library.tags]
        every += [(tag, meaning_of(tag).name) for tag in outputs]
        self._names = {plain(name): meaning for name, meaning in every if name}
        self._spoken = {plain(name): name for name in (*library.tags, *outputs)}
        self._more_special = {
            name: tuple(other for other in library.tags if name in implied_by(other))
            for name in {implied for tag in library.tags for implied in implied_by(tag)}
        }

    def knows(self, text: str) -> bool:
        """Whether a text is a tag of this or another library."""
        return plain(text) in self._names

    def ids(self, text: str) -> tuple[int, ...]:
        """The tag that a text means, as of `name`; where the library has only tags that imply it, those."""
        name = self.name(text)
        if name in self._library.tags:
            return (self._library.tags[name],)
        return tuple(self._library.tags[other] for other in self._more_special[name])

    def ids_with_special(self, text: str) -> tuple[int, ...]:
        """The tag that a text means, and those that imply it."""
        special = self._more_special.get(self.name(text), ())
        return tuple(dict.fromkeys((*self.ids(text), *(self._library.tags[name] for name in special))))

    def name(self, text: str) -> str:
        """The name of the tag that a text means.

        Raises:
            TagNotFound: naming the nearest tags, or the vocabulary that has it.
        """
        name = self._names.get(plain(text))
        if name is not None and (name in self._library.tags or name in self._more_special):
            return name
        own = ", ".join(dict.fromkeys(output.vocabulary for output in self._library.outputs))
        if name is not None and (other := _vocabulary_with(name)):
            raise TagNotFound(
                f"{text!r} is a tag of {other}, and this library has those of {own}. Scan into another file "
                "with a model that has both."
            )
        word = plain(text.rpartition(":")[2])  # such as jazz of genre:jazz
        near = [self._spoken[found] for found in get_close_matches(word, self._spoken, 3)]
        hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "'autotag stats' lists its tags."
        raise TagNotFound(f"{self._library.model} has no tag {text!r}. {hint}")


def plain(name: str) -> str:
    """A name without case, spaces and hyphens: "hip hop" is "Hip-Hop"."""
    return re.sub(r"[\s_-]", "", name.casefold())


def _vocabulary_with(name: str) -> str | None:
    """A vocabulary of an installed model that has a tag of that meaning."""
    for model in models().values():
        for output in model.metadata.outputs:
            if meaning_of(output.tag).name == name:
                return output.vocabulary
    return None
