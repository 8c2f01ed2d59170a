"""Options that several commands share."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from autotag.config import DEFAULT, HOPS, LOGS, MOST_EXCERPTS, RATES, STUDY
from autotag.request import LIKELY

FILES, MODEL, TAGS, FIELDS, OUTPUT = PANELS = "Which files", "Model", "Tags", "Fields", "Output"
"""Panels of `--help`, in their order."""

LOWEST, LARGEST = 1.0, 1e9
"""Seconds of an excerpt."""


def _parsed(values: dict[str, int]) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text not in values:
            raise typer.BadParameter(f"{text!r} is not allowed. Use {', '.join(values)}.")
        return values[text]

    return parse


def _threshold(text: str) -> Any:
    if text != "auto" and not 0 <= number(text) <= 1:
        raise typer.BadParameter(f"{text!r} is not allowed. Use a score between 0 and 1, or 'auto'.")
    return text if text == "auto" else number(text)


def _budget(text: str) -> float:
    value = number(text.removesuffix("ms"))
    if not 0 < value < LARGEST:
        raise typer.BadParameter(f"{text!r} is not allowed. Use a number of milliseconds, such as 50ms.")
    return value


def _seconds(text: str) -> float:
    value = number(text)
    if not LOWEST <= value < LARGEST:
        raise typer.BadParameter(f"{text!r} is not allowed. Use a number of seconds from {LOWEST:g}.")
    return value


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise typer.BadParameter(
            f"{text!r} is not allowed. Use i/n, such as 1/4 for the first of four parts."
        )
    return int(index), int(count)


def local_path(text: str) -> Path:
    """Parses a path, and refuses an address."""
    if re.match("[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise typer.BadParameter(
            f"{text}: autotag fetches nothing, and sends nothing. Name a file of this machine."
        )
    return Path(text)


local_path.__name__ = "path"  # which `--help` shows


def number(text: str) -> float:
    """A number, or NaN for what is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def output(*endings: str) -> Callable[[str], Path]:
    """Parses the name of a file that can be written, with one of some endings."""

    def parse(text: str) -> Path:
        path = local_path(text)
        if path.suffix not in endings:
            raise typer.BadParameter(
                f"{text!r} is not allowed. Use a name that ends in {' or '.join(endings)}."
            )
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise typer.BadParameter(f"{text!r} is a pipe or device. Name a file.")
        if path.is_dir() or not path.parent.is_dir():
            what = "is a folder" if path.is_dir() else "lies in a folder that does not exist"
            raise typer.BadParameter(f"{text!r} {what}. Name a file in a folder that exists.")
        return path

    return parse


_RATES = {f"{rate // 1000}k": rate for rate in RATES} | {str(rate): rate for rate in RATES}
_HOPS = {f"x{hop}": hop for hop in HOPS} | {str(hop): hop for hop in HOPS}

RATE = f"{DEFAULT.sr // 1000}k"
"""The default of `Rate`, as it is typed."""

Arch = Annotated[
    str, typer.Option(help=f"Choose the architecture: {' or '.join(STUDY)}.", rich_help_panel=MODEL)
]
Rate = Annotated[
    Any,
    typer.Option(
        parser=_parsed(_RATES), metavar="12k|16k", help="Choose the sample rate.", rich_help_panel=MODEL
    ),
]
Mels = Annotated[
    int, typer.Option(help="Choose the mel bands: 128, 96, 48, 32, 24, 16 or 8.", rich_help_panel=MODEL)
]
Hop = Annotated[
    Any,
    typer.Option(
        parser=_parsed(_HOPS),
        metavar="xN",
        help="Choose the hop: x1, x2, x3, x4, x5 or x10.",
        show_default="x2, or the nearest there is",
        rich_help_panel=MODEL,
    ),
]
Scale = Annotated[
    str,
    typer.Option(
        "--scale",
        "--log",
        help=f"Choose the scale of the spectrogram: {' or '.join(LOGS)}.",
        rich_help_panel=MODEL,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Choose a model by name or ONNX file, instead of the options above.",
        rich_help_panel=MODEL,
    ),
]
Budget = Annotated[
    Any,
    typer.Option(
        parser=_budget,
        metavar="Nms",
        help="Use the best model that takes at most N ms for 29.1 s of music on this machine.",
        rich_help_panel=MODEL,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB", help="Use only models with such a name. May be repeated.", rich_help_panel=MODEL
    ),
]
Vocabulary = Annotated[
    str,
    typer.Option(
        "--vocabulary",
        "--tags",
        metavar="mtat|msd|all",
        help="Show the tags of one vocabulary: mtat (MagnaTagATune), msd (Million Song Dataset) or all.",
        rich_help_panel=TAGS,
    ),
]
Top = Annotated[
    int, typer.Option(min=0, help="Show at most N tags. 0 shows all.", metavar="N", rich_help_panel=TAGS)
]
Threshold = Annotated[
    Any,
    typer.Option(
        "--threshold",
        "--min",
        parser=_threshold,
        metavar="S|auto",
        help=f"Leave out tags with a score below S. auto is {LIKELY}.",
        rich_help_panel=TAGS,
    ),
]
Merge = Annotated[
    bool,
    typer.Option(
        "--merge/--no-merge",
        "--merge-synonyms/--no-merge-synonyms",
        help="Show tags of one meaning as one.",
        rich_help_panel=TAGS,
    ),
]
Seconds = Annotated[
    Any,
    typer.Option(
        "--excerpt",
        "--seconds",
        parser=_seconds,
        metavar="SECONDS",
        help="Tag only SECONDS from the middle of each file. The study used 29.1.",
        rich_help_panel=TAGS,
    ),
]
Excerpts = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_EXCERPTS,
        metavar="N",
        help="Tag only N excerpts of 29.1 s, spread evenly over each file. The study used 1.",
        rich_help_panel=TAGS,
    ),
]
Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        parser=local_path, metavar="FILE|DIR...", readable=False, help="Audio files, or folders of them."
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB", help="Take only files of this name or path. May be repeated.", rich_help_panel=FILES
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB",
        help="Skip files and folders of this name or path. May be repeated.",
        rich_help_panel=FILES,
    ),
]
FilesFrom = Annotated[
    typer.FileBinaryRead | None,
    typer.Option(
        metavar="FILE|-",
        help="Read names of files and folders from FILE, one a line or separated by NUL.",
        rich_help_panel=FILES,
    ),
]
Shard = Annotated[
    Any,
    typer.Option(
        parser=_shard,
        metavar="i/n",
        help="Take only part i of n of the files, so that n machines can share a folder.",
        rich_help_panel=FILES,
    ),
]
Hidden = Annotated[
    bool,
    typer.Option(
        "--hidden",
        help="Take hidden files and folders too, and those of trash cans and file servers.",
        rich_help_panel=FILES,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        help="Tag N files at once.",
        show_default="the usable cores",
        rich_help_panel=OUTPUT,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Print no progress and no last line on stderr.", rich_help_panel=OUTPUT
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Say each file with how long it took, and its warnings or error, on stderr.",
        rich_help_panel=OUTPUT,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=OUTPUT)]
