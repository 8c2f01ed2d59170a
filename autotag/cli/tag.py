"""The command `autotag tag`, which is the default one."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from autotag.batch import processes, tag_files
from autotag.cli.chosen import (
    Files,
    chosen_files,
    chosen_model,
    chosen_request,
    chosen_run_of_files,
    given,
    refuse,
    with_options,
)
from autotag.cli.options import (
    FILES,
    MODEL,
    OUTPUT,
    Budget,
    Exclude,
    FilesFrom,
    Hidden,
    Include,
    Jobs,
    Models,
    Paths,
    Shard,
    local_path,
)
from autotag.cli.run import Run
from autotag.config import Config
from autotag.errors import EmptyAudio
from autotag.models.registry import ModelChoice, select
from autotag.outputs.sink import ENDINGS
from autotag.outputs.stream import WRITERS, Format
from autotag.request import TagRequest
from autotag.result import Failure, Outcome, Result
from autotag.system.cores import usable_cores

STDIN = "-"
"""What is named for the audio on standard input."""


def files_or_stdin(
    context: typer.Context,
    paths: Paths = None,
    include: Include = None,
    exclude: Exclude = None,
    files_from: FilesFrom = None,
    shard: Shard = "1/1",
    hidden: Hidden = False,
) -> Files:
    """The files that a command's arguments name, or - for the audio on standard input."""
    if paths != [Path(STDIN)]:
        return chosen_files(paths, include, exclude, files_from, shard, hidden)
    refuse(
        context,
        "- is the audio on standard input, and no file. Leave this out.",
        *("include", "exclude", "files_from", "shard", "hidden", "out", "compare"),
    )
    return Files((), {}, stdin=True)


@with_options(files=files_or_stdin, model=chosen_model, request=chosen_request, run=chosen_run_of_files)
def tag(
    context: typer.Context,
    files: Files,
    model: ModelChoice,
    request: TagRequest,
    run: Run,
    budget: Budget = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", help="Tag with every installed model, and show its cost.", rich_help_panel=MODEL
        ),
    ] = False,
    models: Models = None,
    format: Annotated[  # noqa: A002
        Format, typer.Option(help="Print results as table, line, json, jsonl or csv.", rich_help_panel=OUTPUT)
    ] = Format.TABLE,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            parser=local_path,
            metavar="FILE",
            help=f"Write results to FILE ({', '.join(ENDINGS)}). The next run skips files that are done.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Tag again the files that --out holds.", rich_help_panel=OUTPUT)
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Tag again the files that failed before.", rich_help_panel=FILES),
    ] = False,
    jobs: Jobs = None,
) -> None:
    """Print the top tags of each file, or write them to a file."""
    _check(context, budget, compare, models, out, format)
    if budget:
        from autotag.speed.choose import within

        suited = select(vocabulary=request.vocabulary)
        with run.tracking(f"rounds to time {len(suited)} models") as timed:
            model = within(suited, budget, progress=timed).model.name
    if files.stdin:
        WRITERS[format](run.outcomes(_from_stdin(model, request), 1, shown=True), sys.stdout)
        run.end()
        return
    if out and out.suffix == ".sqlite":
        files = replace(files, named=tuple(Path(os.path.abspath(path)) for path in files.named))  # noqa: PTH100 as scan
    found = files.found()
    if compare:
        _compare(found, models, request, format, run)
        run.end()
    elif out:
        from autotag.library.keep import tag_into

        with run.tracking(kept_in=out, said=False) as progress:
            tally = tag_into(
                found,
                out,
                model,
                request,
                jobs=jobs,
                force=force,
                retry_failed=retry_failed,
                progress=progress,
            )
        before = tally.failed_before
        remark = f" ({before} of them failed: --retry-failed tries again)" if before else ""
        run.counts["failed"] += before
        run.end(f"{tally.tagged} tagged, {tally.failed} failed, {tally.skipped} skipped{remark} -> {out}")
    else:
        count = processes(len(found), jobs or usable_cores())
        with closing(tag_files(found, model, request, jobs=count)) as outcomes:
            WRITERS[format](run.outcomes(outcomes, len(found), shown=True), sys.stdout)
        run.end()


def _from_stdin(model: ModelChoice, request: TagRequest) -> Iterator[Outcome]:
    """The outcome of the audio on standard input, kept in a temporary file, for decoders move about in it."""
    if sys.stdin is None or sys.stdin.isatty():
        raise typer.BadParameter(
            "Nothing is piped into standard input. Pipe audio: ffmpeg -i film.mkv -f wav - | autotag -",
            param_hint="FILE|DIR...",
        )
    from autotag.tagger import Tagger

    tagger = Tagger(model)
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        if not file.tell():
            why = f"{STDIN}: standard input is empty. Did the program that writes it fail?"
            yield Failure(STDIN, EmptyAudio.__name__, why)
            return
        file.seek(0)
        yield tagger.attempt(file, request, name=STDIN)


def _check(
    context: typer.Context,
    budget: float | None,
    compare: bool,
    models: list[str] | None,
    out: Path | None,
    format: Format,  # noqa: A002
) -> None:
    """Refuse options that do not go together."""
    if models and not compare:
        raise typer.BadParameter("Add --compare, or choose one model with --model.", param_hint="--models")
    if budget or compare:
        one, other = ("compare", "budget") if compare else ("budget", "model")
        refuse(context, f"--{one} chooses the models. Leave this out.", other, "model", *Config.__slots__)
    if out and given(context, "format") and f".{format}" != out.suffix:
        raise typer.BadParameter(
            f"--out {out} is written as its name ends. Leave out --format.", param_hint="--format"
        )
    if not out:
        refuse(context, "Add --out FILE, which it is about.", "force", "retry_failed")
    if out and out.suffix == ".sqlite":
        why = f"{out} keeps all scores. Leave this out, or write to .jsonl, .csv or .parquet."
        refuse(context, why, "vocabulary", "top", "threshold", "merge")
    if compare:
        refuse(context, "--compare prints, and writes no file. Leave this out.", "out")
        refuse(context, "--compare tags one file at a time, to time it. Leave this out.", "jobs")


def _compare(
    files: list[Path],
    models: list[str] | None,
    request: TagRequest,
    format: Format,  # noqa: A002
    run: Run,
) -> None:
    """Each file with every model to stdout."""
    from autotag.speed.compare import compare, write_comparison

    def compared() -> Iterator[Result]:
        for rows in compare(files, select(models, request.vocabulary), request):
            if isinstance(rows, Failure):
                run.error(rows.message)
                continue
            run.warn(rows[0].result.path, *rows[0].result.warnings)
            if format is Format.TABLE:
                write_comparison(rows, sys.stdout)
            else:
                yield from (row.result for row in rows)

    WRITERS[format](compared(), sys.stdout)
