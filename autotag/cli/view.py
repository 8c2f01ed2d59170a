"""The commands that show what the networks see and hear."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from autotag.audio.folders import audio_files
from autotag.batch import Asked, processes
from autotag.cli import options
from autotag.cli.run import outcomes_of
from autotag.config import DEFAULT, Config
from autotag.errors import AudioError
from autotag.models.registry import select
from autotag.result import Failure, Result
from autotag.system.cores import usable_cores
from autotag.system.text import printable

Item = TypeVar("Item")

PICTURES = (".png", ".svg")
NUMBERS = (".json", ".csv", ".npz")
SOUNDS = (".flac", ".wav", ".mp3", ".ogg")


def _out(*endings: str) -> Any:
    return typer.Option(
        "--out",
        "-o",
        parser=options.output(*endings),
        metavar="FILE",
        help="To write: " + ", ".join(endings) + ".",
    )


def taggram(
    context: typer.Context,
    song: Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="An audio file.")],
    out: Annotated[Any, _out(*PICTURES, ".html", *NUMBERS)],
    step: Annotated[
        float | None,
        typer.Option(
            metavar="S", help="Seconds from one segment to the next.", show_default="the length of a segment"
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="How many tags are drawn; 0 for all.")] = 15,
    arch: options.Arch = "musicnn",
    sr: options.Rate = "12k",
    mels: options.Mels = DEFAULT.mels,
    hop: options.Hop = None,
    log: options.Log = DEFAULT.log,
    tags: options.Tags = "mtat",
    model: options.Model = None,
) -> None:
    """Write the tags over time, as a picture, a page or numbers."""
    if out.suffix in PICTURES:
        from autotag.views.heatmap import draw  # fails before the work does
    from autotag.audio.decode import Audio
    from autotag.system.files import replacing
    from autotag.tagger import Tagger
    from autotag.views.page import COLUMNS, taggram_figure, write_page
    from autotag.views.taggram import WRITERS, Taggram, envelope

    if out.suffix in NUMBERS:
        options.refuse(context, "numbers are of all tags", "top")
    tagger = Tagger(options.chosen_model(context))
    sr = tagger.metadata.config.sr
    with _told():
        try:
            heard = tagger.scores(song, step=step)
        except AudioError:
            raise
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--step") from error
        outline = None if out.suffix in NUMBERS else envelope(Audio(song, sr), sr, COLUMNS)
    _warn(song, heard.warnings)
    found = Taggram.of(song, heard, tagger.metadata)
    with replacing(out) as part:
        if outline is None:
            WRITERS[out.suffix](found, part)
        elif out.suffix in PICTURES:
            draw(found.shown(top), outline, part, out.suffix)
        else:
            write_page(part, song.name, [taggram_figure([found.shown(top)], outline)])


def sonify(
    context: typer.Context,
    song: Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="An audio file.")],
    out: Annotated[Any, _out(*SOUNDS, ".html")],
    mels: options.Mels = DEFAULT.mels,
    hop: options.Hop = None,
    sr: options.Rate = "12k",
    all_: Annotated[bool, typer.Option("--all", help="All bands and hops, on a page.")] = False,
    seconds: options.Seconds = None,
) -> None:
    """Write what the networks hear at a resolution: its mel-spectrogram, turned back into sound."""
    if all_ != (out.suffix == ".html"):
        raise typer.BadParameter("a page, .html, is what --all writes", param_hint="--out")
    if out.exists() and song.exists() and out.samefile(song):
        raise typer.BadParameter(f"{str(out)!r}: the song itself: name another file", param_hint="--out")
    if all_:
        options.refuse(context, "--all is all of them", "mels", "hop")
    config = Config("vgg", sr, mels, options.chosen_hop("vgg", mels, hop))
    from numpy import concatenate

    from autotag.audio.decode import Audio
    from autotag.audio.encode import write
    from autotag.system.files import replacing
    from autotag.views.page import write_page
    from autotag.views.sonify import correlation, decibels
    from autotag.views.sonify import sonify as inverted
    from autotag.views.sonify_page import GRID, heard

    audio = Audio(song, sr, seconds)
    with _told(), replacing(out) as part:
        if all_:
            signal = concatenate(list(audio))
            write_page(part, song.name, heard(signal, sr, _track(GRID)))
        else:
            resolution = (sr, mels, config.hop)
            samples = write(part, inverted(audio, *resolution), sr, out.suffix)
            seen = (decibels(sound, *resolution) for sound in (audio, Audio(part, sr)))
            facts = f"{samples / sr:.3f} s, correlation of the spectrograms {correlation(*seen):.3f}"
            typer.echo(f"{printable(str(out))}: {facts}")
    _warn(song, audio.warnings)


def report(
    songs: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|DIR...", readable=False, help="Audio files, or folders of them."),
    ],
    out: Annotated[Any, _out(".html")],
    models: options.Models = None,
    tags: options.Tags = "mtat",
    top: options.Top = 5,
) -> None:
    """Write a page that plays songs and shows what every model says of them, and what that costs."""
    from autotag.system.files import replacing
    from autotag.views.page import write_page
    from autotag.views.report import contents, problem, section

    entries = select(models, tags)
    asked = Asked("", top, merge_synonyms=True)
    files = list(audio_files(songs))
    failed = 0

    def sections() -> Iterator[str]:
        nonlocal failed
        if len(files) > 1:
            yield contents(files)
        for number, file in enumerate(_track(files), 1):
            try:
                yield section(number, file, entries, asked)
            except AudioError as error:
                failed += 1
                typer.echo(f"error: {printable(str(error))}", err=True)
                yield problem(number, file, str(error))

    with replacing(out) as part:
        write_page(part, songs[0].resolve().name if len(songs) == 1 else "autotag", sections())
        if failed == len(files):
            raise typer.Exit(1)
    if failed:
        raise typer.Exit(1)


def _track(items: Sequence[Item]) -> Iterable[Item]:
    """The items, with a bar of progress on a terminal."""
    from rich.console import Console
    from rich.progress import track

    return track(items, "", console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def embed(
    context: typer.Context,
    songs: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|DIR...", readable=False, help="Audio files, or folders of them."),
    ],
    out: Annotated[Any, _out(".npy", ".parquet")],
    segments: Annotated[
        bool, typer.Option("--segments", help="A row for each segment, instead of their mean.")
    ] = False,
    arch: options.Arch = DEFAULT.arch,
    sr: options.Rate = "12k",
    mels: options.Mels = DEFAULT.mels,
    hop: options.Hop = None,
    log: options.Log = DEFAULT.log,
    tags: options.Tags = "mtat",
    model: options.Model = None,
    jobs: options.Jobs = None,
) -> None:
    """Write the network's embedding of each song to a file, with their names."""
    from autotag.outputs.embeddings import write_embeddings

    asked = Asked(options.chosen_model(context), embed="segments" if segments else True)
    files = list(audio_files(songs))
    failed = 0

    def good(outcomes: Iterable[Result | Failure]) -> Iterator[Result]:
        nonlocal failed
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                failed += 1
                typer.echo(f"error: {printable(outcome.message)}", err=True)
            else:
                _warn(outcome.path, outcome.warnings)
                yield outcome

    with closing(outcomes_of(files, asked, processes(files, jobs or usable_cores()))) as outcomes:
        rows = write_embeddings(out, good(outcomes), max(len(str(file)) for file in files))
    if rows:
        typer.echo(f"{rows} rows, {failed} failed -> {printable(str(out))}", err=True)
    if failed:
        raise typer.Exit(1)


@contextmanager
def _told() -> Iterator[None]:
    """An error about a file is a line and exit code 1."""
    try:
        yield
    except AudioError as error:
        typer.echo(f"error: {printable(str(error))}", err=True)
        raise typer.Exit(1) from error


def _warn(path: str | Path, warnings: Iterable[str]) -> None:
    for warning in warnings:
        typer.echo(f"warning: {printable(str(path))}: {warning}", err=True)
