"""The command `autotag browse`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from autotag.cli import options
from autotag.cli.chosen import refuse
from autotag.cli.run import say


def browse(
    context: typer.Context,
    library: Annotated[
        Path | None,
        typer.Argument(
            metavar="LIBRARY",
            help="A library. By default the one of scan and find.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Any,
        typer.Option(
            "--out",
            "-o",
            parser=options.output(".html"),
            metavar="FILE",
            help="Write a page of one file (.html) instead, without sound, of at most 5000 songs.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            metavar="N",
            help="Use port N of this machine.",
            show_default="a free one",
            rich_help_panel=options.OUTPUT,
        ),
    ] = 0,
) -> None:
    """Show a library as a page, on this machine alone: search, play, correct, and save playlists.

    It prints the address of the page, and serves it until Ctrl-C.
    """
    if out:
        refuse(context, "A page of one file is served by nobody. Leave this out.", "port")
        _keep(library, out)
        return
    from autotag.browse.serve import server
    from autotag.library.database import Library, default_path

    with Library(library or default_path()) as opened:
        served, address = server(opened, port)
        typer.echo(address)
        say("Open this address in a browser of this machine. Ctrl-C ends it.")
        try:
            served.serve_forever()
        finally:
            served.server_close()


def _keep(library: Path | None, out: Path) -> None:
    """Write the page of one file."""
    from autotag.browse.kept import kept
    from autotag.browse.songs import Songs
    from autotag.library.database import Library, default_path
    from autotag.system.files import replacing
    from autotag.system.text import counted

    with Library(library or default_path()) as opened, replacing(out) as part:
        songs = Songs(opened)
        part.write_text(kept(songs, opened.path.stem), "utf-8")
        number = len(songs.held.ids)
    say(f"{counted(number, 'song', 'songs')} -> {out}")
