"""Commands that make models of runs, and what comes with them."""

import functools
from pathlib import Path
from typing import Annotated

import typer

from autotag.config import Config
from train.options import (
    Audio,
    Cache,
    Data,
    DatasetWord,
    Device,
    Labels,
    LabelWord,
    LicenceWord,
    ModelsFolder,
    SplitBy,
    Work,
)


def export(
    run: Annotated[
        Path | None, typer.Argument(help="Folder of a run, such as runs/vgg-12k-48-x2-db/seed-0.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Export the run of every configuration in WORK that validates best.")
    ] = False,
    untrained: Annotated[
        str | None,
        typer.Option(
            metavar="CONFIG",
            help="Write this one with random weights into WORK/untrained, to be timed.",
        ),
    ] = None,
    models: ModelsFolder = Path("runs/models"),
    dataset: DatasetWord = None,
    label_source: LabelWord = None,
    licence: LicenceWord = "not stated",
    cache: Cache = Path("cache"),
    work: Work = Path("runs"),
) -> None:
    """Write a run's ONNX files, float32 and INT8, with scores of both, and INT8 into the models."""
    if (run is not None) + everything + (untrained is not None) != 1:
        raise typer.BadParameter("Name one RUN, or use --all or --untrained.")
    if untrained is not None:
        from train.export.untrained import export_untrained

        typer.echo(export_untrained(Config.parse(untrained), work / "untrained"))
        return
    from train.data import read
    from train.export.publish import Words, best_runs, is_published
    from train.export.publish import export as run_export
    from train.fit.run import alone, asked

    words = Words(dataset, label_source, licence)
    read_once = functools.cache(read)
    for folder in best_runs(work) if run is None else [run]:
        if run is None and is_published(folder, models, words):
            continue
        clips = read_once(**asked(folder)["data"])
        with alone(folder):
            typer.echo(run_export(folder, clips, cache, models, words))


def distill(
    data: Data,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Choose models by name, such as 'vgg-*'; may be repeated."),
    ] = None,
    device: Device = "cpu",
    models: ModelsFolder = Path("runs/models"),
    dataset: DatasetWord = None,
    label_source: LabelWord = None,
    licence: LicenceWord = "not stated",
    audio: Audio = None,
    cache: Cache = Path("cache"),
    work: Work = Path("runs/distill"),
) -> None:
    """Train and export the family of models that comes with autotag; start it again to go on."""
    from train.export.publish import Words
    from train.family import distill as run_distill

    words = Words(dataset, label_source, licence)
    run_distill(data, only or ["*"], audio, cache, work, models, words, device)
    typer.echo(models)


def restore(
    model: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A model by name, or an ONNX file.")],
    run: Annotated[Path, typer.Argument(help="Folder of a run, such as runs/distill/root-x10/seed-0.")],
    data: Data,
    audio: Audio = None,
    cache: Cache = Path("cache"),
) -> None:
    """Make a run of a published model, for other runs to begin with, or to be exported again."""
    from autotag.models.registry import find
    from train.family import restore_run

    restore_run(find(model), run, data, audio, cache)
    typer.echo(run)


def quantise(
    data: Data,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Choose installed models by name; may be repeated."),
    ] = None,
    labels: Annotated[
        Labels, typer.Option(help="Compare with annotations or with one of the files of probabilities.")
    ] = Labels.ANNOTATIONS,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="WORK",
            help="Compare with the runs in this folder, which were trained on few bits; may be repeated.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Write the page and its figure into this folder.")] = Path("runs"),
    audio: Audio = None,
    split_by: SplitBy = None,
    cache: Cache = Path("cache"),
) -> None:
    """Measure models on spectrograms of 8 to 1 bits, and draw accuracy against bytes."""
    from autotag.models.registry import select
    from train.data import read
    from train.report.quantised import quantised

    files = select(only or ["vgg-*"])
    typer.echo(quantised(files, read(data, labels, audio, split_by), cache, out, runs or ()))


def card(
    data: Data,
    models: ModelsFolder = Path("runs/models"),
    audio: Audio = None,
    cache: Cache = Path("cache"),
) -> None:
    """Measure models on disturbed files, known sounds and the clock, and write the card beside them."""
    from autotag.system.streams import quiet_decoders
    from train.report.card import card as write_card

    quiet_decoders()
    typer.echo(write_card(models, data, audio, cache))
