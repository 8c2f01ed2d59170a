"""`python -m train`: parses, calls and prints."""

import functools
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from autotag.config import Config
from autotag.errors import AutotagError
from train.errors import RunsFailed
from train.options import (
    Arch,
    Audio,
    Cache,
    Data,
    DataIfTrained,
    DatasetWord,
    Device,
    Epochs,
    Labels,
    LabelsOption,
    LabelWord,
    LicenceWord,
    ModelsFolder,
    Only,
    RecipeLabels,
    RecipeName,
    RecipeOption,
    Split,
    Verbose,
    Without,
    Work,
    chosen_recipe,
)

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def about() -> None:
    """Train, evaluate and export the models of the study, and report on it."""


@app.command()
def prepare(
    data: Data,
    arch: Arch = "all",
    only: Only = None,
    audio: Audio = None,
    cache: Cache = Path("cache"),
) -> None:
    """Compute the mel cache, list the clips that are left out, and print what a clip takes."""
    from train.data import read
    from train.data.cache import prepare as fill
    from train.data.cache import summary
    from train.study import choose

    configs = choose(arch, only or ())
    dataset = read(data, audio=audio)
    typer.echo(summary(dataset, configs, fill(dataset, configs, cache)))


@app.command()
def label(
    data: Data,
    teacher: Annotated[
        list[Path],
        typer.Option(metavar="ONNX", help="Ask a published model; may be repeated for the mean of several."),
    ],
    labels: LabelsOption = Labels.SOFT,
    audio: Audio = None,
    cache: Cache = Path("cache"),
) -> None:
    """Label ten segments of 3 s of every training clip, for the recipes that ask for it."""
    from train.data import read
    from train.fit.teachers import label as run_label

    typer.echo(run_label(read(data, labels, audio), teacher, cache))


@app.command()
def fit(
    config: Annotated[str, typer.Argument(help="Configuration, such as vgg-12k-48-x2-db.")],
    data: Data,
    recipe: RecipeOption = RecipeName.STUDY,
    labels: RecipeLabels = None,
    epochs: Epochs = None,
    without: Without = None,
    seed: Annotated[int, typer.Option(help="Draw weights, order and augmentation from this seed.")] = 0,
    device: Device = "cpu",
    audio: Audio = None,
    cache: Cache = Path("cache"),
    work: Work = Path("runs"),
    verbose: Verbose = False,
) -> None:
    """Train one configuration, or go on where an interrupted run stopped; torchrun shares the work."""
    from train.console import show_details
    from train.data import read
    from train.fit.loop import fit as run_fit
    from train.fit.run import alone

    if verbose:
        show_details()
    wanted = Config.parse(config)
    chosen = replace(chosen_recipe(recipe, labels, epochs, without), seed=seed)
    run = work / wanted.name / f"seed-{seed}"
    dataset = read(data, chosen.labels, audio)
    with alone(run):
        run_fit(wanted, dataset, cache, run, chosen, device)
    typer.echo(run)


@app.command()
def study(
    data: DataIfTrained = None,
    arch: Arch = "all",
    only: Only = None,
    runs: Annotated[int, typer.Option(min=1, help="Train each configuration with N seeds.")] = 3,
    recipe: RecipeOption = RecipeName.STUDY,
    labels: RecipeLabels = None,
    epochs: Epochs = None,
    without: Without = None,
    device: Device = "cpu",
    audio: Audio = None,
    cache: Cache = Path("cache"),
    work: Work = Path("runs"),
    list_: Annotated[
        bool, typer.Option("--list", help="Show the configurations and what they cost, and train nothing.")
    ] = False,
) -> None:
    """Train the grid, each run into a folder; start it again to go on, or several times to share it."""
    from train.data import read
    from train.study import choose, listing
    from train.study import study as run_study

    configs = choose(arch, only or ())
    if list_:
        typer.echo(listing(configs))
        return
    if data is None:
        raise typer.BadParameter("Name a data set, or use --list.", param_hint="--data")
    chosen = chosen_recipe(recipe, labels, epochs, without)
    run_study(configs, runs, read(data, chosen.labels, audio), cache, work, chosen, device)
    typer.echo(work)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A model by name, or an ONNX file.")],
    data: Data,
    split: Annotated[Split, typer.Option(help="Score the clips of this split.")] = Split.TEST,
    labels: Annotated[
        Labels, typer.Option(help="Compare with annotations or with one of the files of probabilities.")
    ] = Labels.ANNOTATIONS,
    audio: Audio = None,
    cache: Cache = Path("cache"),
) -> None:
    """Print the metrics of a model on a split, as JSON."""
    from autotag.models.registry import load
    from train.data import read
    from train.data.cache import mel_power
    from train.measure.evaluate import evaluate_split

    loaded = load(model)
    dataset = read(data, labels, audio)
    power, usable = mel_power(dataset, loaded.metadata.config, cache)
    metrics = evaluate_split(loaded, dataset, power, usable, split)
    metadata = loaded.metadata
    asked = {"model": metadata.name, "precision": metadata.precision, "split": split, "labels": labels}
    typer.echo(json.dumps(asked | metrics, indent=1))


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, one for each data set.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Write the report into this folder.", show_default="the first folder of runs"),
    ] = None,
) -> None:
    """Write the report on all complete runs: Figure 1, Tables 4 and 5, costs, and the conclusions."""
    from train.report.tables import report as write_report

    typer.echo(write_report(runs, out or runs[0]))


def main() -> None:
    """Run the command line: exit 1 if runs failed, 2 for a wrong request, 130 or 143 when interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except AutotagError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1 if isinstance(error, RunsFailed) else 2)
