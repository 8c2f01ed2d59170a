"""What the fields of a music file are to hold for some tags."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from autotag.meaning import MEANINGS, meaning_of
from autotag.models.registry import models
from autotag.outputs.containers import AUTOTAG, COMMENT, GENRE, GROUPING, MOOD, PLAIN, Values
from autotag.request import LIKELY
from autotag.result import Tag

ONE_TEXT = COMMENT, GROUPING
"""Fields that players show as one text, in which tags are separated by commas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRequest:
    """Which fields are to hold what. `AUTOTAG` always holds tags with scores.

    Attributes:
        top: how many tags at most, the likeliest, in `AUTOTAG` and `plain`; 0 for all. A genre or mood may be
            any of them.
        genres, moods: how many at most in `GENRE` and `MOOD`; 0 for all, None to leave the field alone.
        minimum: the score, 0 to 1, from which a tag counts as genre or mood.
        plain: the field, one of `PLAIN`, that gets the tags without scores; None for none.
        names: what to write in place of a tag, genre or mood, by its name in lower case, but in `AUTOTAG`;
            empty to leave it out.

    Raises:
        ValueError: `plain` is no such field.
    """

    top: int = 0
    genres: int | None = None
    moods: int | None = None
    minimum: float = LIKELY
    plain: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.plain not in (None, *PLAIN):
            raise ValueError(f"{self.plain!r} is no field for tags without scores. Use {', '.join(PLAIN)}.")

    def fields(self, tags: Iterable[Tag]) -> dict[str, Values]:
        """The fields to write for some tags, the highest score first.

        >>> request = FieldRequest(genres=1, plain="COMMENT", names={"folk": "Song"})
        >>> request.fields([Tag("folk", 0.61234), Tag("rock", 0.5)])
        {'AUTOTAG': ('folk=0.6123', 'rock=0.5000'), 'GENRE': ('Song',), 'COMMENT': ('Song, rock',)}
        """
        tags = list(tags)
        chosen = tags[: self.top or None]
        found = {AUTOTAG: tuple(f"{tag}={score:.4f}" for tag, score in chosen)}
        likely = [tag for tag, score in tags if score >= self.minimum]
        if self.genres is not None:
            found[GENRE] = self._named((tag, meaning_of(tag).genre) for tag in likely)[: self.genres or None]
        if self.moods is not None:
            found[MOOD] = self._named((tag, meaning_of(tag).mood) for tag in likely)[: self.moods or None]
        if self.plain is not None:
            plain = self._named((tag, tag) for tag, _ in chosen)
            found[self.plain] = (", ".join(plain),) if plain and self.plain in ONE_TEXT else plain
        return found

    def _named(self, pairs: Iterable[tuple[str, str | None]]) -> Values:
        """What to write for tags and their names, each once."""
        found = []
        for tag, name in pairs:
            if name is not None:
                found.append(self.names.get(tag.lower(), self.names.get(name.lower(), name)))
        return tuple(dict.fromkeys(name for name in found if name))


def read_names(path: Path) -> dict[str, str]:
    """The names in a TOML file with lines such as `"heavy metal" = "Metal"`, in lower case before the `=`.

    Raises:
        ValueError: the file cannot be read, or holds something else; the message names it.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}.") from error
    except ValueError as error:  # neither UTF-8 nor TOML
        raise ValueError(f'{path}: {error}. Write lines such as "heavy metal" = "Metal".') from error
    for name, new in found.items():
        if not isinstance(new, str) or not new.isprintable():
            raise ValueError(
                f'{path}: {name!r} is {new!r:.60}, not a name. Write lines such as "heavy metal" = "Metal".'
            )
    return {name.lower(): new.strip() for name, new in found.items()}


def unknown_names(names: Iterable[str]) -> dict[str, str]:
    """Which names, in lower case, are no tag, genre or mood, and the nearest that is one."""
    known = {name for each in MEANINGS for name in (each.name, *each.synonyms, each.genre, each.mood) if name}
    known |= {output.tag for model in models().values() for output in model.metadata.outputs}
    lower = {name.lower(): name for name in sorted(known)}
    near = {name: get_close_matches(name, lower, 1) for name in names if name not in lower}
    return {name: lower[found[0]] if found else "" for name, found in near.items()}
