"""The options of `autotag write` that say what the fields of a file are to hold."""

from pathlib import Path
from typing import Annotated, Any

import typer

from autotag.cli.options import FIELDS
from autotag.cli.run import say
from autotag.outputs.containers import GENRE, MOOD, PLAIN
from autotag.outputs.fields import FieldRequest, read_names, unknown_names


def _field(text: str) -> str:
    if text.upper() not in PLAIN:
        also = "" if text.upper() not in (GENRE, MOOD) else f" --{text.lower()} sets the {text.lower()}."
        raise typer.BadParameter(f"{text!r} is not allowed. Use {', '.join(PLAIN)}.{also}")
    return text.upper()


def _names(text: str) -> dict[str, str]:
    try:
        return read_names(Path(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def chosen_fields(
    genre: Annotated[
        bool, typer.Option("--genre", help="Set the genre from tags that are one.", rich_help_panel=FIELDS)
    ] = False,
    genres: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Set at most N genres, the likeliest.", rich_help_panel=FIELDS),
    ] = None,
    mood: Annotated[
        bool, typer.Option("--mood", help="Set the mood from tags that are one.", rich_help_panel=FIELDS)
    ] = False,
    moods: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Set at most N moods, the likeliest.", rich_help_panel=FIELDS),
    ] = None,
    field: Annotated[
        Any,
        typer.Option(
            parser=_field,
            metavar="FIELD",
            help=f"Write the tags, without scores, into a field too: {', '.join(PLAIN)}.",
            rich_help_panel=FIELDS,
        ),
    ] = None,
    map_: Annotated[
        Any,
        typer.Option(
            "--map",
            parser=_names,
            metavar="FILE",
            help='Use names of your own in these fields, from lines of TOML such as "heavy metal" = "Metal".',
            rich_help_panel=FIELDS,
        ),
    ] = None,
) -> FieldRequest:
    """What a command's options want of a file's fields."""
    for name, near in unknown_names(map_ or {}).items():
        remedy = f"Did you mean {near!r}?" if near else "'autotag stats' lists the tags of a library."
        say(f"warning: --map: {name!r} is no tag, genre or mood. {remedy}")
    return FieldRequest(
        genres=genres or (0 if genre else None),
        moods=moods or (0 if mood else None),
        plain=field,
        names=map_ or {},
    )
