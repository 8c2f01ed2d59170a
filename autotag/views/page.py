"""A page that is one file and needs no network, and taggrams in it, which a script draws."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from autotag.audio.mel import Array
from autotag.system.text import as_json, printable
from autotag.views.taggram import Taggram

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


def taggram_figure(taggrams: Sequence[Taggram], outline: Array) -> str:
    """Taggrams of one song by several models, to choose from, below its waveform's outline [n]."""
    first = taggrams[0]
    data = {
        "seconds": round(first.seconds, 3),
        "outline": (outline / outline.max()).round(2).tolist(),
        "models": [_data(taggram) for taggram in taggrams],
    }
    names = "".join(f"<option>{text(taggram.model)}</option>" for taggram in taggrams)
    return f"""<figure class="taggram">
<figcaption><label>Tags over time, by <select{"" if taggrams[1:] else " disabled"}>{names}</select></label>
<span class="scale">0 <i></i> <b></b></span></figcaption>
<div class="plot"><ol></ol><div class="canvases" tabindex="0" role="slider" aria-label="Position in the song"
aria-valuemin="0"><canvas class="wave"></canvas><canvas class="heat"></canvas><i class="cursor"></i></div>
</div>
<p class="now"></p>
<noscript><p>The picture is drawn by a script, which is turned off.</p></noscript>
<script type="application/json">{_in_script(data)}</script>
</figure>"""


def _data(taggram: Taggram) -> dict[str, Any]:
    edges, scores = taggram.columns(COLUMNS)
    return {
        "tags": taggram.tags,
        "edges": edges.round(2).tolist(),
        "scores": (scores.T * 1000).round().astype(int).tolist(),
    }


def _in_script(values: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    return as_json(values).replace("<", "\\u003c")
