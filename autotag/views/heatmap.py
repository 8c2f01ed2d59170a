"""A taggram as a picture: the waveform's envelope above a heat map."""

import warnings
from pathlib import Path

import numpy as np

from autotag.audio.mel import Array
from autotag.errors import ExtraMissing
from autotag.system.text import printable
from autotag.views.taggram import Taggram

try:
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MultipleLocator
except ImportError as error:
    raise ExtraMissing("pictures need a package more: pip install 'autotag[plot]'") from error

COLUMNS = 1000
"""About one for each pixel."""

TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000)
"""Seconds between two labels of the time axis, of which there are to be ten at most."""


def draw(taggram: Taggram, outline: Array, path: Path, ending: str) -> None:
    """Draw all tags that the taggram has.

    Args:
        outline: the waveform's envelope [n], over the whole file.
        ending: `.svg` or `.png`.
    """
    edges, scores = taggram.columns(COLUMNS)
    with (
        matplotlib.rc_context({"svg.hashsalt": "1", "svg.fonttype": "none", "font.size": 10}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing")  # in a font, of a file's name
        height = 0.24 * len(taggram.tags)
        figure = Figure(figsize=(10, 1.7 + height), layout="constrained")
        wave, heat = figure.subplots(2, 1, sharex=True, height_ratios=[0.8, height])
        name = printable(Path(taggram.path).name)
        title = name if len(name) <= 70 else f"{name[:69]}…"
        wave.set_title(f"{title}   {taggram.model}", loc="left", fontsize=10, parse_math=False)
        x = np.linspace(0, taggram.seconds, len(outline))
        wave.fill_between(x, -outline, outline, color="#555555", linewidth=0)
        wave.set(yticks=[], ylim=(-outline.max(), outline.max()), xlim=(0, taggram.seconds))
        wave.spines[:].set_visible(False)
        wave.tick_params(bottom=False)
        rows = np.arange(len(taggram.tags) + 1)
        # viridis reads the same with every colour vision, and in grey.
        cells = heat.pcolormesh(edges, rows, scores.T, cmap="viridis", vmin=0, rasterized=True)
        heat.set_yticks(rows[:-1] + 0.5, taggram.tags)
        heat.set(ylim=(len(taggram.tags), 0), xlabel="time")
        heat.tick_params(left=False)
        heat.xaxis.set_major_locator(
            MultipleLocator(next((t for t in TICKS if 10 * t >= taggram.seconds), 36000))
        )
        heat.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
        figure.colorbar(cells, ax=heat, label="score", pad=0.01, aspect=30)
        metadata = {"Date": None} if ending == ".svg" else None
        figure.savefig(path, format=ending[1:], dpi=150, metadata=metadata)


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are some.

    >>> clock(61), clock(3600)
    ('1:01', '1:00:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
