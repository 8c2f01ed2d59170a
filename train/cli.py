"""`python -m train`: parses, calls and prints."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from autotag.config import Config
from autotag.errors import AutotagError
from autotag.quiet import quiet_decoders

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

Data = Annotated[Path, typer.Option(help="Folder with annotations_final.csv and MP3 folders 0 to f.")]
Work = Annotated[Path, typer.Option(help="Folder for the mel cache and the runs.")]


@app.callback()
def study() -> None:
    """Train, evaluate and export the models of the study."""


@app.command()
def fit(
    config: Annotated[str, typer.Argument(help="Configuration, such as vgg-12k-48-x2-db.")],
    data: Data,
    recipe: Annotated[str, typer.Option(help="study, or soft for probabilities as labels.")] = "study",
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    augment: Annotated[bool | None, typer.Option(help="Instead of the recipe's.")] = None,
    seed: int = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    work: Work = Path("runs"),
) -> None:
    """Train one configuration, or go on where an interrupted run stopped."""
    from train.fit import RECIPES
    from train.fit import fit as run_fit

    if recipe not in RECIPES:
        raise typer.BadParameter(f"{recipe!r}: use {' or '.join(RECIPES)}", param_hint="--recipe")
    chosen = replace(RECIPES[recipe], seed=seed)
    if epochs is not None:
        chosen = replace(chosen, epochs=epochs)
    if augment is not None:
        chosen = replace(chosen, augment=augment)
    typer.echo(run_fit(Config.parse(config), data, work, chosen, device))


def main() -> None:
    quiet_decoders()
    try:
        app()
    except AutotagError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
