"""A taggram as a picture: the waveform's envelope above a heat map."""

import warnings
from pathlib import Path

import numpy as np

from autotag.audio.mel import Array
from autotag.errors import ExtraMissing
from autotag.request import LIKELY
from autotag.scores import Scores
from autotag.system.text import printable
from autotag.views.taggram import cells, clock

try:
    import matplotlib
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MultipleLocator
except ImportError as error:
    raise ExtraMissing("Pictures need the package matplotlib: pip install matplotlib") from error

COLUMNS = 1000
"""About one for each pixel."""

TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000)
"""Seconds between two labels of the time axis, of which there are to be ten at most."""

GAMMA = 0.5
"""Colours follow the root of a score, because most scores are low: one scale, for all songs and models."""


def draw(name: str, scores: Scores, outline: Array, top: int, path: Path, ending: str) -> None:
    """Draw the tags that score highest anywhere.

    Args:
        name: of the song.
        outline: the waveform's envelope [n], over the whole file.
        top: how many tags at most; 0 for all.
        ending: `.svg` or `.png`.
    """
    edges, tags, values = cells(scores, COLUMNS, top)
    with (
        matplotlib.rc_context({"svg.hashsalt": "1", "svg.fonttype": "none", "font.size": 10}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing")  # in a font, of a file's name
        height = 0.24 * len(tags)
        figure = Figure(figsize=(10, 1.7 + height), layout="constrained")
        wave, heat = figure.subplots(2, 1, sharex=True, height_ratios=[0.8, height])
        shown = printable(name)
        title = shown if len(shown) <= 70 else f"{shown[:69]}…"
        wave.set_title(f"{title}   {scores.model}", loc="left", fontsize=10, parse_math=False)
        x = np.linspace(0, scores.duration, len(outline))
        wave.fill_between(x, -outline, outline, color="#555555", linewidth=0)
        wave.set(yticks=[], ylim=(-outline.max(), outline.max()), xlim=(0, scores.duration))
        wave.spines[:].set_visible(False)
        wave.tick_params(bottom=False)
        rows = np.arange(len(tags) + 1)
        # viridis reads the same with every colour vision, and in grey.
        norm = PowerNorm(GAMMA, 0, 1)
        image = heat.pcolormesh(edges, rows, values.T, cmap="viridis", norm=norm, rasterized=True)
        heat.set_yticks(rows[:-1] + 0.5, tags)
        heat.set(ylim=(len(tags), 0), xlabel="time")
        heat.tick_params(left=False)
        heat.xaxis.set_major_locator(
            MultipleLocator(next((t for t in TICKS if 10 * t >= scores.duration), 36000))
        )
        heat.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
        bar = figure.colorbar(image, ax=heat, label="score", pad=0.01, aspect=30)
        bar.set_ticks([0, 0.1, 0.25, LIKELY, 1], labels=["0", "0.1", "0.25", f"{LIKELY:g}", "1"])
        metadata = {"Date": None} if ending == ".svg" else None
        figure.savefig(path, format=ending[1:], dpi=150, metadata=metadata)
