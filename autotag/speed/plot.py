"""What models cost and are worth, drawn."""

from collections.abc import Sequence
from pathlib import Path

from autotag.errors import ExtraMissing
from autotag.speed.measure import Cost, spread

try:
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as error:
    raise ExtraMissing("drawing needs a package more: pip install 'autotag[plot]'") from error

COLOURS = {"vgg": "#0072b2", "musicnn": "#d55e00"}


def draw(costs: Sequence[Cost], path: Path) -> None:
    """Two panels: ROC AUC against milliseconds, with the Pareto front; milliseconds against GMAC.

    Milliseconds are of mel-spectrogram and network, and bars reach from quartile to quartile. `path` ends in
    `.svg` or `.png`.
    """
    with matplotlib.rc_context({"svg.hashsalt": "1", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(11, 5), layout="constrained")
        worth, work = figure.subplots(1, 2)
        ms = [spread(cost.ms("mel", "model")) for cost in costs]
        scored = [place for place, cost in enumerate(costs) if cost.entry.metadata.roc_auc is not None]
        for place, cost in enumerate(costs):
            colour = COLOURS[cost.entry.metadata.config.arch]
            low, middle, high = ms[place].low, ms[place].median, ms[place].high
            bar = [[middle - low], [high - middle]]
            work.errorbar(cost.gmac, middle, yerr=bar, fmt="o", color=colour)
            _label(work, cost, cost.gmac, middle)
            if place in scored:
                auc = _auc(cost)
                worth.errorbar(middle, auc, xerr=bar, fmt="o", color=colour)
                _label(worth, cost, middle, auc)
        front = pareto([(ms[place].median, _auc(costs[place])) for place in scored])
        worth.step(*zip(*front, strict=True), where="post", color="grey", zorder=0, label="Pareto front")
        worth.legend(loc="lower right")
        worth.set(xscale="log", xlabel="ms for mel and network", ylabel="ROC AUC (label source, test)")
        work.set(xscale="log", yscale="log", xlabel="GMAC", ylabel="ms for mel and network")
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those of the points (cost, worth) that no other one beats, the cheapest first.

    >>> pareto([(3.0, 0.9), (1.0, 0.8), (2.0, 0.7), (4.0, 0.9)])
    [(1.0, 0.8), (3.0, 0.9)]
    """
    front: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    return front


def _auc(cost: Cost) -> float:
    return cost.entry.metadata.roc_auc or 0.0


def _label(panel: Axes, cost: Cost, x: float, y: float) -> None:
    """The resolution, and what else tells the model from others."""
    name = cost.name.removesuffix("-db").replace("vgg-12k-", "")
    threads = f" ({cost.threads})" if cost.threads > 1 else ""
    panel.annotate(name + threads, (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7)
