"""The commands about a library: parse, call and print."""

import os
import re
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from autotag.batch import Asked
from autotag.cli import options
from autotag.cli.run import outcomes_of
from autotag.config import DEFAULT, Config
from autotag.errors import LibraryNotFound
from autotag.models.registry import describe
from autotag.result import Failure
from autotag.system.cores import usable_cores
from autotag.system.text import as_json, printable

if TYPE_CHECKING:
    from autotag.library.database import Library
    from autotag.library.query import Found
    from autotag.outputs.sink import Stamp

MINUS = "\N{MINUS SIGN}"

LibraryFile = Annotated[
    Path | None,
    typer.Option(
        "--library", metavar="FILE", help="The database.", show_default="library.sqlite among the user's data"
    ),
]
Limit = Annotated[int, typer.Option(min=1, help="How many tracks at most.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Playlist = Annotated[
    Any,
    typer.Option(
        "--m3u", parser=options.output(".m3u8", ".m3u"), metavar="FILE", help="Write a playlist, M3U8."
    ),
]


class Terms(TyperCommand):
    """`-vocals` is a tag that is not wanted, not the options -v, -o, -c…"""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        args = [MINUS + text[1:] if re.match(r"-[^-]", text) and text != "-h" else text for text in args]
        return super().parse_args(ctx, args)


def scan(
    context: typer.Context,
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of music.")],
    library: LibraryFile = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try files again that could not be tagged.")
    ] = False,
    jobs: options.Jobs = None,
    arch: options.Arch = DEFAULT.arch,
    sr: options.Rate = "12k",
    mels: options.Mels = DEFAULT.mels,
    hop: options.Hop = None,
    log: options.Log = DEFAULT.log,
    tags: options.Tags = "mtat",
    model: options.Model = None,
) -> None:
    """Keep a library of folders current: tag what is new or changed, follow what moved, drop what is gone."""
    from autotag.library.database import Library, default_path
    from autotag.library.scan import plan
    from autotag.outputs.sink import alone

    path = library or default_path()
    name = options.chosen_model(context)
    if library is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    with alone(path):
        stamps: dict[str, Stamp] = {}
        seconds = None
        with suppress(LibraryNotFound), Library(path) as known:
            stamps, seconds = known.stamps(), known.seconds
            if not options.given(context, *Config.__slots__, "tags", "model"):
                name = known.model
        todo = plan(stamps, folders, retry_failed)
        asked = Asked(name, top=0, seconds=seconds, embed=True)
        with (
            Library(path, describe(name), seconds) as opened,
            closing(outcomes_of([*map(Path, todo.tag)], asked, jobs or usable_cores())) as outcomes,
        ):
            opened.rearrange(todo.moved, todo.deleted)
            for folder in todo.unreadable:
                _error(f"{folder}: this folder cannot be read: what the library has of it is kept")
            for outcome in outcomes:
                opened.write(outcome)
                counts[todo.tag[outcome.path] if outcome.ok else "failed"] += 1
                if isinstance(outcome, Failure):
                    _error(outcome.message)
    counts.update(moved=len(todo.moved), deleted=len(todo.deleted), unchanged=todo.unchanged)
    retried = ["retried"] if retry_failed else []
    kinds = ("new", "changed", *retried, "moved", "deleted", "failed", "unchanged")
    typer.echo(f"{printable(str(path))}: " + ", ".join(f"{counts[kind]} {kind}" for kind in kinds))
    if counts["failed"] or todo.unreadable:
        raise typer.Exit(1)


def find(
    terms: Annotated[
        list[str], typer.Argument(metavar="TAG|-TAG...", help="Tags to have, and with a minus, not to have.")
    ],
    minimum: Annotated[
        float | None,
        typer.Option(
            "--min",
            metavar="S",
            min=0,
            max=1,
            help="The score from which on a track has a tag.",
            show_default="each tag's own threshold",
        ),
    ] = None,
    limit: Limit = 50,
    m3u: Playlist = None,
    json: Json = False,
    library: LibraryFile = None,
) -> None:
    """Find the tracks of a library that have all of these tags: autotag find piano quiet -vocals."""
    from autotag.library.database import Library, default_path
    from autotag.library.query import find as search

    _only_one(m3u, json)
    unwanted = [term[1:] for term in terms if term.startswith(("-", MINUS))]
    wanted = [term for term in terms if not term.startswith(("-", MINUS))]
    with Library(library or default_path()) as opened:
        found = search(opened, wanted, unwanted, minimum, limit)
    if not found:
        typer.echo("no track has them all; scores are shy: try a lower --min", err=True)
    _show(found, m3u, json, "score")


def similar(
    song: Annotated[Path, typer.Argument(metavar="FILE", help="A song, in the library or not.")],
    limit: Limit = 20,
    m3u: Playlist = None,
    json: Json = False,
    library: LibraryFile = None,
) -> None:
    """List the tracks of a library that sound most like a song."""
    from autotag.library.database import Library, default_path
    from autotag.library.query import similar as search

    _only_one(m3u, json)
    with Library(library or default_path()) as opened:
        path = os.path.abspath(song)  # noqa: PTH100 as the library names it
        found = search(opened, opened.embedding(path) or _embedding(opened, song), limit, {path})
    _show(found, m3u, json, "similarity")


def stats(library: LibraryFile = None, json: Json = False) -> None:
    """Show what is in a library, and how often it has each tag."""
    from autotag.library.database import Library, default_path
    from autotag.library.query import stats as count

    with Library(library or default_path()) as opened:
        found = count(opened)
    if json:
        typer.echo(as_json(found, indent=2))
        return
    failures = ", ".join(f"{number} {kind}" for kind, number in found["failures"].items())
    typer.echo(f"{found['tracks']} tracks, {found['hours']:.1f} h, tagged by {found['model']}")
    typer.echo(f"cannot be tagged: {failures or 'none'}\n")
    width = max(len(tag["tag"]) for tag in found["tags"])
    typer.echo(f"{'tag':{width}}  tracks  share  mean   threshold")
    for tag, threshold, tracks, mean in (row.values() for row in found["tags"]):
        share = tracks / max(1, found["tracks"])
        typer.echo(f"{tag:{width}}  {tracks:6}  {share:5.0%}  {mean:.3f}  {threshold:9.3f}")


def _show(found: "list[Found]", m3u: Path | None, json: bool, score: str) -> None:
    if json:
        typer.echo(as_json([_plain(track, score) for track in found], indent=2))
    elif m3u:
        _write_m3u(found, m3u)
    elif found:
        tags = [tag for tag, _ in found[0].tags]
        typer.echo("  ".join([score, *tags, "path"]))
        for track in found:
            each = [f"{value:{len(tag)}.2f}" for tag, value in track.tags]
            typer.echo("  ".join([f"{track.score:{len(score)}.2f}", *each, printable(track.path)]))


def _plain(track: "Found", score: str) -> dict[str, Any]:
    tags = {"tags": [{"tag": tag, "score": round(value, 4)} for tag, value in track.tags]}
    plain = {"path": track.path, "duration": round(track.duration, 3), score: round(track.score, 4)}
    return plain | (tags if track.tags else {})


def _write_m3u(found: "list[Found]", path: Path) -> None:
    """An extended M3U8: UTF-8, a line of seconds and name and a line of the path for each track."""
    from autotag.system.files import replacing

    lines = ["#EXTM3U"]
    written = 0
    for track in found:
        # A line break would begin another entry, and a name that is not UTF-8 spoil the file.
        if re.search("[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]", track.path):
            message = "left out of the playlist, for its name has control characters or is not UTF-8"
            typer.echo(f"warning: {printable(track.path)}: {message}", err=True)
            continue
        file = track.path if not track.path.startswith("#") else f"./{track.path}"
        lines += [f"#EXTINF:{round(track.duration)},{Path(track.path).stem}", file]
        written += 1
    with replacing(path) as part:
        part.write_text("\n".join([*lines, ""]), "utf-8", newline="\n")
    typer.echo(f"{printable(str(path))}: {written} tracks")


def _only_one(m3u: Path | None, json: bool) -> None:
    if m3u and json:
        raise typer.BadParameter("a playlist is not JSON: give one of --m3u and --json", param_hint="--m3u")


def _error(message: str) -> None:
    typer.echo(f"error: {printable(message)}", err=True)


def _embedding(library: "Library", song: Path) -> bytes:
    """The compact embedding of a song that is not in the library, by the library's model."""
    from autotag.library.vectors import compact
    from autotag.tagger import Tagger

    library.check(describe(library.model), library.seconds)
    return compact(Tagger(library.model).scores(song, library.seconds).embeddings.mean(axis=0))
