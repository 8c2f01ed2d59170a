"""The command `autotag stats`."""

import textwrap
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated

import typer

from autotag.cli.library import LibraryOption, Minimum
from autotag.cli.options import OUTPUT, Json
from autotag.cli.run import say
from autotag.request import LIKELY
from autotag.system.text import as_json, counted, printable

if TYPE_CHECKING:
    from autotag.library.database import Library


def stats(
    library: LibraryOption = None,
    minimum: Minimum = LIKELY,
    duplicates: Annotated[
        bool,
        typer.Option("--duplicates", help="List tracks that are the same recording.", rich_help_panel=OUTPUT),
    ] = False,
    failed: Annotated[
        bool,
        typer.Option(
            "--failed", help="List files that cannot be tagged, with the reason.", rich_help_panel=OUTPUT
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Show what is in a library, and how many tracks have each tag."""
    from autotag.library.database import Library, default_path
    from autotag.library.query import stats as count

    if duplicates and failed:
        raise typer.BadParameter("--duplicates is another list. Give one of them.", param_hint="--failed")
    with Library(library or default_path()) as opened:
        if duplicates or failed:
            (_show_duplicates if duplicates else _show_failed)(opened, json)
            return
        found = count(opened, minimum)
    if json:
        typer.echo(as_json(found, indent=2))
        return
    failures = ", ".join(f"{number} {printable(kind)}" for kind, number in found["failures"].items())
    hours = found["hours"]
    length = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
    typer.echo(f"{found['tracks']} tracks, {length}, tagged by {found['model']}")
    if found["outdated"]:
        typer.echo(f"tagged by an earlier model: {found['outdated']}; 'autotag scan' tags them again")
    if found["corrected"]["tags"]:
        tags = counted(found["corrected"]["tags"], "tag", "tags")
        typer.echo(f"set by hand: {tags} of {counted(found['corrected']['tracks'], 'track', 'tracks')}")
    remedy = "; 'autotag stats --failed' lists them" if failures else ""
    typer.echo(f"cannot be tagged: {failures or 'none'}{remedy}\n")
    width = max((len(tag["tag"]) for tag in found["tags"]), default=3)
    typer.echo(f"{'tag':{width}}  tracks  share  mean")
    for row in [row for row in found["tags"] if row["tracks"]]:
        share = row["tracks"] / max(1, found["tracks"])
        typer.echo(f"{row['tag']:{width}}  {row['tracks']:6}  {share:5.0%}  {row['mean']:.3f}")
    if none := ", ".join(sorted((row["tag"] for row in found["tags"] if not row["tracks"]), key=str.lower)):
        text = f"in no track, from a score of {minimum:g} on: {none}"
        typer.echo("\n" + textwrap.fill(text, get_terminal_size().columns - 1))


def _show_failed(library: "Library", json: bool) -> None:
    from autotag.library.query import failures

    found = failures(library)
    if json:
        typer.echo(as_json([failure.to_dict() for failure in found], indent=2))
        return
    for failure in found:
        typer.echo(printable(failure.message))
    say(f"{counted(len(found), 'file', 'files')} cannot be tagged.")


def _show_duplicates(library: "Library", json: bool) -> None:
    from autotag.library.alike import duplicates

    groups = duplicates(library)
    if json:
        typer.echo(as_json(groups, indent=2))
        return
    for group in groups:
        typer.echo("\n".join(map(printable, group)) + "\n")
    recordings = counted(len(groups), "recording has", "recordings have")
    say(f"{recordings} copies, {sum(map(len, groups))} files in all.")
