"""`python -m train`: parses, calls and prints."""

import signal
import sys
from collections.abc import Callable

import typer

from autotag.errors import AutotagError
from train.cli import models, training
from train.errors import RunsFailed

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def about() -> None:
    """Train, evaluate and export the models of the study, and report on it."""


COMMANDS: tuple[Callable[..., None], ...] = (
    *(training.prepare, training.label, training.fit, training.study, training.evaluate),
    *(models.export, models.distill, models.restore, models.card, models.quantise, training.report),
)
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run the command line: exit 1 if runs failed, 2 for a wrong request, 130 or 143 when interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except AutotagError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1 if isinstance(error, RunsFailed) else 2)
