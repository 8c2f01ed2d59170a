"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from autotag.config import DEFAULT, HOPS, LOGS, RATES, RESOLUTIONS, VOCABULARIES, Config, model_name


def _rate(text: str) -> int:
    return _choose(text, {f"{rate // 1000}k": rate for rate in RATES} | {str(rate): rate for rate in RATES})


def _hop(text: str) -> int:
    return _choose(text, {f"x{hop}": hop for hop in HOPS} | {str(hop): hop for hop in HOPS})


def _choose(text: str, values: dict[str, int]) -> int:
    if text not in values:
        raise typer.BadParameter(f"{text!r}: use {', '.join(values)}")
    return values[text]


def _threshold(text: str) -> float | str:
    try:
        value = text if text == "auto" else float(text)
    except ValueError:
        value = -1.0
    if value != "auto" and not 0 <= float(value) <= 1:
        raise typer.BadParameter(f"{text!r}: use a score between 0 and 1, or 'auto'")
    return value


def _budget(text: str) -> float:
    try:
        value = float(text.removesuffix("ms"))
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise typer.BadParameter(f"{text!r}: use a number of milliseconds, such as 20ms")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value < 1e9:
        raise typer.BadParameter(f"{text!r}: use a number of seconds from 1")
    return value


def output(*endings: str) -> Callable[[str], Path]:
    """Parses the name of a file that can be written, with one of some endings."""

    def parse(text: str) -> Path:
        path = Path(text)
        if path.suffix not in endings:
            raise typer.BadParameter(f"{text!r}: use a name that ends in {' or '.join(endings)}")
        if path.is_dir() or not path.parent.is_dir():
            raise typer.BadParameter(
                f"{text!r}: " + ("a folder" if path.is_dir() else "its folder is not there")
            )
        return path

    return parse


Arch = Annotated[str, typer.Option(help=f"Architecture: {' or '.join(RESOLUTIONS)}.")]
Rate = Annotated[Any, typer.Option(parser=_rate, metavar="12k|16k", help="Sample rate.")]
Mels = Annotated[int, typer.Option(help="Mel bands: 128, 96, 48, 32, 24, 16 or 8.")]
Hop = Annotated[
    Any,
    typer.Option(
        parser=_hop,
        metavar="xN",
        help="Hop: x1, x2, x3, x4, x5 or x10.",
        show_default="x2, or x1 where that is the only one",
    ),
]
Log = Annotated[str, typer.Option(help=f"Scale of the spectrogram: {' or '.join(LOGS)}.")]
Tags = Annotated[str, typer.Option(metavar="|".join(VOCABULARIES), help="Whose 50 tags.")]
Model = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="A model by name or ONNX file, instead of the above."),
]
Budget = Annotated[
    Any,
    typer.Option(
        parser=_budget,
        metavar="Nms",
        help="Take the best model that needs no more here for 29.1 s of music: see 'autotag choose'.",
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", help="Only models of such a name; several may be given."),
]
Seconds = Annotated[
    Any,
    typer.Option(
        parser=_seconds,
        metavar="N",
        help="Hear only N seconds from the middle of each file; the study: 29.1.",
    ),
]
Top = Annotated[int, typer.Option(min=0, help="How many tags; 0 for all.")]
THRESHOLD = {"parser": _threshold, "metavar": "S|auto"}
LOWER = "Leave out lower scores; auto: below the tag's own."
Threshold = Annotated[Any, typer.Option(**THRESHOLD, help=LOWER)]

Jobs = Annotated[int | None, typer.Option(min=1, help="Files at once.", show_default="the usable cores")]


def given(context: typer.Context, *options: str) -> list[str]:
    """Those of the options that stand on the command line."""
    sources = {option: context.get_parameter_source(option) for option in options}
    return [option for option, source in sources.items() if source and source.name == "COMMANDLINE"]


def refuse(context: typer.Context, why: str, *options: str) -> None:
    """An error if one of the options stands on the command line."""
    if told := given(context, *options):
        raise typer.BadParameter(why, param_hint=f"--{told[0].replace('_', '-')}")


def chosen_model(context: typer.Context) -> str:
    """Name or file of the model that a command's options from `arch` to `model` ask for."""
    options = context.params
    if options["model"]:
        if others := given(context, *Config.__slots__, "tags"):
            raise typer.BadParameter(
                f"it already says what --{others[0]} is: give one of them", param_hint="--model"
            )
        return str(options["model"])
    arch, sr, mels, hop, log = (options[option] for option in Config.__slots__)
    return model_name(Config(arch, sr, mels, chosen_hop(arch, mels, hop), log), options["tags"])


def chosen_hop(arch: str, mels: int, hop: int | None) -> int:
    """The hop that is asked for, or else the one to take."""
    return hop or (DEFAULT.hop if (mels, DEFAULT.hop) in RESOLUTIONS.get(arch, ()) else 1)
