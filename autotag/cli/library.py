"""The commands about a library: parse, call and print."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from autotag.cli.chosen import Files, chosen_files, chosen_model, chosen_run_of_files, given, with_options
from autotag.cli.found import Listing, chosen_listing
from autotag.cli.options import (
    FILES,
    OUTPUT,
    TAGS,
    Excerpts,
    Jobs,
    local_path,
)
from autotag.cli.run import Run, say
from autotag.config import Config, Excerpt
from autotag.models.registry import ModelChoice
from autotag.request import LIKELY
from autotag.result import Outcome
from autotag.system.text import counted

if TYPE_CHECKING:
    from autotag.library.database import Library

LARGE = 2000
"""Files of a new library from which on it is worth a hint how to be done sooner."""

HINT = (
    "note: --excerpts 3 tags three parts of 29.1 s of each file instead of all of it. For songs of four "
    "minutes it takes less than half of the time, and finds nine of ten of their best tags."
)

MINUS = "\N{MINUS SIGN}"

LibraryOption = Annotated[
    Path | None,
    typer.Option(
        "--library",
        parser=local_path,
        metavar="FILE",
        help="Use this library.",
        show_default="library.sqlite in the user's data folder",
        rich_help_panel=FILES,
    ),
]
Minimum = Annotated[
    float,
    typer.Option(
        "--min",
        "--threshold",
        metavar="S",
        min=0,
        max=1,
        help="Count a tag from the score S on.",
        rich_help_panel=TAGS,
    ),
]
Limit = Annotated[
    int, typer.Option(min=0, metavar="N", help="List at most N tracks. 0 lists all.", rich_help_panel=OUTPUT)
]


class Terms(TyperCommand):
    """`-vocals` is a tag that is not wanted, not the options -v, -o, -c…; only -h and -0 are options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        args = [
            MINUS + text[1:]
            if re.match(r"-[^-]", text) and text not in ("-h", "-0") and not _is_value(args, at)
            else text
            for at, text in enumerate(args)
        ]
        return super().parse_args(ctx, args)


def _is_value(args: list[str], at: int) -> bool:
    """Whether a word is the value of the option before it, such as - of --m3u."""
    return at > 0 and args[at - 1] in ("--m3u", "--library", "--min", "--threshold", "--limit", "--sort")


@with_options(files=chosen_files, model=chosen_model, run=chosen_run_of_files)
def scan(
    context: typer.Context,
    files: Files,
    model: ModelChoice,
    run: Run,
    library: LibraryOption = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Tag all files again, also with another model.", rich_help_panel=OUTPUT),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Tag again the files that failed before.", rich_help_panel=FILES),
    ] = False,
    moved_from: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Give the files that were in DIR their new path in the folder that is named.",
            rich_help_panel=FILES,
        ),
    ] = None,
    drop_missing: Annotated[
        bool,
        typer.Option(
            "--drop-missing",
            help="Remove files also where their folder is missing or empty, or a link leads nowhere.",
            rich_help_panel=FILES,
        ),
    ] = False,
    excerpts: Excerpts = None,
    jobs: Jobs = None,
) -> None:
    """Update a library from folders: add new files, retag changed ones, follow moved ones, remove deleted ones."""  # noqa: E501
    from autotag.library.database import default_path
    from autotag.library.scan import scan as update

    path = library or default_path()
    whole = excerpts is None and not path.exists()
    with run.tracking(kept_in=path) as progress:

        def tell(done: int, total: int, outcome: Outcome | None = None) -> None:
            if not done and total >= LARGE and whole and not run.quiet:
                say(HINT)
            progress(done, total, outcome)

        found = update(
            files.named,
            library,
            model if given(context, *Config.__slots__, "model") else None,
            excerpt=None if excerpts is None else Excerpt(count=excerpts),
            jobs=jobs,
            force=force,
            retry_failed=retry_failed,
            progress=tell,
            moved_from=moved_from,
            drop_missing=drop_missing,
            **files.rules,
        )
    for note in found.notes:
        say(f"warning: {note}")
    for problem in found.problems:
        run.error(problem)
    kinds = ["new", "changed", *(kind for kind in ("again", "retried") if getattr(found, kind))]
    kinds += ["moved", "deleted", "failed", *(["kept"] if found.kept else []), "unchanged"]
    counts = ", ".join(
        f"{getattr(found, kind)} {'tagged again' if kind == 'again' else kind}" for kind in kinds
    )
    if found.failed_before:
        lists = "'autotag stats --failed' lists them, --retry-failed tries again"
        counts += f" ({found.failed_before} of them failed before: {lists})"
        run.counts["failed"] += found.failed_before
    run.end(f"{found.library}: {counts}")


@with_options(listing=chosen_listing)
def find(
    terms: Annotated[
        list[str],
        typer.Argument(
            metavar="TAG|-TAG...",
            help="Tags to have and, with a minus, not to have. Also 'piano or guitar', 'piano>0.5', "
            "path:live, 'duration>3:00'.",
        ),
    ],
    listing: Listing,
    minimum: Minimum = LIKELY,
    limit: Limit = 50,
    sort: Annotated[
        str,
        typer.Option(
            metavar="ORDER", help="List by score, path, duration, newest or random.", rich_help_panel=OUTPUT
        ),
    ] = "score",
    library: LibraryOption = None,
) -> None:
    """Find the tracks of a library that have all of these tags: autotag find piano quiet -vocals."""
    from autotag.library.database import Library, default_path
    from autotag.library.hints import clash, weaker
    from autotag.library.query import FAINT, count, query, rows_of

    with Library(library or default_path()) as opened:
        words = spoken(opened, terms)
        unwanted = [word[1:] for word in words if word.startswith("-")]
        wanted = [word for word in words if not word.startswith("-")]
        asked = query(opened, wanted, unwanted, minimum)
        found = rows_of(opened, asked, limit, sort)  # type: ignore[arg-type]
        total = count(opened, asked) if limit and len(found) == limit else len(found)
        fainter = (
            count(opened, query(opened, wanted, unwanted, FAINT, minimum)) - total if minimum > FAINT else 0
        )
        why = "" if found else clash(opened, wanted, unwanted)
        also = fainter > 0 and bool(wanted) and not why
        lower = "" if found or also or why else weaker(opened, wanted, minimum)
    if not found:
        say(f"No track has all of these tags. {why or lower}".rstrip())
    if also:
        more = "more " if found else ""
        tracks = counted(fainter, f"{more}track has", f"{more}tracks have")
        say(f"{tracks} the tags with scores from {FAINT} to {minimum:g}: add --min {FAINT}.")
    if total > len(found):
        say(f"{len(found)} of {total} tracks are listed. Use --limit 0 to list all.")
    listing.show(found, "score")


def spoken(library: "Library", terms: list[str]) -> list[str]:
    """The words of a command of `Terms`, those that together are a tag of the library as one."""
    from autotag.library.tags import Vocabulary
    from autotag.library.terms import joined

    words, tags = joined(list(map(with_dash, terms)), Vocabulary(library).knows)
    for tag in tags:
        say(f"'{tag}' is read as one tag.")
    return words


def with_dash(text: str) -> str:
    """A word as it was typed, which `Terms` has kept from being an option."""
    return re.sub(f"^{MINUS}", "-", text)


@with_options(listing=chosen_listing)
def similar(
    song: Annotated[
        Path, typer.Argument(parser=local_path, metavar="FILE", help="A song, in the library or not.")
    ],
    listing: Listing,
    limit: Limit = 20,
    copies: Annotated[
        bool, typer.Option("--copies", help="List every copy of a recording.", rich_help_panel=OUTPUT)
    ] = False,
    library: LibraryOption = None,
) -> None:
    """List the tracks of a library that sound most like a song."""
    from autotag.library.alike import similar as search
    from autotag.library.database import Library, default_path

    with Library(library or default_path()) as opened:
        found = search(opened, song, limit=limit, copies=copies)
    listing.show(found, "similarity")
