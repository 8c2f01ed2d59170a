"""The report on a folder of runs: Figure 1, Tables 4 and 5, and what the study concludes from them.

Figure 1 of the study is VGG-CNN on MagnaTagATune, Table 4 MUSICNN on MagnaTagATune, Table 5 both on the
Million Song Dataset.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from scipy.stats import ttest_ind

from autotag.config import GRID, STUDY, Config
from train.errors import RunError
from train.fit.recipe import RECIPES
from train.fit.run import RunResult, all_results, write
from train.networks import cost
from train.report.figure import METRICS, Results, figure_1, percent
from train.report.published import LISTED, NAMES, SCORES, USED, Published

PASSES = 3
"""Multiply-accumulates of a training step, in forward passes: forward, and backward to input and weights."""


def report(works: list[Path], out: Path) -> Path:
    """Write `report.md`, `figure-1.svg` and `figure-1.png` on the complete runs under the folders `works`.

    Raises:
        RunError: a folder has no complete run, or two data sets of one kind, or two recipes, are among them.
    """
    studies = collect(works)
    out.mkdir(parents=True, exist_ok=True)
    for ending in ("svg", "png"):
        figure_1(studies.get("mtat", {}), out / f"figure-1.{ending}")
    write(out / "report.md", "\n".join(_lines(studies)) + "\n")
    return out / "report.md"


def collect(works: list[Path]) -> dict[str, Results]:
    """The complete runs under some folders: by kind of data set, by configuration in the grid's order.

    Configurations outside the grid come last.
    """
    found: dict[str, defaultdict[Config, list[RunResult]]] = {}
    seen: dict[str, tuple[RunResult, Path]] = {}
    for run, outcome in (item for work in works for item in all_results(work).items()):
        other, where = seen.setdefault(outcome.kind, (outcome, run))
        if other.study != outcome.study:
            raise RunError(
                f"{where} and {run} differ in data set or recipe, where a report is on one of each. "
                "Give them --work folders of their own."
            )
        found.setdefault(outcome.kind, defaultdict(list))[outcome.config].append(outcome)
    return {
        kind: {config: runs[config] for config in (*GRID, *_others(runs)) if config in runs}
        for kind, runs in found.items()
    }


def _others(runs: Iterable[Config]) -> list[Config]:
    """Configurations outside the study's grid."""
    return sorted({*runs} - {*GRID}, key=lambda config: config.name)


def _lines(studies: dict[str, Results]) -> Iterator[str]:
    yield "# " + "; ".join(_title(_first(results)) for results in studies.values())
    for results in studies.values():
        yield ""
        yield from _about(results)
    mtat, msd = studies.get("mtat", {}), studies.get("msd", {})
    yield from ("", "## Figure 1: VGG-CNN on MagnaTagATune", "")
    yield from ("![ROC AUC, PR AUC and GMAC by resolution](figure-1.svg)", "")
    yield from _scores(mtat, "vgg", "mtat")
    yield from ("", "## Table 4: MUSICNN on MagnaTagATune", "")
    yield from _scores(mtat, "musicnn", "mtat")
    yield from ("", "## Table 5: the Million Song Dataset", "")
    yield from _scores(msd, "vgg", "msd")
    yield ""
    yield from _scores(msd, "musicnn", "msd")
    if any(_others(results) for results in studies.values()):
        yield from ("", "## Outside the study's grid")
    for kind, results in studies.items():
        for arch in dict.fromkeys(config.arch for config in _others(results)):
            yield ""
            yield from _scores(results, arch, kind)
    for title, lines in (
        ("What the study concludes, here", _conclusions),
        ("48 bands against 96: independent-samples t-test", _t_tests),
        ("Cost", _costs),
        ("The whole study from these figures", _estimate),
    ):
        for results in studies.values():
            where = f": {_title(_first(results))}" if len(studies) > 1 else ""
            yield from ("", f"## {title}{where}", "")
            yield from lines(results)


def _title(run: RunResult) -> str:
    """Which data it is, and that it is not what it looks like, or not all of it."""
    clips = " / ".join(f"{run.clips[split]:,}" for split in ("train", "valid", "test"))
    if run.clips == USED[run.kind]:
        return f"The study on {NAMES[run.kind]}"
    if run.listed == LISTED[run.kind]:
        return f"A part of {NAMES[run.kind]}: the study on {clips} clips"
    return f"Not {NAMES[run.kind]}: the study on `{run.dataset}`, {clips} clips"


def _about(results: Results) -> Iterator[str]:
    first = _first(results)
    runs = [run for group in results.values() for run in group]
    if first.clips != USED[first.kind]:
        yield (
            f"**The study used other clips, of {NAMES[first.kind]}: {_words(USED[first.kind])}. "
            "The differences to the published ones say nothing of a reproduction.**"
        )
        yield ""
    recipe = replace(first.recipe, seed=0)
    whose = "the study's" if recipe == RECIPES["study"] else "not the study's"
    chosen = {name: value for name, value in recipe.to_dict().items() if name != "seed"}
    yield f"- Clips: {_words(first.clips)}; listed: {_words(first.listed)}."
    outside = len(_others(results))
    yield (
        f"- {len(runs)} runs of {len(results) - outside} of {len(GRID)} configurations"
        + (f", and of {outside} outside the study's grid." if outside else ".")
    )
    yield f"- Recipe ({whose}): {_words(chosen)}."
    yield (
        "- Scores are those of the test split, in percent, at the epoch with the lowest validation loss; "
        "± is the standard deviation over runs."
    )
    for split, tags in first.undefined.items():
        if tags:
            yield (
                f"- In the {split} split {len(tags)} tags have no AUC, because too few clips have them, or "
                f"all, and the mean is over the others: {', '.join(tags)}."
            )
    yield f"- Device: {'; '.join(sorted({run.device for run in runs}))}."
    yield f"- Code: {', '.join(sorted({run.commit for run in runs}))}."


def _first(results: Results) -> RunResult:
    return next(iter(results.values()))[0]


def _scores(results: Results, arch: str, kind: str) -> Iterator[str]:
    """Published value, ours and the difference, for what was run or published."""
    yield from _table("configuration", "runs", *(f"{m} {w}" for m in METRICS.values() for w in _CELLS))
    for config in (*GRID, *_others(results)):
        published = SCORES[kind].get(config.name)
        if config.arch != arch or not (config in results or published):
            continue
        runs = results.get(config, [])
        cells = []
        for metric in METRICS:
            ours = percent(runs, metric)
            cells += [
                _published(published, metric),
                _spread(ours),
                f"{mean(ours) - getattr(published, metric):+.2f}" if ours and published else "",
            ]
        yield _row(config.name, len(runs), *cells)


_CELLS = ("published", "here", "difference")


def _conclusions(results: Results) -> Iterator[str]:
    """Pairs of resolutions that the study compares, with what the second loses to the first."""
    yield from _table(
        "compared", "configurations", *(f"{m} {w}" for m in METRICS.values() for w in ("", "loss"))
    )
    pairs = [
        *(("48 bands for 96", a, b) for a, b in _pairs(results, mels=(96, 48))),
        *(("x2 for x1", a, b) for a, b in _pairs(results, hop=(1, 2))),
        *(("x10 for x1", a, b) for a, b in _pairs(results, hop=(1, 10))),
    ]
    for what, a, b in pairs:
        cells: list[str] = []
        for metric in METRICS:
            one, other = (mean(percent(results[config], metric)) for config in (a, b))
            cells += [f"{one:.2f} → {other:.2f}", f"{100 * (one - other) / one:+.2f} %"]
        yield _row(what, f"{a.name} → {b.name}", *cells)
    if not pairs:
        yield _row("none of the pairs was run")


def _t_tests(results: Results) -> Iterator[str]:
    yield from _table("configurations", "runs", *(f"{m} {w}" for m in METRICS.values() for w in ("t", "p")))
    tested = False
    for a, b in _pairs(results, mels=(96, 48)):
        counts = len(results[a]), len(results[b])
        if min(counts) > 1:
            tested = True
            tests = [ttest_ind(percent(results[b], m), percent(results[a], m)) for m in METRICS]
            values = [f"{value:.3f}" for test in tests for value in (test.statistic, test.pvalue)]
            yield _row(f"{b.name} against {a.name}", f"{counts[1]}, {counts[0]}", *values)
    if not tested:
        yield _row("needs two runs or more of both", *[""] * 5)


def _costs(results: Results) -> Iterator[str]:
    columns = ("GMAC", "parameters", "bytes a clip", "training s", "clips/s", "GMAC/s", "of the peak")
    yield from _table("configuration", *columns)
    for config, runs in results.items():
        rate = median(_gmac_per_second(run) for run in runs)
        peaks = [run.peak_gmac_per_second for run in runs if run.peak_gmac_per_second]
        yield _row(
            config.name,
            f"{runs[0].gmac:.3f}",
            f"{runs[0].parameters:,}",
            f"{runs[0].bytes_per_clip:,}",
            f"{mean(run.seconds for run in runs):,.0f}",
            f"{median(run.clips_per_second for run in runs):.1f}",
            f"{rate:.0f}",
            f"{100 * rate / median(peaks):.0f} %" if peaks else "",
        )
    yield ""
    yield (
        "GMAC is one segment forward: 29.1 s for VGG-CNN, 3 s for MUSICNN. GMAC/s counts a training step as "
        f"{PASSES} forward passes; the peak is a product of large matrices in the training's precision on "
        "the same device, measured at the end of each run. Bytes a clip: 29.1 s in float32. What else ran at "
        "the time shows."
    )


def _estimate(results: Results) -> Iterator[str]:
    """Hours for 264 runs of VGG-CNN and 12 of MUSICNN on MagnaTagATune."""
    clips = 13 * USED["mtat"]["train"]
    work = {config: PASSES * clips * cost(config)[0] * (3 if config.arch == "vgg" else 1) for config in GRID}
    yield (
        "On MagnaTagATune, 13 epochs each, 264 runs of VGG-CNN and 12 of MUSICNN are "
        f"{sum(work[c] for c in GRID if c.arch == 'vgg') / 1e18:.2f} and "
        f"{sum(work[c] for c in GRID if c.arch == 'musicnn') / 1e18:.2f} times 10^18 multiply-accumulates."
    )
    yield ""
    yield from _table("at a rate of", "VGG-CNN", "MUSICNN")
    rates = {config: median(_gmac_per_second(run) for run in runs) for config, runs in results.items()}
    cells = []
    for arch in STUDY:
        known = [rate for config, rate in rates.items() if config.arch == arch]
        hours = (
            sum(work[c] / rates.get(c, median(known)) / 3.6e12 for c in GRID if c.arch == arch)
            if known
            else 0
        )
        cells.append(f"{hours:,.0f} h" if known else "")
    yield _row("what each configuration reached here, or the median where it was not run", *cells)
    for rate in (10, 50, 100):
        hours_at = [sum(work[c] for c in GRID if c.arch == arch) / rate / 3.6e15 for arch in STUDY]
        yield _row(
            f"{rate} TMAC/s, assumed of a GPU, not measured", *(f"{hours:,.1f} h" for hours in hours_at)
        )


def _pairs(results: Results, **change: tuple[int, int]) -> list[tuple[Config, Config]]:
    """Configurations that were both run and differ in one field, from its first value to its second."""
    ((field, (before, after)),) = change.items()
    return [
        (config, other)
        for config in results
        for other in results
        if asdict(other) == asdict(config) | {field: after} and getattr(config, field) == before
    ]


def _gmac_per_second(run: RunResult) -> float:
    return PASSES * run.gmac * run.clips_per_second


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def _published(published: Published | None, metric: str) -> str:
    if published is None:
        return ""
    deviation = getattr(published, f"{metric}_sd")
    return f"{getattr(published, metric):.2f}" + (f" ± {deviation:.2f}" if deviation is not None else "")


def _words(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _table(*columns: str) -> Iterator[str]:
    yield _row(*columns)
    yield "|" + "---|" * len(columns)


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
