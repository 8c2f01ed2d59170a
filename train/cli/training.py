"""Commands that prepare, train, evaluate and report."""

import json
from pathlib import Path
from typing import Annotated

import typer

from autotag.config import Config
from train.options import (
    Arch,
    Audio,
    Bits,
    Cache,
    Data,
    DataIfTrained,
    Device,
    Epochs,
    Labels,
    LabelsOption,
    Only,
    Patience,
    Rate,
    RecipeLabels,
    RecipeName,
    RecipeOption,
    Split,
    SplitBy,
    Start,
    Stored,
    Verbose,
    Without,
    Work,
    plan,
)


def prepare(
    data: Data,
    arch: Arch = "all",
    only: Only = None,
    audio: Audio = None,
    split_by: SplitBy = None,
    cache: Cache = Path("cache"),
    cache_type: Stored = "float32",
) -> None:
    """Compute the mel cache, list the clips that are left out, and print what a clip takes."""
    from train.data import read
    from train.data.cache import prepare as fill
    from train.data.cache import summary
    from train.study import choose

    configs = choose(arch, only or ())
    dataset = read(data, audio=audio, split_by=split_by, stored=cache_type)
    typer.echo(summary(dataset, configs, fill(dataset, configs, cache)))


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


def fit(
    config: Annotated[str, typer.Argument(help="Configuration, such as vgg-12k-48-x2-db.")],
    data: Data,
    recipe: RecipeOption = RecipeName.STUDY,
    labels: RecipeLabels = None,
    epochs: Epochs = None,
    patience: Patience = None,
    bits: Bits = None,
    without: Without = None,
    rate: Rate = None,
    start: Start = None,
    seed: Annotated[int, typer.Option(help="Draw weights, order and augmentation from this seed.")] = 0,
    device: Device = "cpu",
    audio: Audio = None,
    split_by: SplitBy = None,
    cache: Cache = Path("cache"),
    cache_type: Stored = "float32",
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
    chosen = plan(recipe, labels, epochs, patience, bits, without, rate, start)
    run = work / wanted.name / f"seed-{seed}"
    dataset = read(data, chosen.labels, audio, split_by, cache_type)
    chosen_recipe = chosen.recipe(wanted.arch, dataset.kind, seed)
    with alone(run):
        run_fit(wanted, dataset, cache, run, chosen_recipe, device)
    typer.echo(run)


def study(
    data: DataIfTrained = None,
    arch: Arch = "all",
    only: Only = None,
    runs: Annotated[int, typer.Option(min=1, help="Train each configuration with N seeds.")] = 3,
    recipe: RecipeOption = RecipeName.STUDY,
    labels: RecipeLabels = None,
    epochs: Epochs = None,
    patience: Patience = None,
    bits: Bits = None,
    without: Without = None,
    device: Device = "cpu",
    audio: Audio = None,
    split_by: SplitBy = None,
    cache: Cache = Path("cache"),
    cache_type: Stored = "float32",
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
    chosen = plan(recipe, labels, epochs, patience, bits, without)
    dataset = read(data, chosen.labels, audio, split_by, cache_type)
    run_study(configs, runs, dataset, cache, work, chosen, device)
    typer.echo(work)


def evaluate(
    model: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A model by name, or an ONNX file.")],
    data: Data,
    split: Annotated[Split, typer.Option(help="Score the clips of this split.")] = Split.TEST,
    labels: Annotated[
        Labels, typer.Option(help="Compare with annotations or with one of the files of probabilities.")
    ] = Labels.ANNOTATIONS,
    audio: Audio = None,
    split_by: SplitBy = None,
    cache: Cache = Path("cache"),
    cache_type: Stored = "float32",
) -> None:
    """Print the metrics of a model on a split, with intervals and tag by tag, as JSON."""
    from autotag.models.registry import load
    from train.data import read
    from train.data.cache import mel_power
    from train.measure.evaluate import metrics_of, split_scores
    from train.measure.uncertain import by_tag, drawn_are, intervals

    loaded = load(model)
    dataset = read(data, labels, audio, split_by, cache_type)
    power, usable = mel_power(dataset, loaded.metadata.config, cache)
    scored = split_scores(loaded, dataset, power, usable, split)
    metadata = loaded.metadata
    found = {
        "model": metadata.name,
        "precision": metadata.precision,
        "split": split,
        "labels": labels,
        **metrics_of(*scored),
        "intervals": intervals(*scored),
        "resampled": drawn_are(*scored[:2]),
        "by_tag": by_tag(*scored),
    }
    typer.echo(json.dumps(found, indent=1))


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
