"""The command `autotag write`."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autotag.batch import processes, tag_files
from autotag.cli.chosen import (
    Files,
    chosen_files,
    chosen_model,
    chosen_request,
    chosen_run,
    given,
    spelled,
    with_options,
)
from autotag.cli.options import OUTPUT, Exclude, FilesFrom, Include, Jobs, Paths, Shard
from autotag.cli.run import Run
from autotag.config import Config
from autotag.models.registry import ModelChoice
from autotag.request import TagRequest
from autotag.result import Failure, Outcome, Result
from autotag.system.cores import usable_cores
from autotag.system.files import size_and_time
from autotag.system.text import printable

if TYPE_CHECKING:
    from autotag.outputs.containers import Values
    from autotag.outputs.filetags import Written


def files_or_none(
    paths: Paths = None,
    include: Include = None,
    exclude: Exclude = None,
    files_from: FilesFrom = None,
    shard: Shard = "1/1",
) -> Files | None:
    """The files that are named; None where there are none."""
    return chosen_files(paths, include, exclude, files_from, shard) if paths or files_from else None


@with_options(
    files=files_or_none,
    model=chosen_model,
    request=partial(chosen_request, threshold="auto"),
    run=chosen_run,
)
def write(
    context: typer.Context,
    files: Files | None,
    model: ModelChoice,
    request: TagRequest,
    run: Run,
    jobs: Jobs = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Write the tags that FILE of an earlier --out holds, instead of tagging.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    genre: Annotated[
        bool, typer.Option("--genre", help="Set the genre from tags that are one.", rich_help_panel=OUTPUT)
    ] = False,
    mood: Annotated[
        bool, typer.Option("--mood", help="Set the mood from tags that are one.", rich_help_panel=OUTPUT)
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace a genre or mood that is there already.", rich_help_panel=OUTPUT
        ),
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Put back what was there before.", rich_help_panel=OUTPUT)
    ] = False,
    keep_time: Annotated[
        bool,
        typer.Option(
            "--keep-time",
            help="Keep the time of modification. Backups may then miss the change.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    skip_links: Annotated[
        bool,
        typer.Option(
            "--skip-links", help="Leave files alone that have other hard links.", rich_help_panel=OUTPUT
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the changes, and write nothing.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Write tags into the files themselves; --undo takes them back."""
    from autotag.outputs.filetags import attempt, fields

    _check(context, files, from_, undo)
    total, outcomes = _tags(files, model, request, jobs, from_, undo)
    for item in run.outcomes(outcomes, total, shown=True):
        if isinstance(item, Failure) or item.path is None:
            continue
        wanted = {} if undo else fields(item.tags, genre, mood, request.lowest)
        written = attempt(item.path, wanted, force, dry_run, keep_time=keep_time, skip_links=skip_links)
        if isinstance(written, Failure):
            run.error(written.message)
        else:
            run.warn(item.path, *written.warnings)
            run.counts["written" if written.changes else "unchanged"] += 1
            _show(written)
    counts = ", ".join(f"{run.counts[what]} {what}" for what in ("written", "unchanged", "failed"))
    run.end(counts + (" (nothing: --dry-run)" if dry_run else ""))


def _check(context: typer.Context, files: Files | None, from_: Path | None, undo: bool) -> None:
    """Refuse options that do not go together."""
    tagging = given(context, *Config.__slots__, "model", "excerpt", "excerpts", "jobs")
    writing = given(context, "vocabulary", "top", "threshold", "merge", "genre", "mood", "force")
    if not files and not from_:
        raise typer.BadParameter(
            "Name files and folders, or a file of results with --from.", param_hint="FILE|DIR..."
        )
    if from_ and tagging:
        raise typer.BadParameter(
            f"--from has the tags already. Leave out {spelled(tagging[0])}.", param_hint="--from"
        )
    if undo and (others := [*tagging, *writing, *(["from"] if from_ else [])]):
        raise typer.BadParameter(f"Leave out {spelled(others[0])}.", param_hint="--undo")


def _tags(
    files: Files | None,
    model: ModelChoice,
    request: TagRequest,
    jobs: int | None,
    from_: Path | None,
    undo: bool,
) -> tuple[int, Iterator[Outcome]]:
    """How many outcomes there are, and the outcomes whose tags are to be written."""
    if from_:
        earlier = list(_earlier(from_, request, files))
        return len(earlier), iter(earlier)
    found = files.found() if files else []
    if undo:
        return len(found), (Result(str(path), "", "", 0.0, 0, (), {}) for path in found)
    return len(found), tag_files(found, model, request, jobs=processes(len(found), jobs or usable_cores()))


def _earlier(path: Path, request: TagRequest, files: Files | None) -> Iterator[Outcome]:
    """The outcomes of an earlier run, of all files or of some, that are still of the files as they are."""
    from autotag.library.keep import read_outcomes
    from autotag.library.spelling import as_known
    from autotag.outputs.filetags import is_own_write

    outcomes = list(read_outcomes(path, request))
    known = {outcome.path for outcome in outcomes if outcome.path is not None}
    named = {str(file) for file in as_known(files.found(), known)} if files else None
    for outcome in outcomes:
        if named is not None and outcome.path not in named:
            continue
        modified = size_and_time(Path(outcome.path or ""))[1]
        if outcome.path is None:
            yield Failure(None, "NoPath", f"{path}: a result in it has no path. Delete its line.")
        elif (
            isinstance(outcome, Result)
            and outcome.modified not in (None, modified)
            and not is_own_write(outcome.path, outcome.size, outcome.modified)
        ):
            yield Failure(
                outcome.path, "Changed", f"{outcome.path}: has changed since it was tagged. Tag it again."
            )
        else:
            yield outcome


def _show(written: "Written") -> None:
    """The file, and a line a field: old -> new."""
    unchanged = "" if written.changes or written.kept else "  as it should be"
    typer.echo(printable(written.path) + (f"  {written.skipped}" if written.skipped else unchanged))
    for change in written.changes:
        typer.echo(f" {change.field:8} {_joined(change.old)} -> {_joined(change.new)}")
    for change in written.kept:
        typer.echo(f" {change.field:8} {_joined(change.old)} stays; --force: {_joined(change.new)}")


def _joined(values: "Values") -> str:
    return ", ".join(map(printable, values)) or "(none)"
