"""A page that plays songs and shows what models say of each: its answer, its tags over time, a comparison."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from autotag.audio.encode import PLAYER_RATE
from autotag.audio.held import Held
from autotag.config import DEFAULT
from autotag.library.keep import Progress
from autotag.meaning import Kind, meaning_of
from autotag.models.registry import ModelFile, auc
from autotag.request import TagRequest
from autotag.result import Failure, Outcome, Result, Tag
from autotag.speed.compare import Row, compare
from autotag.tagger import failure
from autotag.views.comparison import comparison
from autotag.views.page import COLUMNS, player, table, taggram_figure, text
from autotag.views.taggram import clock, envelope, of_vocabulary, preference

FEWEST = 8
"""Segments of a song from which on its tags are drawn over time: fewer are stripes that show nothing."""

INDEX = ("file", "length", "top tags")
"""The columns of the index."""


def report(
    songs: Sequence[Path],
    roots: Sequence[Path],
    models: Sequence[ModelFile],
    request: TagRequest,
    progress: Progress | None = None,
) -> Iterator[str]:
    """The body of the page, piece by piece: an index of several songs, then a section a song.

    Songs stand in the page itself, as MP3s of one channel. One that cannot be tagged has its reason there.

    Args:
        roots: files and folders that were asked for: the page names songs as they lie below these.
        request: which tags to list.
        progress: called with how many songs are done, how many there are, and the last one's outcome.
    """
    lines = []
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as sections:
        if progress:
            progress(0, len(songs), None)
        compared = compare(songs, models, request)
        for number, (song, found) in enumerate(zip(songs, compared, strict=True), 1):
            name = name_below(song, roots)
            outcome, content = _content(song, found, request)
            if isinstance(outcome, Failure):
                content = f'<p class="warning">{text(_why(outcome, song))}</p>\n'
            sections.write(f'<section id="song-{number}">\n<h2>{text(name)}</h2>\n{content}</section>\n')
            lines.append(_line(number, name, song, outcome))
            if progress:
                progress(number, len(songs), outcome)
        if len(songs) > 1:
            yield f'<nav aria-label="Files">{table("index sortable", INDEX, lines)}</nav>'
        sections.seek(0)
        for line in sections:
            yield line.removesuffix("\n")


def name_below(song: Path, roots: Sequence[Path]) -> str:
    """The path of a song below what was asked for; behind the name of that folder where there are several."""
    root = max(
        (root for root in roots if song.is_relative_to(root)), key=lambda root: len(root.parts), default=None
    )
    if root is None or root == song:
        return song.name
    below = song.relative_to(root)
    return str(below if len(roots) == 1 else Path(root.resolve().name, below))


def _content(song: Path, found: list[Row] | Failure, request: TagRequest) -> tuple[Outcome, str]:
    """What is said of a song, and as HTML: nothing of one that cannot be tagged, or not be played."""
    if isinstance(found, Failure):
        return found, ""
    main = next((row for row in found if row.cost.name == DEFAULT.name), None)
    main = main or max(found, key=lambda row: (row.compared, auc(row.cost.file)))
    try:
        with Held(song, PLAYER_RATE) as sound:
            play, outline = player(sound, PLAYER_RATE), envelope(sound, PLAYER_RATE, COLUMNS)
    except Exception as error:  # whatever it is, the next song can be shown
        return failure(error, str(song)), ""
    warnings = dict.fromkeys(warning for row in found for warning in row.result.warnings)
    remarks = "".join(
        f'<p class="warning">{text(_without_path(warning, song))}</p>\n' for warning in warnings
    )
    ordered = sorted(found, key=lambda row: preference(row.cost.file, row.compared), reverse=True)
    scores = [of_vocabulary(row.cost.scores[0], request.vocabulary) for row in ordered]
    over_time = [each for each in scores if each.duration >= FEWEST * each.segment_seconds]
    if over_time:
        picture = taggram_figure(over_time, outline)
    else:
        shortest = min(each.segment_seconds for each in scores)
        picture = (
            f'<p class="facts">No tags over time: it is less than {FEWEST} segments of {shortest:.1f} s, '
            "the shortest of these models.</p>"
        )
    return (
        main.result,
        f"""{_answer(main.result)}
{remarks}{play}
{picture}
{comparison(found)}
""",
    )


def _answer(result: Result) -> str:
    """The tags by what they are about."""
    groups: dict[str, list[Tag]] = {kind: [] for kind in get_args(Kind)}
    for tag in result.tags:
        groups[meaning_of(tag.tag).kind].append(tag)
    rows = "".join(
        f"<div><dt>{kind}</dt><dd>{', '.join(map(_tag, tags))}</dd></div>\n"
        for kind, tags in groups.items()
        if tags
    )
    facts = f'<p class="facts">{clock(result.duration)}, tagged by {text(result.model)}</p>'
    return f'<dl class="answer">\n{rows}</dl>\n{facts}' if rows else f"<p>No tag.</p>\n{facts}"


def _tag(tag: Tag) -> str:
    return f"{text(tag.tag)} <small>{tag.score:.2f}</small>"


def _line(number: int, name: str, song: Path, outcome: Outcome) -> tuple[str, ...]:
    """A row of the index."""
    link = f'<a href="#song-{number}">{text(name)}</a>'
    if isinstance(outcome, Failure):
        return link, "", f'<span class="warning">{text(_why(outcome, song))}</span>'
    return link, clock(outcome.duration), ", ".join(map(_tag, outcome.tags)) or "no tag"


def _why(failure: Failure, song: Path) -> str:
    return _without_path(failure.message, song).removeprefix(f"{song.name}: ")


def _without_path(message: str, song: Path) -> str:
    """A message about a song, with its name in place of its path: a page goes to others."""
    for path in (os.path.abspath(song), str(song)):  # noqa: PTH100 links stay as they are
        message = message.replace(path, song.name)
        message = message.replace(f"{Path(path).parent}{os.sep}", "") if Path(path).parent.name else message
    return message
