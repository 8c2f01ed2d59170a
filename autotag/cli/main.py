"""The command line: parses, calls and prints."""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from autotag import __version__
from autotag.cli.library import Terms, find, scan, similar, stats
from autotag.cli.speed import bench, choose
from autotag.cli.tag import tag
from autotag.cli.view import embed, report, sonify, taggram
from autotag.cli.write import write
from autotag.errors import AutotagError
from autotag.models.registry import models as models_at_hand
from autotag.system.cores import ONE_THREAD
from autotag.system.streams import quiet_decoders

METRICS = ("roc_auc", "pr_auc", "top5")
SCORES_ARE = "agreement with the label source on the test split of each model's data set, not accuracy"


class TagByDefault(TyperGroup):
    """`autotag song.mp3` is `autotag tag song.mp3`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "-h", "--help", "--version"}:
            args = ["tag", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=TagByDefault,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"autotag {__version__}")
        raise typer.Exit


@app.callback(epilog="autotag song.mp3 --mels 48 --hop x2 · 'autotag tag --help' lists the options")
def autotag(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Tag music with CNNs on mel-spectrograms of reduced frequency and time resolution."""


app.command()(tag)
app.command()(write)


@app.command()
def models() -> None:
    """List the models at hand: cost, size and scores."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", no_wrap=True)
    for heading in ("GMAC", "MB", "precision", "ROC AUC", "PR AUC", "top 5"):
        table.add_column(heading, justify="right")
    for name, entry in sorted(models_at_hand().items(), key=lambda item: -item[1].metadata.gmac):
        metadata = entry.metadata
        scores = metadata.scores.get(metadata.precision, {}).get("test", {})
        table.add_row(
            *(name, f"{metadata.gmac:.3f}", f"{entry.bytes / 1e6:.1f}", metadata.precision),
            *(f"{scores[metric]:.4f}" if metric in scores else "" for metric in METRICS),
        )
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(f"Scores: {SCORES_ARE}.")


app.command()(bench)
app.command()(choose)
app.command()(scan)
app.command(cls=Terms)(find)
app.command()(similar)
app.command()(stats)
app.command()(taggram)
app.command()(sonify)
app.command()(embed)
app.command()(report)


def main() -> None:
    """Run the command line: exit code 1 if some file failed, 2 for a wrong request, 130 when interrupted."""
    os.environ.update(ONE_THREAD | os.environ)  # the front-end's products are too small to be shared out
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        # Closed by the caller: no other file may take its place, here or in a process that is started.
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
    quiet_decoders()
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    try:
        if "" in sys.argv:  # as a path it would be the current folder
            raise AutotagError("an argument is empty: is a variable not set?")
        app()
    except AutotagError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:  # of writing: errors of reading are values or AutotagErrors
        why = os.strerror(error.errno) if error.errno else error
        typer.echo(f"error: results cannot be written: {why}", err=True)
        os._exit(1)  # a regular exit would try to write them again
