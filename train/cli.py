"""`python -m train`: parses, calls and prints."""

import json
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autotag.config import Config
from autotag.errors import AutotagError
from autotag.quiet import quiet_decoders

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

Data = Annotated[Path, typer.Option(help="Folder with annotations_final.csv and MP3 folders 0 to f.")]
Work = Annotated[Path, typer.Option(help="Folder for the mel cache and the runs.")]


class RecipeName(StrEnum):
    STUDY = "study"
    SOFT = "soft"


class Split(StrEnum):
    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


class Labels(StrEnum):
    ANNOTATIONS = "annotations"
    SOFT = "soft"


@app.callback()
def study() -> None:
    """Train, evaluate and export the models of the study."""


@app.command()
def fit(
    config: Annotated[str, typer.Argument(help="Configuration, such as vgg-12k-48-x2-db.")],
    data: Data,
    recipe: Annotated[
        RecipeName, typer.Option(help="The study's, or the one for probabilities as labels.")
    ] = RecipeName.STUDY,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    augment: Annotated[bool | None, typer.Option(help="Instead of the recipe's.")] = None,
    seed: int = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    work: Work = Path("runs"),
) -> None:
    """Train one configuration, or go on where an interrupted run stopped."""
    from train.fit import RECIPES
    from train.fit import fit as run_fit

    chosen = replace(RECIPES[recipe], seed=seed)
    if epochs is not None:
        chosen = replace(chosen, epochs=epochs)
    if augment is not None:
        chosen = replace(chosen, augment=augment)
    typer.echo(run_fit(Config.parse(config), data, work, chosen, device))


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A model by name, or an ONNX file.")],
    data: Data,
    split: Annotated[Split, typer.Option(help="The clips to score.")] = Split.TEST,
    labels: Annotated[
        Labels, typer.Option(help="What top 5 and mean difference compare with.")
    ] = Labels.ANNOTATIONS,
    work: Work = Path("runs"),
) -> None:
    """Print the metrics of a model on a split, as JSON."""
    from autotag.registry import load
    from train.datasets.mtat import read
    from train.evaluate import evaluate_split
    from train.features import mel_power

    loaded = load(model)
    dataset = read(data, labels)
    power, usable = mel_power(dataset, loaded.metadata.config, work)
    metrics = evaluate_split(loaded, dataset, power, usable, split)
    metadata = loaded.metadata
    asked = {"model": metadata.name, "precision": metadata.precision, "split": split, "labels": labels}
    typer.echo(json.dumps(asked | metrics, indent=1))


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run, such as runs/vgg-12k-48-x2-db.")],
    models: Annotated[
        Path | None,
        typer.Option(help="Folder for the INT8 file and the manifest.", show_default="models beside RUN"),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="What it was trained on, for the metadata.", show_default="the folder")
    ] = None,
    label_source: Annotated[
        str | None, typer.Option(help="Where its labels came from, likewise.", show_default="the file")
    ] = None,
    licence: Annotated[str, typer.Option(help="Of the weights, likewise.")] = "not stated",
) -> None:
    """Write a run's ONNX files, float32 and INT8, with scores of both, and INT8 into the models."""
    from train.export import export as run_export

    typer.echo(run_export(run, models, dataset, label_source, licence))


def main() -> None:
    quiet_decoders()
    try:
        app()
    except AutotagError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
