"""Options that several commands of `python -m train` share."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from train.fit.plan import Plan


def _stored(value: str) -> str:
    if value not in ("float32", "uint8"):
        raise typer.BadParameter(f"{value!r}: use float32 or uint8")
    return value


_DATA: Any = typer.Option(
    help="Read this data set: a folder of MagnaTagATune or the Million Song Dataset, a table of songs and "
    "tags, or a list of MTG-Jamendo."
)
Data = Annotated[Path, _DATA]
DataIfTrained = Annotated[Path | None, _DATA]
Audio = Annotated[
    str | None,
    typer.Option(
        metavar="TEMPLATE",
        help="Find a clip in DATA by its {id} and {path}.",
        show_default="{path}, {path}.mp3 for MTG-Jamendo, {id[2]}/{id[3]}/{id[4]}/{id}.mp3 for the Million "
        "Song Dataset",
    ),
]
SplitBy = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN|folder|random",
        help="Split a table's songs so that those of one artist, album or folder stay together.",
    ),
]
Cache = Annotated[Path, typer.Option(help="Keep mel spectrograms in this folder.")]
Stored = Annotated[
    str,
    typer.Option(
        "--cache-type",
        metavar="float32|uint8",
        help="Keep mel spectrograms in float32, or in uint8, which takes a quarter of the space.",
        callback=_stored,
    ),
]
Work = Annotated[Path, typer.Option(help="Keep the runs in this folder.")]
Device = Annotated[str, typer.Option(help="Train on cpu or cuda.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Train for N epochs instead of the recipe's.")]
Patience = Annotated[
    int | None,
    typer.Option(min=1, help="Stop after N epochs without a lower validation loss.", show_default="never"),
]
Bits = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=8,
        help="Keep each value of the network's input in N bits.",
        show_default="whole values",
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option(metavar="STEP", help="Leave out a step of the recipe's augmentation; may be repeated."),
]
Rate = Annotated[
    float | None,
    typer.Option(
        min=1e-7,
        max=1.0,
        help="Train at this learning rate, or up to it, instead of the recipe's.",
        show_default="the recipe's",
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Begin with the weights of the run of NAME and the same seed in WORK.",
        show_default="random weights",
    ),
]
ModelsFolder = Annotated[Path, typer.Option(help="Put the INT8 files and the manifest into this folder.")]
DatasetWord = Annotated[
    str | None,
    typer.Option(
        "--dataset", help="Say in the metadata what the model was trained on.", show_default="the folder"
    ),
]
LabelWord = Annotated[
    str | None,
    typer.Option(help="Say in the metadata where the labels came from.", show_default="which of them"),
]
LicenceWord = Annotated[str, typer.Option(help="Say in the metadata what the licence of the weights is.")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Choose configurations by name, such as 'vgg-12k-48-*-db'; may be repeated.",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Name the tags that have no AUC.")]


class RecipeName(StrEnum):
    STUDY = "study"
    SOFT = "soft"
    SCRIPTS = "scripts"


class Split(StrEnum):
    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


class Labels(StrEnum):
    ANNOTATIONS = "annotations"
    SOFT = "soft"
    SOFT_MSD = "soft-msd"
    SOFT_ALL = "soft-all"


LabelsOption = Annotated[Labels, typer.Option("--labels", help="Choose the vocabulary of the labels.")]
RecipeLabels = Annotated[
    Labels | None,
    typer.Option(
        "--labels", help="Aim at these labels instead of the recipe's.", show_default="the recipe's"
    ),
]
RecipeOption = Annotated[
    RecipeName,
    typer.Option(
        "--recipe",
        help="Train as the study says, as its authors' scripts do, or on probabilities as labels.",
    ),
]
Arch = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Choose the configurations of one architecture, or all of the study's."
    ),
]


def plan(
    name: RecipeName,
    labels: Labels | None,
    epochs: int | None,
    patience: int | None,
    bits: int | None,
    without: list[str] | None,
    rate: float | None = None,
    start: str | None = None,
) -> "Plan":
    """A recipe with the changes that the command line asks for."""
    from train.fit.plan import Plan
    from train.fit.recipe import RECIPES

    augment = RECIPES[name].augment if name in RECIPES else ()
    for step in without or ():
        if step not in augment:
            steps = ", ".join(augment) or "none"
            raise typer.BadParameter(f"{step!r}: the recipe's steps are {steps}", param_hint="--without")
    asked = {
        "labels": labels and labels.value,
        "epochs": epochs,
        "patience": patience,
        "bits": bits,
        "rate": rate,
        "start": start,
    }
    changes = {field: value for field, value in asked.items() if value is not None}
    return Plan(name.value, changes, tuple(without or ()))
