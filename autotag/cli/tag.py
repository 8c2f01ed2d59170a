"""The command `autotag tag`, which is the default one."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from autotag.audio.folders import audio_files, listed
from autotag.batch import Asked, processes
from autotag.cli import options
from autotag.cli.run import outcomes_of
from autotag.config import DEFAULT, Config
from autotag.errors import AudioError
from autotag.models.registry import Entry, describe, select
from autotag.outputs.sink import ENDINGS, open_sink, unfinished
from autotag.outputs.stream import WRITERS, Format
from autotag.result import Failure, Result
from autotag.system.cores import usable_cores
from autotag.system.text import printable


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise typer.BadParameter(f"{text!r}: use i/n, such as 1/4 for the first of four parts")
    return int(index), int(count)


def tag(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE|DIR...", readable=False, help="Audio files, or folders of them."),
    ] = None,
    arch: options.Arch = DEFAULT.arch,
    sr: options.Rate = "12k",
    mels: options.Mels = DEFAULT.mels,
    hop: options.Hop = None,
    log: options.Log = DEFAULT.log,
    tags: options.Tags = "mtat",
    model: options.Model = None,
    budget: options.Budget = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Tag with every model at hand, and show what each costs.")
    ] = False,
    models: options.Models = None,
    seconds: options.Seconds = None,
    top: options.Top = 5,
    threshold: options.Threshold = None,
    merge_synonyms: Annotated[
        bool | None, typer.Option(help="One name for tags of one meaning.", show_default="in the table")
    ] = None,
    format: Annotated[Format, typer.Option(help="Of the output.")] = Format.TABLE,  # noqa: A002
    include: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Only files of this name or path in the folder.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="No files or folders of this name or path.")
    ] = None,
    files_from: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(metavar="FILE|-", help="A list of files and folders: lines, or separated by NUL."),
    ] = None,
    shard: Annotated[
        Any,
        typer.Option(parser=_shard, metavar="i/n", help="The i-th of n parts of the files, by their paths."),
    ] = "1/1",
    jobs: options.Jobs = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Keep results in a file: {', '.join(ENDINGS)}. Goes on with it."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Tag again what --out holds.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed.")] = False,
) -> None:
    """Print the top tags of each file, or keep them in a file."""
    if models and not compare:
        raise typer.BadParameter("goes with --compare", param_hint="--models")
    if budget or compare:
        one, other = ("compare", "budget") if compare else ("budget", "model")
        options.refuse(context, f"--{one} says which models to use", other, "model", *Config.__slots__)
    name = _within(budget, tags) if budget else options.chosen_model(context)
    library = out is not None and out.suffix == ".sqlite"
    if not paths and not files_from:
        raise typer.BadParameter("name some, or a list of them with --files-from", param_hint="FILE|DIR...")
    if out and options.given(context, "format") and f".{format}" != out.suffix:
        raise typer.BadParameter("what --out names has its format by its ending", param_hint="--format")
    if not out:
        options.refuse(context, "goes with --out", "force", "retry_failed")
    if library:
        options.refuse(context, "a library keeps all scores", "top", "threshold", "merge_synonyms")
    if merge_synonyms is None:
        merge_synonyms = format is Format.TABLE and not out
    if library:
        asked = Asked(name, top=0, seconds=seconds, embed=True)
    else:
        asked = Asked(name, top, threshold, merge_synonyms, seconds)
    named = [*(paths or ()), *(listed(files_from.read()) if files_from else ())]
    if library:
        named = [Path(os.path.abspath(path)) for path in named]  # noqa: PTH100 as scan names them
    files = list(audio_files(named, include or (), exclude or (), shard))
    jobs = jobs or usable_cores()
    if compare:
        options.refuse(context, "--compare keeps nothing", "out")
        options.refuse(context, "--compare tags one file at a time, to time it", "jobs")
        failed = _compare(files, select(models, tags), asked, format)
    elif out:
        failed = _keep(files, asked, jobs, out, force, retry_failed)
    else:
        failed = _print(files, asked, jobs, format)
    if failed:
        raise typer.Exit(1)


def _print(files: list[Path], asked: Asked, jobs: int, format: Format) -> bool:  # noqa: A002
    """Results to stdout, the rest to stderr; whether some file failed."""
    failed = False

    def report(outcomes: Iterator[Result | Failure]) -> Iterator[Result | Failure]:
        nonlocal failed
        for result in outcomes:
            if isinstance(result, Failure):
                failed = True
                typer.echo(f"error: {printable(result.message)}", err=True)
            else:
                for warning in result.warnings:
                    typer.echo(f"warning: {printable(result.path)}: {warning}", err=True)
            yield result

    shown = sys.stdout.isatty()  # results on a terminal show themselves how far it is
    with closing(outcomes_of(files, asked, processes(files, jobs), quiet=shown)) as outcomes:
        WRITERS[format](report(outcomes), sys.stdout)
    return failed


def _within(budget: float, vocabulary: str) -> str:
    from autotag.speed.choose import within

    return within(select(vocabulary=vocabulary), budget).entry.metadata.name


def _compare(files: list[Path], entries: list[Entry], asked: Asked, format: Format) -> bool:  # noqa: A002
    """Each file with every model to stdout; whether some file failed."""
    from autotag.speed.compare import compare, write_comparison

    failed = False

    def compared() -> Iterator[Result]:
        nonlocal failed
        for path in files:
            try:
                rows = compare(path, entries, asked)
            except AudioError as error:
                failed = True
                typer.echo(f"error: {printable(str(error))}", err=True)
                continue
            for warning in rows[0].result.warnings:
                typer.echo(f"warning: {printable(str(path))}: {warning}", err=True)
            if format is Format.TABLE:
                write_comparison(rows, sys.stdout)
            else:
                yield from (row.result for row in rows)

    WRITERS[format](compared(), sys.stdout)
    return failed


def _keep(files: list[Path], asked: Asked, jobs: int, out: Path, force: bool, retry_failed: bool) -> bool:
    """Results to a file, but for those it holds; whether some file failed, now or then."""
    metadata = describe(asked.model)
    counts = {True: 0, False: 0}
    with open_sink(out, metadata, asked, force) as sink:
        todo, kept = unfinished(files, {} if force else sink.stamps(), metadata.name, retry_failed)
        with closing(outcomes_of(todo, asked, jobs)) as outcomes:
            for outcome in outcomes:
                sink.write(outcome)
                counts[outcome.ok] += 1
    before = sum(not stamp.ok for stamp in kept)
    remark = f" ({before} of them failed: --retry-failed tries again)" if before else ""
    summary = f"{counts[True]} tagged, {counts[False]} failed, {len(kept)} skipped{remark}"
    typer.echo(f"{summary} -> {printable(str(out))}", err=True)
    return counts[False] + before > 0
