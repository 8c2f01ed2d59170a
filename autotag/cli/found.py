"""How commands print tracks: as a table, JSON, paths or a playlist."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autotag.cli.options import OUTPUT, Json, output
from autotag.cli.run import say
from autotag.outputs.playlist import m3u as as_m3u
from autotag.outputs.playlist import write_paths
from autotag.system.text import as_json, counted, printable

if TYPE_CHECKING:
    from autotag.library.query import Found


def _playlist(text: str) -> Path:
    return Path(text) if text == "-" else output(".m3u8", ".m3u")(text)


@dataclass(frozen=True, slots=True)
class Listing:
    """How tracks are printed: as a table but for one of these.

    Attributes:
        m3u: the playlist to write; - for stdout.
        relative: whether paths are relative.
        paths: print only these, or
        nul: with a NUL after each.
        json: print JSON.
    """

    m3u: Path | None
    relative: bool
    paths: bool
    nul: bool
    json: bool

    def show(self, found: "list[Found]", score: str) -> None:
        """Print tracks; `score` is what their score is called."""
        if self.json:
            typer.echo(as_json([_plain(track, score) for track in found], indent=2))
        elif self.m3u:
            _write_m3u(found, self.m3u, self.relative)
        elif self.paths or self.nul:
            named = [os.path.relpath(track.path) if self.relative else track.path for track in found]
            if sys.stdout.isatty():
                typer.echo("".join(f"{printable(path)}\n" for path in named), nl=False)
                return
            for path in write_paths(named, sys.stdout.buffer, self.nul):
                say(f"warning: {path}: left out, for its name has a line break. Use -0.")
        elif found:
            known = (
                score == "score" and len(found[0].tags) < 2
            )  # it is that of the one tag, or 1 in each line
            _write_table(found, "" if known else score)


def chosen_listing(
    m3u: Annotated[
        Any,
        typer.Option(
            parser=_playlist,
            metavar="FILE|-",
            help="Write a playlist (M3U8) to FILE, or to stdout.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    relative: Annotated[
        bool,
        typer.Option(
            "--relative/--absolute",
            help="Write paths relative to the playlist's folder (in --paths, to the current one).",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    paths: Annotated[
        bool, typer.Option("--paths", help="Print only paths, one a line.", rich_help_panel=OUTPUT)
    ] = False,
    nul: Annotated[
        bool,
        typer.Option(
            "-0", help="Print only paths, with a NUL after each, for xargs -0.", rich_help_panel=OUTPUT
        ),
    ] = False,
    json: Json = False,
) -> Listing:
    """How a command's options have tracks printed."""
    told = [name for name, on in (("--m3u", m3u), ("--json", json), ("--paths", paths or nul)) if on]
    if len(told) > 1:
        raise typer.BadParameter(
            f"{' and '.join(told)} are different outputs. Give one of them.", param_hint=told[0]
        )
    return Listing(m3u, relative, paths, nul, json)


def _write_table(found: "list[Found]", score: str) -> None:
    """The tracks, with a column of their score if it has a name."""
    typer.echo("  ".join([*filter(None, [score]), *(tag for tag, _ in found[0].tags), "path"]))
    for track in found:
        each = [f"{value:z{len(name)}.2f}" for name, value in [(score, track.score), *track.tags] if name]
        also = len(track.copies)
        copies = f"  (and {counted(also, 'copy', 'copies')})" if also else ""
        typer.echo("  ".join([*each, printable(track.path)]) + copies)


def _plain(track: "Found", score: str) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "path": track.path,
        "duration": round(track.duration, 3),
        score: round(track.score, 4),
    }
    if track.tags:
        plain["tags"] = [{"tag": tag, "score": round(value, 4)} for tag, value in track.tags]
    return plain | ({"copies": list(track.copies)} if track.copies else {})


def _write_m3u(found: "list[Found]", path: Path, relative: bool) -> None:
    from autotag.system.files import replacing

    to_stdout = str(path) == "-"
    folder = Path.cwd() if to_stdout else Path(os.path.abspath(path)).parent  # noqa: PTH100
    text, left_out = as_m3u(((track.path, track.duration) for track in found), folder if relative else None)
    for name in left_out:
        say(
            f"warning: {name}: left out of the playlist, for its name has control characters or is not UTF-8."
        )
    if to_stdout:
        if sys.stdout.isatty():
            text = "".join(f"{printable(line)}\n" for line in text.split("\n")[:-1])
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    with replacing(path) as part:
        part.write_text(text, "utf-8", newline="\n")
    say(f"{path}: {counted(len(found) - len(left_out), 'track', 'tracks')}")
