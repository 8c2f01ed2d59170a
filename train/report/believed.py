"""What one may believe of a report's figures: intervals, paired differences, tags, and how far seeds agree.

All from the scores of the test split that each run keeps; see `train.measure.intervals`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotag.config import Config
from autotag.speed.sensible import LOSS, MARGIN
from train.console import progress
from train.measure.intervals import Values, ends, holm, p_value, resampled
from train.measure.metrics import aucs, top_overlap
from train.report.figure import METRICS, Results
from train.report.markdown import heading, row


@dataclass(frozen=True)
class Kept:
    """What a run keeps of the test split.

    Attributes:
        truth, scores: [clips, tags].
        drawn: what each clip is drawn with in a resample, [clips].
        tags: their names.
    """

    truth: NDArray[np.float32]
    scores: NDArray[np.float32]
    drawn: NDArray[np.str_]
    tags: list[str]

    @classmethod
    def of(cls, run: Path) -> "Kept | None":
        """What the run in a folder keeps, or None; one of an older version says neither groups nor tags."""
        if not (run / "predictions.npz").exists():
            return None
        with np.load(run / "predictions.npz") as file:
            test = file["split"] == "test"
            truth, scores = file["truth"][test], file["scores"][test]
            drawn = file["drawn" if "drawn" in file.files else "paths"][test]
            tags = file["tags"].tolist() if "tags" in file.files else [str(n) for n in range(truth.shape[1])]
        return cls(truth, scores, drawn, tags)


@dataclass(frozen=True)
class Drawn:
    """Resamples of a configuration, by metric: means over its runs.

    Attributes:
        means: over the tags [resamples].
        tags: of each tag [resamples, tags].
        found: over the tags, of all clips once.
    """

    means: dict[str, Values]
    tags: dict[str, Values]
    found: dict[str, float]


def believed(results: Results) -> Iterator[str]:
    """Intervals and differences to the best configuration, tag by tag for that one, and seeds."""
    runs: dict[Config, list[Kept]] = {}
    for config, outcomes in results.items():
        kept = [found for run in outcomes if run.folder and (found := Kept.of(run.folder))]
        if kept:
            runs[config] = kept
    if not runs:
        yield "The runs keep no scores of the test split."
        return
    drawn = {config: _drawn(kept) for config, kept in progress(runs.items(), "resamples", len(runs))}
    first = next(iter(runs.values()))[0]
    count = len(np.unique(first.drawn))
    of = f"{count} groups of {len(first.drawn)} clips" if count < len(first.drawn) else f"{count} clips"
    best = max(drawn, key=lambda config: drawn[config].found["roc_auc"])
    yield (
        f"Resampled: {of} of the test split, the same ones for every configuration; in parentheses the 95 % "
        f"interval. Differences are to {best.name}, which has the highest ROC AUC; p is of the paired "
        "bootstrap, by Holm's correction for the number of configurations. *Sensible* are those whose ROC "
        f"AUC is within {100 * MARGIN:g} of the best, and whose interval excludes a loss of over "
        f"{100 * LOSS:g}."
    )
    yield ""
    yield from _differences(drawn, best)
    yield from ("", f"Tag by tag, {best.name}, mean over its runs:", "")
    yield from _tags(runs[best], drawn[best])
    yield from ("", "How far the runs of one configuration agree, mean over pairs of seeds:", "")
    yield from _seeds(runs)


def _drawn(kept: list[Kept]) -> Drawn:
    tags: dict[str, Any] = {name: [] for name in METRICS}
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for run in kept:
        areas = aucs(run.truth, run.scores)
        for name, area in zip(METRICS, areas, strict=True):
            found[name].append(float(np.nanmean(area)))
        unmeasured = np.isnan(areas[0])
        for name, values in resampled(run.truth, run.scores, run.drawn).items():
            tags[name].append(np.where(unmeasured, np.nan, values))
    by_tag = {name: np.mean(values, axis=0) for name, values in tags.items()}
    return Drawn(
        {name: _over_tags(values) for name, values in by_tag.items()},
        by_tag,
        {name: mean(values) for name, values in found.items()},
    )


def _over_tags(values: Values) -> Values:
    """The mean over the tags that are measured in each resample [resamples, tags]; NaN where none is."""
    means, some = np.full(len(values), np.nan), np.isfinite(values).any(axis=1)
    means[some] = np.nanmean(values[some], axis=1)
    return means


def _differences(drawn: dict[Config, Drawn], best: Config) -> Iterator[str]:
    columns = (f"{title} {what}" for title in METRICS.values() for what in ("(%)", "difference", "p"))
    yield from heading("configuration", *columns, "sensible")
    others = [config for config in drawn if config != best]
    cells: dict[Config, list[str]] = {config: [] for config in drawn}
    losses = {best: 0.0}
    for metric in METRICS:
        differences = {c: drawn[c].means[metric] - drawn[best].means[metric] for c in others}
        found = {c: drawn[c].found[metric] - drawn[best].found[metric] for c in others}
        p = dict(zip(others, holm([p_value(found[c], differences[c]) for c in others]), strict=True))
        for config, own in drawn.items():
            cells[config].append(_with_ends(own.found[metric], own.means[metric]))
            if config == best:
                cells[config] += ["", ""]
                continue
            cells[config] += [_with_ends(found[config], differences[config], "+"), f"{p[config]:.3f}"]
            if metric == "roc_auc":
                losses[config] = -ends(differences[config])[0]
    limit = drawn[best].found["roc_auc"] - MARGIN
    for config, own in drawn.items():
        sensible = own.found["roc_auc"] >= limit and losses[config] <= LOSS
        yield row(config.name, *cells[config], "yes" if sensible else "")


def _tags(kept: list[Kept], drawn: Drawn) -> Iterator[str]:
    yield from heading("tag", "clips", *(f"{title} (%)" for title in METRICS.values()))
    truth = kept[0].truth
    found = dict(zip(METRICS, np.mean([aucs(run.truth, run.scores) for run in kept], axis=0), strict=True))
    for place, tag in enumerate(kept[0].tags):
        measured = not np.isnan(found["roc_auc"][place])
        cells = [_with_ends(found[m][place], drawn.tags[m][:, place]) if measured else "" for m in METRICS]
        yield row(tag, int(truth[:, place].sum()), *cells)


def _seeds(runs: dict[Config, list[Kept]]) -> Iterator[str]:
    yield from heading("configuration", "runs", "correlation of scores", "shared of five tags")
    several = {config: kept for config, kept in runs.items() if len(kept) > 1}
    for config, kept in several.items():
        pairs = list(combinations((run.scores for run in kept), 2))
        alike = mean(float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) for one, other in pairs)
        shared = mean(top_overlap(one, other) for one, other in pairs)
        yield row(config.name, len(kept), f"{alike:.3f}", f"{shared:.2f}")
    if not several:
        yield row("needs two runs or more of one", "", "", "")


def _with_ends(value: float, drawn: Values, sign: str = "") -> str:
    """A figure in percent, with its interval."""
    low, high = ends(drawn)
    return f"{100 * value:{sign}.2f} ({100 * low:{sign}.2f} to {100 * high:{sign}.2f})"
