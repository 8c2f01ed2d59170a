"""The page as one file that needs no server: to look and search, without sound and without changes."""

from collections.abc import Mapping
from contextlib import suppress
from html import escape

from autotag.browse.asked import Asked
from autotag.browse.page import HERE, filled, in_script, table
from autotag.browse.songs import Songs
from autotag.errors import LibraryError, TagNotFound
from autotag.library.database import Library
from autotag.library.tags import Vocabulary, plain
from autotag.meaning import MEANINGS
from autotag.system.text import counted
from autotag.views.page import POLICY

MOST = 5000
"""Songs of such a page."""

LEAST = 0.05
"""Scores below it are left out, and not found."""

SCRIPTS = ("list.js", "parts.js", "kept.js", "page.js")


def kept(songs: Songs, title: str) -> str:
    """The page of all songs.

    Raises:
        LibraryError: there are more than `MOST`, or none.
    """
    held, library = songs.held, songs.library
    if not 0 < len(held.ids) <= MOST:
        raise LibraryError(
            f"{library.path}: has {counted(len(held.ids), 'song', 'songs')}, and a page of one file holds "
            f"1 to {MOST}. Leave out --out to serve them."
        )
    rows = songs.rows(songs.find(Asked()).ids.tolist())
    places = {name: place for place, name in enumerate(library.tags)}
    tags = songs.tags(row["id"] for row in rows)
    for row in rows:
        scores = [(places[tag], int(100 * score)) for tag, score in tags[row["id"]] if score >= LEAST]
        row["scores"] = [number for pair in scores for number in pair]
    every = {"songs": rows, "tags": songs.counts(), "spoken": _spoken(library, places)}
    style, *scripts = ((HERE / name).read_text("utf-8") for name in ("page.css", *SCRIPTS))
    return filled(
        Asked(),
        title=title,
        policy=f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n',
        kind="kept",
        save="",
        status=counted(len(rows), "song", "songs"),
        style=f"<style>\n{style}</style>",
        script=f"<script>\n{''.join(scripts)}</script>",
        first=in_script(every),
        table=table(rows),
    )


def _spoken(library: Library, places: Mapping[str, int]) -> dict[str, tuple[list[int], list[int]]]:
    """By what tags are called: their places, and those of the tags that are not wanted where it is not."""
    vocabulary = Vocabulary(library)
    called = {
        name for each in MEANINGS for name in (each.name, each.genre, each.mood, *each.synonyms) if name
    }
    place = {library.tags[name]: places[name] for name in places}
    found = {}
    for name in sorted(called | {*library.tags}):
        with suppress(TagNotFound):
            has, has_not = vocabulary.ids(name), vocabulary.ids_with_special(name)
            found[plain(name)] = ([place[tag] for tag in has], [place[tag] for tag in has_not])
    return found
