"""The command `autotag write`."""

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autotag.audio.folders import audio_files
from autotag.batch import Asked, processes
from autotag.cli import options
from autotag.cli.run import outcomes_of
from autotag.config import DEFAULT, Config
from autotag.result import Failure
from autotag.system.cores import usable_cores
from autotag.system.files import size_and_time
from autotag.system.text import printable

if TYPE_CHECKING:
    from autotag.outputs.containers import Values
    from autotag.outputs.filetags import Row, Written
    from autotag.result import Result


def write(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE|DIR...]", readable=False, help="Audio files, or folders of them."),
    ] = None,
    arch: options.Arch = DEFAULT.arch,
    sr: options.Rate = "12k",
    mels: options.Mels = DEFAULT.mels,
    hop: options.Hop = None,
    log: options.Log = DEFAULT.log,
    tags: options.Tags = "mtat",
    model: options.Model = None,
    seconds: options.Seconds = None,
    jobs: options.Jobs = None,
    top: options.Top = 5,
    threshold: Annotated[
        Any,
        typer.Option(**options.THRESHOLD, help=options.LOWER, show_default="auto; with --from: none"),
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Write what an earlier --out FILE.jsonl holds."),
    ] = None,
    genre: Annotated[bool, typer.Option("--genre", help="Also set the genre, where tags are one.")] = False,
    mood: Annotated[bool, typer.Option("--mood", help="Also set the mood, where tags are one.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a genre or mood that is there already.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put back what was there before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes, write nothing.")] = False,
) -> None:
    """Write tags into the files themselves; --undo takes them back."""
    from autotag.outputs.filetags import attempt, fields

    tagging = options.given(context, *Config.__slots__, "tags", "model", "seconds", "jobs")
    writing = options.given(context, "top", "threshold", "genre", "mood", "force")
    if bool(paths) == bool(from_):
        raise typer.BadParameter("give either files and folders or --from", param_hint="FILE|DIR...")
    if from_ and tagging:
        raise typer.BadParameter(f"has the tags already: leave out --{tagging[0]}", param_hint="--from")
    if undo and (others := [*tagging, *writing, *(["from"] if from_ else [])]):
        raise typer.BadParameter(f"leave out --{others[0]}", param_hint="--undo")

    found: Iterator[Row | Result | Failure]
    if undo:
        found = _no_tags(paths or [])
    elif from_:
        found = _tags_of_earlier_run(from_, top, threshold)
    else:
        threshold = "auto" if threshold is None else threshold
        name = options.chosen_model(context)
        found = _tags_of_model(name, paths or [], top, threshold, seconds, jobs or usable_cores())
    failed = False
    for item in found:
        outcome: Written | Failure
        if isinstance(item, Failure):
            outcome = item
        else:
            for warning in item.warnings:
                typer.echo(f"warning: {printable(item.path)}: {warning}", err=True)
            outcome = attempt(item.path, fields(item.tags, genre, mood), force, dry_run)
        if isinstance(outcome, Failure):
            failed = True
            typer.echo(f"error: {printable(outcome.message)}", err=True)
        else:
            _show(outcome)
    if failed:
        raise typer.Exit(1)


def _no_tags(paths: list[Path]) -> Iterator["Row"]:
    from autotag.outputs.filetags import Row

    return (Row(str(path), "") for path in audio_files(paths))


def _tags_of_earlier_run(path: Path, top: int, threshold: float | str | None) -> Iterator["Row | Failure"]:
    from autotag.models.registry import find
    from autotag.outputs.filetags import rows
    from autotag.request import narrow

    for row in rows(path):
        if isinstance(row, Failure):
            yield row
        elif row.modified not in (None, size_and_time(Path(row.path))[1]):
            yield Failure(row.path, "Changed", f"{row.path}: has changed since it was tagged: tag it again")
        else:
            metadata = find(row.model).metadata if threshold == "auto" else None
            yield row._replace(tags=narrow(row.tags, metadata, top, threshold, merge_synonyms=True))


def _tags_of_model(
    model: str, paths: list[Path], top: int, threshold: float | str, seconds: float | None, jobs: int
) -> Iterator["Result | Failure"]:
    asked = Asked(model, top, threshold, True, seconds)
    files = list(audio_files(paths))
    with closing(outcomes_of(files, asked, processes(files, jobs), quiet=sys.stdout.isatty())) as outcomes:
        yield from outcomes


def _show(written: "Written") -> None:
    """The file, and a line a field: old -> new."""
    typer.echo(printable(written.path) + ("" if written.changes or written.kept else "  as it should be"))
    for change in written.changes:
        typer.echo(f" {change.field:8} {_joined(change.old)} -> {_joined(change.new)}")
    for change in written.kept:
        typer.echo(f" {change.field:8} {_joined(change.old)} stays; --force: {_joined(change.new)}")


def _joined(values: "Values") -> str:
    return ", ".join(map(printable, values)) or "(none)"
