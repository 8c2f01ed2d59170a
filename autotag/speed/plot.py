"""What models cost and are worth, drawn."""

from collections.abc import Sequence
from pathlib import Path

from autotag.config import RESOLUTIONS
from autotag.errors import ExtraMissing
from autotag.models.registry import auc, comparable
from autotag.speed.measure import Cost, spread

try:
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
except ImportError as error:
    raise ExtraMissing("--plot needs the package matplotlib: pip install matplotlib") from error

Box = tuple[float, float, float, float]

SIZE = 7
"""Height of the labels, in points."""

OFFSETS = (4, -4 - SIZE, 4 + SIZE, -4 - 2 * SIZE, 4 + 2 * SIZE, -4 - 3 * SIZE)
"""How much higher than its point a label begins: the first where there is room."""

COLOURS = dict(zip(RESOLUTIONS, ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"), strict=False))
"""Colours that people who see red and green alike can tell apart (Okabe and Ito), by architecture."""


def draw(costs: Sequence[Cost], path: Path) -> None:
    """Two panels: ROC AUC against milliseconds, with the Pareto front; milliseconds against GMAC.

    The first one has the models whose ROC AUC is of the same data.
    Milliseconds are of mel-spectrogram and network, and bars reach from quartile to quartile. `path` ends in
    `.svg` or `.png`.
    """
    with matplotlib.rc_context({"svg.hashsalt": "1", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(11, 5.4), layout="constrained")
        worth, work = figure.subplots(1, 2)
        ms = [spread(cost.ms("mel", "model")) for cost in costs]
        files = [cost.file for cost in costs if cost.file.metadata.roc_auc is not None]
        same_data = {file.sha256 for file in comparable(files)} if files else set()
        scored = [place for place, cost in enumerate(costs) if cost.file.sha256 in same_data]
        for place, cost in enumerate(costs):
            colour = COLOURS[cost.file.metadata.config.arch]
            low, middle, high = ms[place].low, ms[place].median, ms[place].high
            bar = [[middle - low], [high - middle]]
            work.errorbar(cost.gmac, middle, yerr=bar, fmt="o", color=colour)
            if place in scored:
                worth.errorbar(middle, auc(cost.file), xerr=bar, fmt="o", color=colour)
        front = pareto([(ms[place].median, auc(costs[place].file)) for place in scored])
        worth.step(*zip(*front, strict=True), where="post", color="grey", zorder=0)
        worth.set(xscale="log", xlabel="ms for mel and network", ylabel="ROC AUC (label source, test)")
        work.set(xscale="log", yscale="log", xlabel="GMAC", ylabel="ms for mel and network")
        for axis in (worth.xaxis, work.xaxis, work.yaxis):
            _plain(axis)
        worth.margins(0.08)
        work.margins(0.08)
        dots = [
            Line2D([], [], marker="o", linestyle="", color=colour, label=arch)
            for arch, colour in COLOURS.items()
            if any(cost.file.metadata.config.arch == arch for cost in costs)
        ]
        line = Line2D([], [], color="grey", label="Pareto front: nothing is better and faster")
        figure.legend(handles=[*dots, line], loc="outside lower center", ncols=3, frameon=False)
        figure.draw_without_rendering()  # from here on points are where they stay
        points = [(ms[place].median, auc(costs[place].file)) for place in scored]
        _label(worth, [costs[place] for place in scored], points)
        _label(work, costs, [(cost.gmac, found.median) for cost, found in zip(costs, ms, strict=True)])
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (cost, worth) that no other one beats, the cheapest first.

    >>> pareto([(3.0, 0.9), (1.0, 0.8), (2.0, 0.7), (4.0, 0.9)])
    [(1.0, 0.8), (3.0, 0.9)]
    """
    front: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    return front


def _plain(axis: Axis) -> None:
    """Numbers as people write them, at 1, 2 and 5 times the powers of ten."""
    axis.set_major_locator(FixedLocator([m * 10.0**power for power in range(-3, 6) for m in (1, 2, 5)]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _label(panel: Axes, costs: Sequence[Cost], points: Sequence[tuple[float, float]]) -> None:
    """The resolution of each model and its threads, beside its point, inside the frame and over no other."""
    places = panel.transData.transform(points) * 72 / panel.figure.dpi  # in points, as sizes of text are
    middle = (places[:, 0].min() + places[:, 0].max()) / 2
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in places]
    for cost, point, (x, y) in zip(costs, points, places, strict=True):
        name = cost.name.removesuffix("-db").replace("vgg-12k-", "")
        name += f" ({cost.threads})" if cost.threads > 1 else ""
        width = 0.6 * SIZE * len(name)
        left = x + 4 if x <= middle else x - 4 - width
        for up in OFFSETS:
            box = (left, y + up, left + width, y + up + SIZE)
            if not any(_overlap(box, other) for other in taken):
                break
        taken.append(box)
        panel.annotate(
            *(name, point, (4 if x <= middle else -4, up)),
            textcoords="offset points",
            fontsize=SIZE,
            horizontalalignment="left" if x <= middle else "right",
        )


def _overlap(one: Box, other: Box) -> bool:
    """Whether two boxes of left, bottom, right and top have something in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
