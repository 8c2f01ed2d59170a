"""Figure 1 of the study: VGG-CNN's scores and cost over its 22 resolutions."""

from itertools import product
from pathlib import Path
from statistics import mean, stdev

import matplotlib
from matplotlib.figure import Figure

from autotag.config import RATES, RESOLUTIONS, Config
from train.fit.run import RunResult
from train.networks import cost

METRICS = {"roc_auc": "ROC AUC", "pr_auc": "PR AUC"}

Results = dict[Config, list[RunResult]]
"""What came of the runs of each configuration."""

SCALES = {"db": ("#0072b2", "o", -0.12), "log": ("#d55e00", "s", 0.12)}
"""Colour, marker and shift of each log type."""


def figure_1(results: Results, path: Path) -> None:
    """Five panels: ROC AUC and PR AUC on the test split at 12 and at 16 kHz, and GMAC at both.

    Points are means over runs, bars standard deviations. `path` ends in `.svg` or `.png`.
    """
    resolutions = RESOLUTIONS["vgg"]
    with matplotlib.rc_context({"svg.hashsalt": "1", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(8, 12), layout="constrained")
        panels = figure.subplots(5, 1, sharex=True)
        for panel, (metric, sr) in zip(panels, product(METRICS, RATES), strict=False):
            panel.set_ylabel(f"{METRICS[metric]}, {sr // 1000} kHz (%)")
            for log, (colour, marker, shift) in SCALES.items():
                ours = [percent(results.get(Config("vgg", sr, *r, log), []), metric) for r in resolutions]
                run = [place for place, values in enumerate(ours) if values]
                if run:
                    panel.errorbar(
                        [place + shift for place in run],
                        [mean(ours[place]) for place in run],
                        [stdev(ours[place]) if len(ours[place]) > 1 else 0 for place in run],
                        fmt=marker,
                        color=colour,
                        capsize=3,
                        label=log,
                    )
            if panel.has_data():
                panel.legend(loc="lower left")
            else:
                panel.set_yticks([])
                panel.text(0.5, 0.5, "not run", transform=panel.transAxes, ha="center", color="gray")
        for sr, colour, marker in zip(RATES, ("#009e73", "#cc79a7"), "ov", strict=True):
            gmac = [cost(Config("vgg", sr, *resolution))[0] / 1e9 for resolution in resolutions]
            panels[4].plot(range(len(gmac)), gmac, marker, color=colour, label=f"{sr // 1000} kHz")
        panels[4].set_ylabel("GMAC a segment")
        panels[4].set_yscale("log")
        panels[4].legend(loc="lower left")
        labels = [f"{mels} x{hop}" for mels, hop in resolutions]
        panels[4].set_xticks(range(len(labels)), labels, rotation=60)
        panels[4].set_xlabel("mel bands and hop")
        for panel in panels:
            panel.grid(alpha=0.3)
        figure.savefig(path, dpi=100, metadata={"Date": None} if path.suffix == ".svg" else None)


def percent(runs: list[RunResult], metric: str) -> list[float]:
    """A metric of some runs on the test split."""
    return [100 * run.metrics["test"][metric] for run in runs]
