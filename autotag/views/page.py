"""A page that is one file and needs no network, and taggrams in it, which a script draws."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from autotag.audio.encode import mp3
from autotag.audio.mel import Array
from autotag.request import LIKELY
from autotag.scores import Scores
from autotag.system.text import as_json, printable
from autotag.views import TAGGRAM_TAGS
from autotag.views.taggram import cells

COLUMNS = 2000
"""Segments of a taggram, and peaks of an outline, that a page holds at most: neighbours are averaged."""

POLICY = "default-src 'none'; img-src data:; media-src data:; " + (
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'"
)
"""A browser then loads nothing but what stands in the page."""


def write_page(path: Path, title: str, body: Iterable[str]) -> None:
    """Write a page, piece by piece.

    Args:
        title: a text.
        body: pieces of HTML.
    """
    here = Path(__file__)
    style, script = (here.with_suffix(ending).read_text("utf-8") for ending in (".css", ".js"))
    head = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{text(title)}</h1>
"""
    with path.open("w", encoding="utf-8") as file:
        file.write(head)
        for piece in body:
            file.write(f"{piece}\n")
        file.write(f"</main>\n<script>\n{script}</script>\n</body>\n</html>\n")


def text(value: str) -> str:
    """Any text, such as the name of a file, as HTML."""
    return escape(printable(value))


def data_url(kind: str, data: bytes) -> str:
    """A file of a MIME type as the value of an attribute `src`."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def player(blocks: Iterable[Array], sr: int) -> str:
    """What plays a sound, mono blocks [n], which stands in the page as an MP3."""
    return f'<audio controls src="{data_url("audio/mpeg", mp3(blocks, sr))}"></audio>'


def table(kind: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML, the first of a row its heading; it can be scrolled if it is too wide.

    Args:
        kind: its classes, of which the first names it.
    """
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    return f"""<div class="scroll" tabindex="0" role="region" aria-label="{kind.split()[0]}">
<table class="{kind}"><thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody></table></div>"""


def taggram_figure(found: Sequence[Scores], outline: Array, top: int = TAGGRAM_TAGS) -> str:
    """Tags over time of one song by several models, to choose from, below its waveform's outline [n].

    Args:
        top: how many tags at most; 0 for all.
    """
    data = {
        "seconds": round(found[0].duration, 3),
        "outline": (outline / outline.max()).round(2).tolist(),
        "models": [_data(scores, top) for scores in found],
    }
    names = "".join(f"<option>{text(scores.model)}</option>" for scores in found)
    return f"""<figure class="taggram">
<figcaption><label>Tags over time, by <select{"" if found[1:] else " disabled"}>{names}</select></label>
<span class="scale">score 0 <i><b style="left: {100 * LIKELY**0.5:.0f}%"></b></i> 1 (the line:
{LIKELY:g})</span></figcaption>
<div class="plot"><ol></ol><div class="canvases" tabindex="0" role="slider" aria-label="Position in the song"
aria-valuemin="0"><canvas class="wave"></canvas><canvas class="heat"></canvas><i class="cursor"></i></div>
</div>
<p class="now"></p>
<noscript><p>The picture is drawn by a script, which is turned off.</p></noscript>
<script type="application/json">{_in_script(data)}</script>
</figure>"""


def _data(scores: Scores, top: int) -> dict[str, Any]:
    edges, tags, values = cells(scores, COLUMNS, top)
    return {
        "tags": tags,
        "edges": edges.round(2).tolist(),
        "scores": (values.T * 1000).round().astype(int).tolist(),
    }


def _in_script(values: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    return as_json(values).replace("<", "\\u003c")
