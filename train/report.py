"""The report on a folder of runs: Figure 1, Tables 4 and 5, and what the study concludes from them.

Figure 1 of the study is VGG-CNN on MagnaTagATune, Table 4 MUSICNN on MagnaTagATune, Table 5 both on the
Million Song Dataset.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any, cast

from scipy.stats import ttest_ind

from autotag.config import GRID, RESOLUTIONS, Config
from train.architectures import cost
from train.errors import RunError
from train.figure import METRICS, Results, figure_1, percent
from train.published import CLIPS, NAMES, SCORES, Published
from train.runs import all_results, write

PASSES = 3
"""Multiply-accumulates of a training step, in forward passes: forward, and backward to input and weights."""


def report(work: Path, out: Path) -> Path:
    """Write `report.md`, `figure-1.svg` and `figure-1.png` on the complete runs under `work`.

    Raises:
        RunError: there is no complete run, or runs of several data sets or recipes stand side by side.
    """
    results = collect(work)
    out.mkdir(parents=True, exist_ok=True)
    for ending in ("svg", "png"):
        figure_1(results, out / f"figure-1.{ending}")
    write(out / "report.md", "\n".join(_lines(results)) + "\n")
    return out / "report.md"


def collect(work: Path) -> Results:
    """The complete runs under `work`, by configuration in the order of the grid."""
    found: defaultdict[Config, list[dict[str, Any]]] = defaultdict(list)
    kinds: dict[str, Path] = {}
    for run, outcome in all_results(work).items():
        found[Config.parse(outcome["config"])].append(outcome)
        recipe = {key: value for key, value in outcome["recipe"].items() if key != "seed"}
        kinds.setdefault(repr((outcome["dataset"], outcome["clips"], recipe)), run)
    if len(kinds) > 1:
        one, other, *_ = kinds.values()
        raise RunError(
            f"{work}: {one} and {other} differ in data set or recipe: a report is on one of each, so give "
            "them --work folders of their own"
        )
    return {config: found[config] for config in GRID if config in found}


def _lines(results: Results) -> Iterator[str]:
    first = next(iter(results.values()))[0]
    kind = first["dataset"]["kind"]
    genuine = first["listed"] == CLIPS[kind]
    clips = " / ".join(f"{first['clips'][split]:,}" for split in ("train", "valid", "test"))
    recipe = {key: value for key, value in first["recipe"].items() if key != "seed"}
    runs = [run for group in results.values() for run in group]

    if genuine:
        yield f"# The study on {NAMES[kind]}"
    else:
        yield f"# Not {NAMES[kind]}: the study on `{first['dataset']['name']}`, {clips} clips"
        yield ""
        yield (
            f"**This data set only has the layout of {NAMES[kind]}, which lists "
            f"{' / '.join(f'{n:,}' for n in CLIPS[kind].values())} clips. Its scores do not compare with the "
            "published ones, which stand beside them for their order alone.**"
        )
    yield ""
    yield f"- Clips to train on / validate on / test on: {clips}; listed: {_words(first['listed'])}."
    yield f"- {len(runs)} runs of {len(results)} of {len(GRID)} configurations; {_words(recipe)}."
    yield (
        "- Scores are those of the test split, in percent, at the epoch with the lowest validation loss; "
        "± is the standard deviation over runs."
    )
    for split, tags in first["undefined"].items():
        if tags:
            yield (
                f"- In the {split} split {len(tags)} tags have no AUC, because all clips have them or none, "
                f"and the mean is over the others: {', '.join(tags)}."
            )
    yield f"- Device: {'; '.join(sorted({run['device'] for run in runs}))}."
    yield f"- Code: {', '.join(sorted({run['commit'] for run in runs}))}."

    yield from ("", "## Figure 1: VGG-CNN", "", "![ROC AUC, PR AUC and GMAC by resolution](figure-1.svg)", "")
    yield from _scores(results if kind == "mtat" else {}, "vgg", "mtat", genuine)
    yield from ("", "## Table 4: MUSICNN on MagnaTagATune", "")
    yield from _scores(results if kind == "mtat" else {}, "musicnn", "mtat", genuine)
    yield from ("", "## Table 5: the Million Song Dataset", "")
    for arch in RESOLUTIONS:
        yield from _scores(results if kind == "msd" else {}, arch, "msd", genuine)
        yield ""
    yield from ("## What the study concludes, here", "")
    yield from _conclusions(results)
    yield from ("", "## 48 bands against 96: independent-samples t-test", "")
    yield from _t_tests(results)
    yield from ("", "## Cost", "")
    yield from _costs(results)
    yield from ("", "## The whole study from these figures", "")
    yield from _estimate(results)


def _scores(results: Results, arch: str, kind: str, genuine: bool) -> Iterator[str]:
    """Published value, ours and the difference, for what was run or published."""
    yield from _table("configuration", "runs", *(f"{m} {w}" for m in METRICS.values() for w in _CELLS))
    for config in GRID:
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
    if results and not genuine:
        yield ""
        yield "The differences are between different data sets: they say nothing of a reproduction."


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
        rate, peak = (
            median(_gmac_per_second(run) for run in runs),
            median(run["peak_gmac_per_second"] for run in runs),
        )
        yield _row(
            config.name,
            f"{runs[0]['gmac']:.3f}",
            f"{runs[0]['parameters']:,}",
            f"{runs[0]['bytes_per_clip']:,}",
            f"{mean(run['seconds'] for run in runs):,.0f}",
            f"{median(run['clips_per_second'] for run in runs):.1f}",
            f"{rate:.0f}",
            f"{100 * rate / peak:.0f} %",
        )
    yield ""
    yield (
        "GMAC is one segment forward: 29.1 s for VGG-CNN, 3 s for MUSICNN. GMAC/s counts a training step as "
        f"{PASSES} forward passes; the peak is a product of large bfloat16 matrices on the same device, "
        "measured at the end of each run. Bytes a clip: 29.1 s in float32. What else ran at the time shows."
    )


def _estimate(results: Results) -> Iterator[str]:
    clips = CLIPS["mtat"]["train"] * 13
    work = {
        arch: seeds * PASSES * clips * sum(cost(config)[0] for config in GRID if config.arch == arch)
        for arch, seeds in (("vgg", 3), ("musicnn", 1))
    }
    yield (
        "264 runs of VGG-CNN and 12 of MUSICNN, 13 epochs of MagnaTagATune's 18,709 clips each, are "
        f"{work['vgg'] / 1e18:.2f} and {work['musicnn'] / 1e18:.2f} times 10^18 multiply-accumulates."
    )
    yield ""
    yield from _table("at a rate of", "VGG-CNN", "MUSICNN")
    for arch in RESOLUTIONS:
        rates = [
            _gmac_per_second(run) for config, runs in results.items() for run in runs if config.arch == arch
        ]
        if rates:
            rate = median(rates)
            cells = [f"{work[a] / rate / 3.6e12:,.0f} h" if a == arch else "" for a in RESOLUTIONS]
            yield _row(f"{rate / 1000:.2f} TMAC/s, the median here for {arch}", *cells)
    for rate in (10, 50, 100):
        cells = [f"{work[arch] / rate / 3.6e15:,.1f} h" for arch in RESOLUTIONS]
        yield _row(f"{rate} TMAC/s, sustained by a GPU (assumed, not measured)", *cells)


def _pairs(results: Results, **change: tuple[int, int]) -> list[tuple[Config, Config]]:
    """Configurations that were both run and differ in one field, from its first value to its second."""
    ((field, (before, after)),) = change.items()
    return [
        (config, other)
        for config in results
        for other in results
        if getattr(other, field) == after and config == replace(other, **cast(Any, {field: before}))
    ]


def _gmac_per_second(run: dict[str, Any]) -> float:
    return float(PASSES * run["gmac"] * run["clips_per_second"])


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
