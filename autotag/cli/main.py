"""The command line: which commands there are, the default one, and exit codes."""

import os
import signal
import sys
import threading
import time
from difflib import get_close_matches
from errno import EAGAIN, EMFILE, ENFILE, ENOMEM
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from autotag import __version__
from autotag.cli.run import Run, say
from autotag.errors import AutotagError
from autotag.system.cores import ONE_THREAD
from autotag.system.progress import PATIENCE, watch
from autotag.system.streams import keep_descriptors, quiet_decoders

INTERRUPTED = 130, 143
"""Exit codes after Ctrl-C and after SIGTERM."""

PANELS: dict[str, dict[str, str]] = {
    "Files": {"tag": "tag", "write": "write"},
    "A library of many files": {
        **dict.fromkeys(("scan", "find", "similar"), "library"),
        "stats": "stats",
        "correct": "correct",
        "browse": "browse",
    },
    "See and hear": dict.fromkeys(("taggram", "sonify", "embed", "report"), "view"),
    "Models and their speed": {"models": "models", "bench": "speed", "choose": "speed"},
}
"""The commands as `--help` shows them, and the module of each, which is loaded when it is asked for."""

COMMANDS = {name: (module, panel) for panel, named in PANELS.items() for name, module in named.items()}

WITH_TERMS = "find", "correct"
"""In whose arguments a dash means without."""

GRACE = 5.0
"""Seconds for a command that hangs at a file to end by itself."""

_gave_up = threading.Event()


class TagByDefault(TyperGroup):
    """`autotag song.mp3` is `autotag tag song.mp3`. Commands are loaded when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            module, panel = COMMANDS[cmd_name]
            loaded = import_module(f"autotag.cli.{module}")
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name, cls=_class(cmd_name), rich_help_panel=panel)(getattr(loaded, cmd_name))
            self.commands[cmd_name] = typer.main.get_command(alone)
        return self.commands.get(cmd_name)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*COMMANDS, *ctx.help_option_names, "--version", "-V"}:
            self._refuse_mistyped(args[0])
            args = ["tag", *args]
        if args and args[0] not in WITH_TERMS:
            self._refuse_dashes(args)
        return super().parse_args(ctx, args)

    def _refuse_dashes(self, args: list[str]) -> None:
        """A file that its name makes an option, as of `autotag *.mp3`."""
        for word in args[: args.index("--")] if "--" in args else args:
            if len(word) > 2 and word.startswith("-") and os.path.lexists(word):
                raise AutotagError(
                    f"{word} is a file, and reads as an option. Put -- before the names of files."
                )

    def _refuse_mistyped(self, word: str) -> None:
        """A word that is nearly a command, and no file."""
        meant = word.lower()
        near = [f"--{meant}"] if meant in ("help", "version") else get_close_matches(meant, COMMANDS, 1, 0.75)
        if near and word.isalpha() and not os.path.lexists(word):
            raise AutotagError(f"{word} is no command and no file. Did you mean '{near[0]}'?")


def _class(command: str) -> Any:
    if command not in WITH_TERMS:
        return None
    from autotag.cli.library import Terms

    return Terms


app = typer.Typer(
    cls=TagByDefault,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"autotag {__version__}")
        raise typer.Exit


@app.callback(
    epilog="autotag song.mp3 · autotag scan ~/Music · autotag find piano -vocals · autotag tag --help"
)
def autotag(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Tag music with CNNs on mel-spectrograms of reduced frequency and time resolution."""


def main() -> None:
    """Run the command line.

    Exit codes: 0 good; 1 some file failed; 2 the request cannot be done; 130 and 143 interrupted.
    """
    os.environ.update(ONE_THREAD | os.environ)  # the front-end's products are too small to be shared out
    keep_descriptors()
    quiet_decoders()
    signal.signal(signal.SIGTERM, _terminated)  # also as process 1, which has no default action
    watch(_give_up, PATIENCE)
    try:
        if "" in sys.argv:  # as a path it would be the current folder
            raise AutotagError("An argument is empty. Is a variable not set?")
        app()
    except AutotagError as error:
        say(f"error: {error}")
        sys.exit(2)
    except SystemExit as end:
        if end.code in INTERRUPTED:
            say(f"interrupted. {Run.kept}".rstrip())
        raise
    except OSError as error:  # errors of reading a file are values or AutotagErrors
        say(f"error: {_what_failed(error)} {Run.kept}".rstrip())
        os._exit(1)  # a regular exit would try to write results again


def _what_failed(error: OSError) -> str:
    """What the operating system refused, and what to do."""
    why = os.strerror(error.errno) if error.errno else str(error).rstrip(".")
    if error.errno in (EMFILE, ENFILE):
        return f"{why}. Raise the limit, for example with 'ulimit -n 1024', or use fewer --jobs."
    if error.errno in (EAGAIN, ENOMEM):
        return f"a process cannot be started: {why}. Use fewer --jobs."
    try:
        Path.cwd()
    except OSError:
        return "the current folder is gone. Change to one that is there."
    name = error.filename if isinstance(error.filename, str) else ""
    return f"results cannot be written: {name}{': ' * bool(name)}{why}."


def _terminated(*_: object) -> NoReturn:
    sys.exit(1 if _gave_up.is_set() else INTERRUPTED[1])


def _give_up(name: str) -> None:
    """End the command: what it has begun is put away, if it still can do that."""
    say(f"error: {name}: no progress for {PATIENCE:g} s. Convert the file, or leave it out.")
    _gave_up.set()
    if hasattr(signal, "pthread_kill") and (main := threading.main_thread().ident):
        signal.pthread_kill(main, signal.SIGTERM)  # which also ends its wait for another program
    time.sleep(GRACE)
    os._exit(1)
