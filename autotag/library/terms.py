"""The grammar of `find`: what a list of words asks of a track.

piano quiet -vocals          all of the first, none of those with a minus
"piano or guitar" slow       one of several; also piano|guitar
"piano>0.5" "drums<0.2"      a score in a range; also 0.2<drums<0.5
path:live -path:"*.wav"      part of the path, or a glob of it
"duration>3:00"              seconds, or minutes and seconds
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal
from unicodedata import normalize

from autotag.errors import LibraryError
from autotag.request import LIKELY

Sign = Literal["<", "<=", ">", ">="]

_MIRRORED: dict[str, Sign] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_RANGE = re.compile(
    r"(?:(?P<low>[\d.:]+)\s*(?P<first>[<>]=?)\s*)?(?P<name>[^<>]+?)\s*(?:(?P<sign>[<>]=?)\s*(?P<value>[\d.:]+))?"
)


@dataclass(frozen=True, slots=True)
class TagTerm:
    """A tag, with the scores that count.

    Attributes:
        name: as it was written.
        bounds: signs and scores that a score is compared with, all of which must hold; none for the minimum
            of the search.
    """

    name: str
    bounds: tuple[tuple[Sign, float], ...] = ()


@dataclass(frozen=True, slots=True)
class PathTerm:
    """A part of a path, in any case, or a glob of the whole of it or of the name at its end."""

    pattern: str


def is_path(pattern: str, path: str) -> bool:
    """Whether a path is one that a `PathTerm` asks for."""
    text, glob = (normalize("NFC", part).casefold() for part in (path, pattern))
    if glob in text:
        return True
    if not re.search(r"[*?\[]", glob):
        return False
    return any(fnmatchcase(part, glob) for part in (text, text.replace("\\", "/").rpartition("/")[2]))


@dataclass(frozen=True, slots=True)
class DurationTerm:
    """A length in seconds, compared by a sign."""

    sign: Sign
    seconds: float


Term = tuple[TagTerm, ...] | PathTerm | DurationTerm
"""One of several tags; or a path; or a duration."""


def parse(text: str, known: Callable[[str], bool]) -> Term:
    """The term that a text is; a text that is a tag as it stands is that tag, whatever is in it.

    Raises:
        LibraryError: it is no term; the message says what would be one.
    """
    if known(text):
        return (TagTerm(text),)
    if text.startswith("path:"):
        if not text[5:]:
            raise LibraryError("path: is empty. Give a part of a path, such as path:live.")
        return PathTerm(text[5:])
    parts = [part.strip() for part in re.split(r"\s+or\s+|\|", text)]
    if not all(parts):
        raise LibraryError(f"{text!r} lacks a tag. Write it like 'piano or guitar'.")
    if len(parts) == 1 and re.match(r"duration\s*[<>]", text):
        return _duration(text)
    return tuple(_tag(part, known) for part in parts)


def _tag(text: str, known: Callable[[str], bool]) -> TagTerm:
    if known(text):
        return TagTerm(text)
    match = _RANGE.fullmatch(text)
    if not match or not (match["first"] or match["sign"]):
        if re.search("[<>]", text):
            raise LibraryError(f"{text!r} is no range. Write it like 'piano>0.5' or '0.2<piano<0.5'.")
        return TagTerm(text)
    bounds: list[tuple[Sign, float]] = []
    if match["first"]:
        bounds.append((_MIRRORED[match["first"]], _score(match["low"], text)))
    if match["sign"]:
        bounds.append((match["sign"], _score(match["value"], text)))  # type: ignore[arg-type]
    return TagTerm(match["name"].strip(), tuple(bounds))


def _duration(text: str) -> DurationTerm:
    match = _RANGE.fullmatch(text)
    try:
        if match and match["sign"] and not match["first"]:
            seconds = 0.0
            for part in match["value"].split(":"):
                seconds = 60 * seconds + float(part)
            return DurationTerm(match["sign"], seconds)  # type: ignore[arg-type]
    except ValueError:
        pass
    raise LibraryError(f"{text!r} is no duration. Write it like 'duration>3:00' or 'duration<90'.")


def _score(text: str, term: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise LibraryError(f"{text} in {term!r} is no score. Use a number from 0 to 1, such as {LIKELY}.")
    return value


def joined(words: Sequence[str], known: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """The words, those that stand side by side and together are a tag as one, and these tags.

    A word `or` between two joins them too.

    >>> joined(["-slow", "female", "vocal"], {"female", "vocal", "female vocal", "slow"}.__contains__)
    (['-slow', 'female vocal'], ['female vocal'])
    >>> joined(["piano", "or", "guitar"], {"piano", "guitar"}.__contains__)
    (['piano or guitar'], [])
    """
    found: list[str] = []
    tags: list[str] = []
    position = 0
    while position < len(words):
        for count in range(min(5, len(words) - position), 1, -1):
            together = " ".join(words[position : position + count])
            plain = not any(word.startswith("-") for word in words[position + 1 : position + count])
            if plain and known(together.removeprefix("-")):
                found.append(together)
                tags.append(together.removeprefix("-"))
                position += count
                break
        else:
            found.append(words[position])
            position += 1
    return _alternatives(found), tags


def _alternatives(words: Iterable[str]) -> list[str]:
    found: list[str] = []
    left = iter(words)
    for word in left:
        if word == "or" and found and (other := next(left, None)) is not None:
            found[-1] += f" or {other}"
        else:
            found.append(word)
    return found
