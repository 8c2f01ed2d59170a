"""The commands that show what the networks see and hear."""

import math
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autotag.batch import processes, tag_files
from autotag.cli import options
from autotag.cli.chosen import (
    WANTED,
    Files,
    chosen_files,
    chosen_model,
    chosen_run,
    chosen_run_of_files,
    given,
    refuse,
    resolution,
    with_options,
)
from autotag.cli.run import Run
from autotag.config import DEFAULT, Config
from autotag.errors import AudioError
from autotag.models.registry import ModelChoice, comparable, find, select
from autotag.request import TagRequest
from autotag.result import Result
from autotag.system.cores import usable_cores
from autotag.views import TAGGRAM_TAGS

if TYPE_CHECKING:
    from autotag.scores import Scores

PICTURES = (".png", ".svg")
NUMBERS = (".json", ".csv", ".npz")
SOUNDS = (".flac", ".wav", ".mp3", ".ogg")


def audio_file(path: Path) -> Path:
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder. Name one audio file.")
    return path


def _out(*endings: str) -> Any:
    return typer.Option(
        "--out",
        "-o",
        parser=options.output(*endings),
        metavar="FILE",
        help=f"Write to FILE ({', '.join(endings)}).",
        rich_help_panel=options.OUTPUT,
    )


Song = Annotated[
    Path,
    typer.Argument(
        parser=options.local_path,
        metavar="FILE",
        readable=False,
        callback=audio_file,
        help="An audio file.",
    ),
]


@with_options(model=partial(chosen_model, arch="musicnn"), run=chosen_run)
def taggram(
    context: typer.Context,
    song: Song,
    out: Annotated[Any, _out(*PICTURES, ".html", *NUMBERS)],
    model: ModelChoice,
    run: Run,
    step: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Start a segment every SECONDS.",
            show_default="where the last one ends",
        ),
    ] = None,
    top: Annotated[
        int, typer.Option(min=0, metavar="N", help="Draw at most N tags. 0 draws all.")
    ] = TAGGRAM_TAGS,
    vocabulary: options.Vocabulary = WANTED.vocabulary,
    arch: options.Arch = "musicnn",
) -> None:
    """Write a file's tags over time as a picture, a page or numbers.

    Without options for the model, the best one of the architecture is used.
    """
    if out.suffix in PICTURES:
        from autotag.views.heatmap import draw  # fails before the work does
    from autotag.audio.encode import PLAYER_RATE
    from autotag.audio.held import Held
    from autotag.system.files import replacing
    from autotag.tagger import Tagger
    from autotag.views.page import COLUMNS, player, taggram_figure, write_page
    from autotag.views.taggram import WRITERS, envelope, of_vocabulary, preference

    if out.suffix in NUMBERS:
        refuse(context, f"{out} gets the numbers of all tags. Leave this out.", "top")
    if not given(context, "sr", "mels", "hop", "log", "model"):
        suited = [file for file in select(vocabulary=vocabulary) if file.metadata.config.arch == arch]
        model = max(comparable(suited), key=preference).name if suited else model
    tagger = Tagger(model)
    with run.about_a_file(), replacing(out) as part:
        try:
            scores = of_vocabulary(tagger.scores(song, step=step), vocabulary)
        except AudioError:
            raise
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--step") from error
        run.warn(song, *scores.warnings, *_stripes(scores, arch))
        if out.suffix in NUMBERS:
            WRITERS[out.suffix](str(song), scores, part)
        else:
            with Held(song, PLAYER_RATE) as sound:
                outline = envelope(sound, PLAYER_RATE, COLUMNS)
                if out.suffix in PICTURES:
                    draw(song.name, scores, outline, top, part, out.suffix)
                else:
                    body = [player(sound, PLAYER_RATE), taggram_figure([scores], outline, top)]
                    write_page(part, song.name, body)
    segments = f"{len(scores.scores)} segments of {scores.segment_seconds:.1f} s"
    run.end(f"{segments} by {scores.model} -> {out}")


def _stripes(scores: "Scores", arch: str) -> list[str]:
    """A warning where there is nothing to see over time."""
    from autotag.views.taggram import too_short

    if not too_short(scores):
        return []
    short = f"{scores.duration:.1f} s is less than two segments of {scores.segment_seconds:.1f} s"
    what = "Use --arch musicnn, whose segments are 3 s." if arch != "musicnn" else "Use a longer file."
    return [f"{short}, so there is nothing to see over time. {what}"]


@with_options(run=chosen_run)
def sonify(
    context: typer.Context,
    song: Song,
    out: Annotated[Any, _out(*SOUNDS, ".html")],
    run: Run,
    mels: options.Mels = DEFAULT.mels,
    hop: options.Hop = None,
    sr: options.Rate = options.RATE,
    all_: Annotated[
        bool, typer.Option("--all", help="Write a page (.html) with the sounds of all bands and hops.")
    ] = False,
    excerpt: options.Seconds = None,
) -> None:
    """Write what the networks hear: a mel-spectrogram, turned back into sound."""
    if all_ != (out.suffix == ".html"):
        what = "--all writes a page. Name one (.html)." if all_ else f"{out} is a page. Add --all."
        raise typer.BadParameter(what, param_hint="--out")
    if out.exists() and song.exists() and out.samefile(song):
        raise typer.BadParameter(f"{out} is the file that is read. Name another file.", param_hint="--out")
    if all_:
        refuse(context, "--all takes all bands and hops. Leave this out.", "mels", "hop")
    config = resolution("vgg", sr, mels, hop)
    from autotag.audio.held import Held
    from autotag.system.files import replacing

    with run.about_a_file(), Held(song, sr, excerpt) as sound:
        run.warn(song, *sound.warnings)
        with replacing(out) as part:
            made = (
                _sonify_all(song.name, sound, part, run) if all_ else _sonify(sound, config, part, out, run)
            )
    run.end(f"{made} -> {out}")


def _sonify(sound: Any, config: Config, part: Path, out: Path, run: Run) -> str:
    """Write one sound; what was made."""
    from autotag.audio.decode import Audio
    from autotag.audio.encode import write
    from autotag.views.sonify import PIECE, likeness, sonify

    pieces = math.ceil(sound.seconds_read / PIECE - 0.01)
    heard = sonify(sound, config.sr, config.mels, config.hop)
    samples = write(part, run.progress(heard, pieces, f"pieces of {PIECE:.0f} s"), config.sr, out.suffix)
    like = likeness(sound, Audio(part, config.sr), config.sr)
    return f"{samples / config.sr:.3f} s, likeness to the song {like:.3f}"


def _sonify_all(name: str, sound: Any, part: Path, run: Run) -> str:
    """Write the page; what was made."""
    from numpy import concatenate

    from autotag.views.page import write_page
    from autotag.views.sonify_page import GRID, sonified

    signal = concatenate(list(sound))
    write_page(part, name, sonified(signal, sound.sr, run.progress(GRID, len(GRID), "resolutions")))
    return f"{len(GRID)} sounds of {len(signal) / sound.sr:.1f} s"


@with_options(files=chosen_files, run=chosen_run_of_files)
def report(
    out: Annotated[Any, _out(".html")],
    files: Files,
    run: Run,
    models: options.Models = None,
    vocabulary: options.Vocabulary = WANTED.vocabulary,
    top: options.Top = WANTED.top,
) -> None:
    """Write a page that plays songs and shows what every model says of them, and what that costs."""
    from autotag.system.files import replacing
    from autotag.views.page import write_page
    from autotag.views.report import report

    request = TagRequest(vocabulary=vocabulary, top=top)
    chosen = select(models, vocabulary)
    songs = files.found()
    title = files.named[0].resolve().name if len(files.named) == 1 else "autotag"
    with replacing(out) as part, run.tracking() as progress:
        write_page(part, title, report(songs, files.named, chosen, request, progress))
        if not run.counts["ok"]:  # a page of nothing
            raise typer.Exit(1)
    run.end(f"{run.counts['ok']} songs by {len(chosen)} models, {run.counts['failed']} failed -> {out}")


@with_options(files=chosen_files, model=chosen_model, run=chosen_run_of_files)
def embed(
    out: Annotated[Any, _out(".npy", ".parquet")],
    files: Files,
    model: ModelChoice,
    run: Run,
    segments: Annotated[
        bool, typer.Option("--segments", help="Write a row for each segment, instead of their mean.")
    ] = False,
    jobs: options.Jobs = None,
) -> None:
    """Write the network's embedding of each file, with their names."""
    from autotag.outputs.embeddings import write_embeddings

    find(model)  # fails before the work does
    request = TagRequest(embed="segments" if segments else "mean")
    songs = files.found()
    longest = max((len(str(song)) for song in songs), default=0)
    count = processes(len(songs), jobs or usable_cores())
    with closing(tag_files(songs, model, request, jobs=count)) as outcomes:
        good = (found for found in run.outcomes(outcomes, len(songs)) if isinstance(found, Result))
        rows = write_embeddings(out, good, longest)
    run.end(f"{rows} rows, {run.counts['failed']} failed -> {out}" if rows else "")
    if not rows:
        raise typer.Exit(1)
