"""The command `autotag write`."""

import inspect
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autotag.batch import processes, tag_files
from autotag.cli.chosen import (
    Files,
    chosen_files,
    chosen_model,
    chosen_request,
    given,
    refuse,
    spelled,
    with_options,
)
from autotag.cli.fields import chosen_fields
from autotag.cli.options import (
    FIELDS,
    OUTPUT,
    Exclude,
    FilesFrom,
    Hidden,
    Include,
    Jobs,
    Paths,
    Shard,
    local_path,
    output,
)
from autotag.cli.run import Run, say
from autotag.config import Config
from autotag.models.registry import ModelChoice, find
from autotag.outputs.fields import FieldRequest
from autotag.outputs.stream import write_json
from autotag.request import TagRequest
from autotag.result import Failure, Outcome, Result
from autotag.system.cores import usable_cores
from autotag.system.files import size_and_time
from autotag.system.text import counted, printable

if TYPE_CHECKING:
    from autotag.outputs.containers import Values
    from autotag.outputs.filetags import Written

STDOUT = Path("-")


def files_or_none(
    paths: Paths = None,
    include: Include = None,
    exclude: Exclude = None,
    files_from: FilesFrom = None,
    shard: Shard = "1/1",
    hidden: Hidden = False,
) -> Files | None:
    """The files that are named; None where there are none."""
    return chosen_files(paths, include, exclude, files_from, shard, hidden) if paths or files_from else None


def chosen_run(
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print only warnings and errors.", rich_help_panel=OUTPUT),
    ] = False,
) -> Run:
    """What the command says while it works."""
    return Run(quiet)


def _report(text: str) -> Path:
    return STDOUT if text == str(STDOUT) else output(".json")(text)


@with_options(
    files=files_or_none,
    model=chosen_model,
    request=partial(chosen_request, threshold="auto"),
    wanted=chosen_fields,
    run=chosen_run,
)
def write(
    context: typer.Context,
    files: Files | None,
    model: ModelChoice,
    request: TagRequest,
    wanted: FieldRequest,
    run: Run,
    jobs: Jobs = None,
    library: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Take tags that were set by hand from this library.",
            show_default="library.sqlite in the user's data folder",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            parser=local_path,
            metavar="FILE",
            help="Write the tags that a library, or FILE of an earlier --out, holds, instead of tagging.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace what these fields hold already.", rich_help_panel=FIELDS),
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
    report: Annotated[
        Any,
        typer.Option(
            parser=_report,
            metavar="FILE|-",
            help="Write old and new values to FILE (.json), or as JSON to stdout, instead of showing them.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
) -> None:
    """Write tags into the files themselves; --undo takes them back."""
    from autotag.outputs.filetags import attempt

    _check(context, files, from_, undo)
    total, outcomes = _tags(files, model, replace(request, top=0), jobs, from_, library, run, undo)
    wanted = replace(wanted, top=request.top, minimum=request.lowest)
    nothing = "nothing to take back" if undo else "no tag to write"

    def done() -> "Iterator[Written | Failure]":
        for item in run.outcomes(outcomes, total, shown=report in (None, STDOUT)):
            if isinstance(item, Failure):
                yield item
                continue
            path = item.path or ""
            fields = {} if undo else wanted.fields(item.tags)
            written = attempt(path, fields, force, dry_run, keep_time=keep_time, skip_links=skip_links)
            if isinstance(written, Failure):
                run.error(written.message)
            else:
                run.warn(path, *written.warnings)
                run.counts["written" if written.changes else "unchanged"] += 1
                if not report and not run.quiet:
                    _show(written, "as it should be" if any(fields.values()) else nothing)
            yield written

    def kept() -> str:
        done = run.counts["written"] + run.counts["unchanged"]
        back = "" if undo else ", or with --undo to take that back"
        return "" if dry_run else f"{done} of {total} files are done. Run again to go on{back}."

    with run.keeping(kept):
        if report:
            to_stdout = report == STDOUT
            with nullcontext(sys.stdout) if to_stdout else report.open("w", encoding="utf-8") as stream:
                write_json(done(), stream)
        else:
            deque(done(), maxlen=0)
    counts = ", ".join(f"{run.counts[what]} {what}" for what in ("written", "unchanged", "failed"))
    run.end(counts + (" (nothing: --dry-run)" if dry_run else ""))


def _check(context: typer.Context, files: Files | None, from_: Path | None, undo: bool) -> None:
    """Refuse options that do not go together."""
    tagging = given(context, *Config.__slots__, "model", "excerpt", "excerpts", "jobs", "library")
    writing = given(context, "vocabulary", "top", "threshold", "merge", "force")
    writing += given(context, *inspect.signature(chosen_fields).parameters)
    if not files and not from_:
        why = "Name files and folders, or a file of results with --from."
        raise typer.BadParameter(why, param_hint="FILE|DIR...")
    if not files:
        refuse(context, "Name files or folders too, to choose from.", "include", "exclude", "shard")
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
    library: Path | None,
    run: Run,
    undo: bool,
) -> tuple[int, Iterator[Outcome]]:
    """How many outcomes there are, and the outcomes whose tags are to be written."""
    if from_:
        earlier = list(_earlier(from_, request, files))
        return len(earlier), iter(earlier)
    found = files.found() if files else []
    if undo:
        return len(found), (Result(str(path), "", "", 0.0, 0, (), {}) for path in found)
    outcomes = tag_files(found, model, request, jobs=processes(len(found), jobs or usable_cores()))
    return len(found), _by_hand(outcomes, found, model, request, library, run)


def _by_hand(
    outcomes: Iterator[Outcome],
    files: list[Path],
    model: ModelChoice,
    request: TagRequest,
    library: Path | None,
    run: Run,
) -> Iterator[Outcome]:
    """The outcomes, with the tags that a person set in the library: the user's own need not be there."""
    from autotag.library.database import default_path
    from autotag.library.said import as_said, said_of

    path = library or default_path()
    said = said_of(files, path) if library or path.exists() else {}
    if not said:
        return outcomes
    if not run.quiet:
        say(f"{counted(len(said), 'file has', 'files have')} tags set by hand in {path}, which count.")
    return as_said(outcomes, said, find(model).metadata.outputs, request)


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
            and modified is not None
            and outcome.modified not in (None, modified)
            and not is_own_write(outcome.path, outcome.size, outcome.modified)
        ):
            yield Failure(
                outcome.path, "Changed", f"{outcome.path}: has changed since it was tagged. Tag it again."
            )
        else:
            yield replace(outcome, warnings=()) if isinstance(outcome, Result) else outcome  # were said then


def _show(written: "Written", unchanged: str) -> None:
    """The file, and a line a field: old -> new; or why there is none."""
    remark = written.skipped or ("" if written.changes or written.kept else unchanged)
    typer.echo(f"{printable(written.path)}  {remark}".rstrip())
    for change in written.changes:
        typer.echo(f" {change.field:8} {_joined(change.old)} -> {_joined(change.new)}")
    for change in written.kept:
        typer.echo(f" {change.field:8} {_joined(change.old)} stays; --force: {_joined(change.new)}")


def _joined(values: "Values") -> str:
    return ", ".join(map(printable, values)) or "(none)"
