"""What scores mean, drawn: how many pairs of a clip and a tag that get a score are true."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure


def diagram(rows: Sequence[Sequence[float]], path: Path) -> None:
    """Draw the share that is true against the score, and how many pairs each point is of.

    Args:
        rows: begin of a tenth of the scores, pairs, mean score, share that is true, and its interval's ends.
        path: an SVG.
    """
    with matplotlib.rc_context({"svg.hashsalt": "1", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(4.8, 6), layout="constrained")
        shares, counts = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        shares.plot([0, 1], [0, 1], color="#767676", linestyle="--", label="as many as the score says")
        for _, _, mean, share, low, high in rows:
            shares.vlines(mean, low, high, color="#0072b2")
            shares.plot(mean, share, "o", color="#0072b2")
        shares.plot([], [], "o-", color="#0072b2", label="share, with its 95 % interval")
        shares.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that has the tag")
        shares.legend(loc="upper left", frameon=False)
        counts.bar([row[0] + 0.05 for row in rows], [row[1] for row in rows], 0.09, color="#767676")
        counts.set(yscale="log", xlabel="score", ylabel="pairs")
        counts.yaxis.set_major_formatter("{x:,.0f}")
        figure.savefig(path, metadata={"Date": None})
