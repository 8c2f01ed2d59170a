"""The command `autotag correct`."""

from pathlib import Path
from typing import Annotated

import typer

from autotag.cli.library import LibraryOption, spoken, with_dash
from autotag.cli.options import OUTPUT, local_path
from autotag.errors import LibraryError
from autotag.system.text import printable


def song_path(text: str) -> Path:
    """Parses the path of a song, which may begin with a dash."""
    return local_path(with_dash(text))


song_path.__name__ = "path"  # which `--help` shows


def correct(
    song: Annotated[
        Path,
        typer.Argument(parser=song_path, metavar="FILE", help="A song of the library."),
    ],
    terms: Annotated[
        list[str] | None,
        typer.Argument(metavar="TAG|-TAG...", help="Tags that it has and, with a minus, has not."),
    ] = None,
    library: LibraryOption = None,
    undo: Annotated[
        bool,
        typer.Option("--undo", help="Leave these tags, or all, to the model again.", rich_help_panel=OUTPUT),
    ] = False,
) -> None:
    """Say which tags a song of a library has and has not: autotag correct song.mp3 piano -guitar.

    Without tags, show what was said of it.
    """
    from autotag.library.database import Library, default_path
    from autotag.library.spelling import known_path
    from autotag.library.tags import Vocabulary

    with Library(library or default_path()) as opened:
        path = known_path(opened, song)
        if path is None:
            raise LibraryError(f"{opened.path}: no track {str(song)!r}. Run 'autotag scan' on its folder.")
        vocabulary = Vocabulary(opened)
        said = {
            vocabulary.name(word.removeprefix("-")): None if undo else not word.startswith("-")
            for word in spoken(opened, terms or [])
        }
        if undo and not said:
            said = dict.fromkeys(opened.corrections(path))
        for tag, has in said.items():
            opened.correct(path, tag, has)
        found = opened.corrections(path)
    each = {has: ", ".join(tag for tag in found if found[tag] == has) for has in found.values()}
    said_of_it = "; ".join(f"{'has' if has else 'has not'} {tags}" for has, tags in each.items())
    typer.echo(f"{printable(path)}: {said_of_it or 'no tag is set by hand'}")
