"""What a page asks of a library: words as of `find`, a folder, a range of durations, an order."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from autotag.errors import LibraryError, TagNotFound
from autotag.library.tags import Vocabulary
from autotag.library.terms import DurationTerm, PathTerm, Sign, TagTerm, Term, joined, parse
from autotag.request import LIKELY

SORTS = {
    "score": "Best match",
    "path": "Folder and name",
    "longest": "Longest",
    "shortest": "Shortest",
    "newest": "Newest",
    "oldest": "Oldest",
}
"""What comes first, as the page calls it."""

_WORD = re.compile(r'-?"[^"]*"?|\S+')


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for.

    Attributes:
        words: tags and other terms of `find`, with a minus what is not wanted; in quotes what has spaces.
        minimum: the score from which on a track has a tag.
        folder: a part of the path.
        least, most: minutes and seconds, or seconds; empty for any.
        sort: one of `SORTS`.

    Raises:
        LibraryError: a value is none of these.
    """

    words: str = ""
    minimum: float = LIKELY
    folder: str = ""
    least: str = ""
    most: str = ""
    sort: str = "score"

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "Asked":
        """What the fields of a form ask for; one that is missing or empty is as if nothing were asked."""
        given = {name: values[name].strip() for name in cls.__slots__ if values.get(name, "").strip()}
        try:
            minimum = float(given.pop("minimum", LIKELY))
        except ValueError:
            minimum = math.nan
        asked = cls(minimum=minimum, **given)
        if not 0 <= minimum <= 1:
            raise LibraryError(f"minimum is {values['minimum']!r:.40}. Use a score from 0 to 1.")
        if asked.sort not in SORTS:
            raise LibraryError(f"sort is {asked.sort!r:.40}. Use {', '.join(SORTS)}.")
        return asked


@dataclass(frozen=True, slots=True)
class Understood:
    """What is asked for, as terms.

    Attributes:
        tags: those of tags, each with whether it is wanted.
        rows: those of the path and the duration.
        notes: what the page says of words that are read in a way that may surprise.
    """

    tags: tuple[tuple[tuple[TagTerm, ...], bool], ...]
    rows: tuple[tuple[PathTerm | DurationTerm, bool], ...]
    notes: tuple[str, ...] = ()


def understood(asked: Asked, vocabulary: Vocabulary) -> Understood:
    """The terms that are asked for. A word that is no tag is looked for in paths, as it is while it is typed.

    Raises:
        TagNotFound: a score is asked for of what is no tag, or the tag is another library's.
        LibraryError: a term is none.
    """
    words = [word.replace('"', "") for word in _WORD.findall(asked.words)]
    words, _ = joined([word for word in words if word.strip("- ")], vocabulary.knows)
    terms: list[tuple[Term, bool]] = []
    notes = []
    for word in words:
        wanted = not word.startswith("-")
        text = word if wanted else word[1:].lstrip()
        term = parse(text, vocabulary.knows)
        if isinstance(term, tuple):
            try:
                for tag in term:
                    vocabulary.name(tag.name)
            except TagNotFound:
                if len(term) > 1 or term[0].bounds or vocabulary.knows(text):
                    raise
                notes.append(f"'{text}' is no tag: it is looked for in the names of files and folders.")
                term = PathTerm(text)
        terms.append((term, wanted))
    if asked.folder:
        terms.append((PathTerm(asked.folder), True))
    if asked.least:
        terms.append((_duration(">=", asked.least), True))
    if asked.most:
        terms.append((_duration("<=", asked.most), True))
    return Understood(
        tuple((term, wanted) for term, wanted in terms if isinstance(term, tuple)),
        tuple((term, wanted) for term, wanted in terms if not isinstance(term, tuple)),
        tuple(notes),
    )


def _duration(sign: Sign, limit: str) -> DurationTerm:
    term = parse(f"duration{sign}{limit.rstrip(':')}", lambda _: False)
    assert isinstance(term, DurationTerm), "or parse has raised"
    return term
