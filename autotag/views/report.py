"""What all models say of a song and what that costs, as a section of a page that plays it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from autotag.audio.decode import Audio
from autotag.audio.encode import PLAYED, mp3
from autotag.batch import Asked
from autotag.models.registry import Entry
from autotag.speed.compare import MARGIN, TOP, Row, compare
from autotag.views.page import COLUMNS, data_url, taggram_figure, text
from autotag.views.taggram import Taggram, envelope

DRAWN = 15
"""Tags of a taggram."""

TAGS = ("model", "tags", "bands", "hop", "segments")
COSTS = ("model", "mel ms", "network ms", "both", "", "agrees", "GMAC", "ROC AUC", "")
"""The columns of the tables."""


def contents(songs: Sequence[Path]) -> str:
    """A list of links to the sections of some songs."""
    links = "".join(
        f'<li><a href="#song-{n}">{text(str(song))}</a></li>\n' for n, song in enumerate(songs, 1)
    )
    return f"<nav><ol>\n{links}</ol></nav>"


def section(number: int, song: Path, entries: Iterable[Entry], asked: Asked) -> str:
    """The section of one song, which holds the song too, as an MP3 of one channel.

    Args:
        entries: the models.
        asked: which tags to list; its model is not asked.

    Raises:
        AudioError: the song cannot be tagged.
    """
    rows = compare(song, entries, asked)
    finest = sorted(rows, key=lambda row: (-len(row.cost.scores[0].scores), -(_auc(row) or 0)))
    taggrams = [Taggram.of(song, row.cost.scores[0], row.cost.entry.metadata).shown(DRAWN) for row in finest]
    sound = data_url("audio/mpeg", mp3(Audio(song, PLAYED), PLAYED))
    outline = envelope(Audio(song, PLAYED), PLAYED, COLUMNS)
    warnings = dict.fromkeys(warning for row in rows for warning in row.result.warnings)
    remarks = "".join(f'<p class="warning">{text(warning)}</p>\n' for warning in warnings)
    return _section(
        number,
        song,
        f"""<p class="facts">{rows[0].cost.seconds:.1f} s</p>
{remarks}<audio controls src="{sound}"></audio>
{taggram_figure(taggrams, outline)}
<h3>What each model says</h3>
{_table("tags", TAGS, map(_tags, rows))}
<h3>What each model costs</h3>
{_table("costs", COSTS, _costs(rows))}
{_legend(rows[0])}
""",
    )


def _legend(first: Row) -> str:
    return f"""<p class="facts">Measured here, once, beside {first.cost.ms("decode")[0]:.0f} ms for decoding.
agrees: the share of the {TOP} best tags that {text(first.cost.name)} has among its {TOP} best too. ROC AUC:
agreement with the label source, on other songs. sensible: the fastest within {MARGIN} of the best ROC AUC.
</p>"""


def problem(number: int, song: Path, message: str) -> str:
    """The section of a song that cannot be tagged."""
    return _section(number, song, f'<p class="warning">{text(message)}</p>\n')


def _section(number: int, song: Path, content: str) -> str:
    return f'<section id="song-{number}">\n<h2>{text(str(song))}</h2>\n{content}</section>\n'


def _table(name: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Of cells that are HTML; the first of a row is its heading. Where it is too wide it can be scrolled."""
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    return f"""<div class="scroll" tabindex="0" role="region" aria-label="{name}">
<table class="{name}"><thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody></table></div>"""


def _tags(row: Row) -> tuple[str, ...]:
    config = row.cost.entry.metadata.config
    tags = ", ".join(f"{text(tag)} {score:.2f}" for tag, score in row.result.tags) or "no tag"
    return text(row.cost.name), tags, str(config.mels), f"x{config.hop}", str(row.result.segments)


def _costs(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    most = max(row.cost.ms("mel", "model")[0] for row in rows)
    for row in rows:
        mel, network, both = (row.cost.ms(*steps)[0] for steps in (("mel",), ("model",), ("mel", "model")))
        auc = _auc(row)
        yield (
            *(text(row.cost.name), f"{mel:.1f}", f"{network:.1f}", f"{both:.1f}"),
            f'<i class="bar" style="width: {8 * both / most:.2f}em"></i>',
            *(f"{row.agreement:.0%}", f"{row.cost.gmac:.2f}", "" if auc is None else f"{auc:.4f}"),
            ", ".join(row.marks),
        )


def _auc(row: Row) -> float | None:
    return row.cost.entry.metadata.roc_auc
