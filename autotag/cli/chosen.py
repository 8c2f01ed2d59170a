"""The values that a command's options are folded into: its model, its request, its files, its run."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import typer

from autotag.audio.folders import audio_files
from autotag.audio.lists import listed
from autotag.cli.options import (
    PANELS,
    RATE,
    Arch,
    Excerpts,
    Exclude,
    FilesFrom,
    Hidden,
    Hop,
    Include,
    Mels,
    Merge,
    Model,
    Paths,
    Quiet,
    Rate,
    Scale,
    Seconds,
    Shard,
    Threshold,
    Top,
    Verbose,
    Vocabulary,
)
from autotag.cli.run import Run, say
from autotag.config import DEFAULT, RESOLUTIONS, Config, Excerpt
from autotag.errors import ConfigError
from autotag.models.registry import ModelChoice, models
from autotag.request import TagRequest

Command = TypeVar("Command", bound=Callable[..., Any])

LARGEST_LIST = 1 << 28
"""Bytes of a list of files, millions of names: a device never ends."""

WANTED = TagRequest()
"""Holds the default of each option about tags."""

OPTION_OF = {
    "architecture": "--arch",
    "sample rate": "--sr",
    "log type": "--scale",
    "mel bands": "--mels",
    "hop multiple": "--hop",
}
"""By the beginning of what `Config` says about a field."""


def with_options(**builders: Callable[..., Any]) -> Callable[[Command], Command]:
    """Replace parameters of a command by options, from which its values are built when it is called.

    Args:
        builders: by name of a parameter, a function whose parameters are options, and whose result is the
            parameter's value. A parameter `context` is the command's own.
    """

    def decorate(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True).parameters
        folded = {
            name: inspect.signature(build, eval_str=True).parameters for name, build in builders.items()
        }
        kept = [parameter for name, parameter in own.items() if name not in (*builders, "context")]
        added = [
            option for options in folded.values() for name, option in options.items() if name != "context"
        ]
        shown = {
            option.name: option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for option in sorted([*kept, *added], key=_panel)
        }
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

        def run(context: typer.Context, **given: Any) -> Any:
            values = given | {"context": context}
            built = {
                name: builders[name](**{option: values[option] for option in options})
                for name, options in folded.items()
            }
            values |= built
            return command(**{name: values[name] for name in own})

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = inspect.Signature([context, *shown.values()])  # type: ignore[attr-defined]
        run.__annotations__ = {"context": typer.Context} | {n: p.annotation for n, p in shown.items()}
        return run  # type: ignore[return-value]

    return decorate


def _panel(option: inspect.Parameter) -> int:
    """Where the panel of an option stands in `--help`; arguments, and options without one, come first."""
    for info in getattr(option.annotation, "__metadata__", ()):
        if (panel := getattr(info, "rich_help_panel", None)) in PANELS:
            return PANELS.index(panel)
    return -1


def given(context: typer.Context, *options: str) -> list[str]:
    """Which of the options stand on the command line."""
    sources = {option: context.get_parameter_source(option) for option in options}
    return [option for option, source in sources.items() if source and source.name == "COMMANDLINE"]


def refuse(context: typer.Context, why: str, *options: str) -> None:
    """An error if one of the options stands on the command line."""
    if told := given(context, *options):
        raise typer.BadParameter(why, param_hint=spelled(told[0]))


def spelled(option: str) -> str:
    """An option as it is written, from the name of its parameter."""
    return f"--{ {'log': 'scale'}.get(option, option).strip('_').replace('_', '-') }"


def chosen_model(
    context: typer.Context,
    arch: Arch = DEFAULT.arch,
    sr: Rate = RATE,
    mels: Mels = DEFAULT.mels,
    hop: Hop = None,
    log: Scale = DEFAULT.log,
    model: Model = None,
) -> ModelChoice:
    """The model that a command's options ask for."""
    if model:
        if others := given(context, *Config.__slots__):
            raise typer.BadParameter(
                f"--model and {spelled(others[0])} both choose a model. Give one of them.",
                param_hint="--model",
            )
        return model
    wanted = resolution(arch, sr, mels, hop, log)
    return wanted if hop else at_installed_hop(wanted)


def resolution(arch: str, sr: int, mels: int, hop: int | None, log: str = DEFAULT.log) -> Config:
    """The configuration of some options; without a hop, the one to take."""
    try:
        return Config(arch, sr, mels, hop or chosen_hop(arch, mels), log)
    except ConfigError as error:
        hint = next(option for what, option in OPTION_OF.items() if str(error).startswith(what))
        raise typer.BadParameter(str(error), param_hint=hint) from error


def chosen_hop(arch: str, mels: int) -> int:
    """The hop of the default, where there is that one."""
    return DEFAULT.hop if (mels, DEFAULT.hop) in RESOLUTIONS.get(arch, ()) else 1


def at_installed_hop(wanted: Config) -> Config:
    """The same at the nearest hop of an installed model, or as it is."""
    installed = (file.metadata.config for name, file in models().items() if name == file.metadata.config.name)
    alike = [config for config in installed if _but_hop(config) == _but_hop(wanted)]
    return min(alike, key=wanted.distance, default=wanted)


def _but_hop(config: Config) -> tuple[str, int, int, str]:
    return config.arch, config.sr, config.mels, config.log


def chosen_request(
    vocabulary: Vocabulary = WANTED.vocabulary,
    top: Top = WANTED.top,
    threshold: Threshold = WANTED.threshold,
    merge: Merge = WANTED.merge,
    excerpt: Seconds = None,
    excerpts: Excerpts = None,
) -> TagRequest:
    """What a command's options want of each file."""
    return TagRequest(
        vocabulary=vocabulary,
        top=top,
        threshold=threshold,
        merge=merge,
        excerpt=chosen_excerpt(excerpt, excerpts),
    )


def chosen_excerpt(excerpt: Seconds = None, excerpts: Excerpts = None) -> Excerpt | None:
    """How much of each file a command's options ask for."""
    if excerpt is not None and excerpts is not None:
        raise typer.BadParameter(
            "--excerpt and --excerpts both choose a part. Give one of them.", param_hint="--excerpts"
        )
    return Excerpt.of(excerpt) if excerpts is None else Excerpt(count=excerpts)


@dataclass(frozen=True, slots=True)
class Files:
    """Which files a command is about.

    Attributes:
        named: files and folders as they were given.
        rules: the arguments of `audio_files`.
        stdin: whether it is about the audio on standard input instead.
    """

    named: tuple[Path, ...]
    rules: dict[str, Any]
    stdin: bool = False

    def found(self) -> list[Path]:
        """The audio files; patterns that matched nothing are said."""
        unmatched: list[str] = []
        found = list(audio_files(self.named, **self.rules, unmatched=unmatched))
        for pattern in unmatched:
            option = "exclude" if pattern in self.rules["exclude"] else "include"
            say(f"warning: --{option} {pattern!r} matched nothing. Give a name, a path, or a glob of them.")
        patterns = self.rules["include"] or self.rules["exclude"]
        if patterns and not (found or unmatched or self.rules["shard"][1] > 1):
            say("warning: --include and --exclude leave no file.")
        return found


def chosen_files(
    paths: Paths = None,
    include: Include = None,
    exclude: Exclude = None,
    files_from: FilesFrom = None,
    shard: Shard = "1/1",
    hidden: Hidden = False,
) -> Files:
    """The files that a command's arguments name."""
    if Path("-") in (paths or ()):
        raise typer.BadParameter(
            "Only 'autotag tag' takes audio from standard input. Name - alone there, and files here.",
            param_hint="FILE|DIR...",
        )
    if not paths and not files_from:
        raise typer.BadParameter(
            "Name files or folders, or a list of them with --files-from.", param_hint="FILE|DIR..."
        )
    named = [*(paths or ()), *(_listed(files_from) if files_from else ())]
    rules = {"include": include or (), "exclude": exclude or (), "shard": shard, "hidden": hidden}
    return Files(tuple(named), rules)


def _listed(file: Any) -> list[Path]:
    """The paths of a list; those of a playlist are relative to its folder."""
    name = Path(file.name) if isinstance(file.name, str) and file.name != "<stdin>" else None
    data = file.read(LARGEST_LIST + 1)
    if len(data) > LARGEST_LIST:
        raise typer.BadParameter(
            f"{file.name!r} is no list of files: it does not end within {LARGEST_LIST >> 20} MiB.",
            param_hint="--files-from",
        )
    return listed(data, name)


def chosen_run(quiet: Quiet = False) -> Run:
    """What a command says while it works."""
    return Run(quiet)


def chosen_run_of_files(quiet: Quiet = False, verbose: Verbose = False) -> Run:
    """What a command says while it tags files."""
    if quiet and verbose:
        raise typer.BadParameter(
            "--quiet and --verbose are opposites. Give one of them.", param_hint="--verbose"
        )
    return Run(quiet, verbose)
