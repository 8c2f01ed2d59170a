"""The report on a folder of runs: Figure 1, Tables 4 and 5, and what the study concludes from them.

Figure 1 of the study is VGG-CNN on MagnaTagATune, Table 4 MUSICNN on MagnaTagATune, Table 5 both on the
Million Song Dataset.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import ttest_ind

from autotag.config import GRID, Config
from train.errors import RunError
from train.fit.plan import name_of
from train.fit.run import RunResult, all_results, write
from train.report.believed import believed
from train.report.costs import costs, estimate
from train.report.figure import METRICS, Results, figure_1, percent
from train.report.markdown import heading, row
from train.report.published import LISTED, NAMES, SCORES, USED, Published


def report(works: list[Path], out: Path) -> Path:
    """Write `report.md` on the complete runs under the folders `works`, and Figure 1 on the study's data.

    Raises:
        RunError: a folder has no complete run, or two data sets of one kind, or two recipes, are among them.
    """
    studies = collect(works)
    out.mkdir(parents=True, exist_ok=True)
    for ending in ("svg", "png") if {*studies} & {*NAMES} else ():
        figure_1(studies.get("mtat", {}), out / f"figure-1.{ending}")
    write(out / "report.md", "\n".join(_lines(studies)) + "\n")
    return out / "report.md"


def collect(works: list[Path]) -> dict[str, Results]:
    """The complete runs under some folders: by data set, by configuration in the grid's order.

    A data set is `"mtat"`, `"msd"`, or the name of another. Configurations outside the grid come last.
    """
    found: dict[str, defaultdict[Config, list[RunResult]]] = {}
    seen: dict[tuple[str, ...], tuple[object, Path]] = {}
    for run, outcome in (item for work in works for item in all_results(work).items()):
        kind = outcome.kind if outcome.kind in NAMES else outcome.dataset
        recipe = replace(outcome.recipe, seed=0)
        for key, value in (((kind,), outcome.study), ((kind, outcome.config.arch), recipe)):
            other, where = seen.setdefault(key, (value, run))
            if other != value:
                raise RunError(
                    f"{where} and {run} differ in data set or recipe, where a report is on one of each. "
                    "Give them --work folders of their own."
                )
        found.setdefault(kind, defaultdict(list))[outcome.config].append(replace(outcome, folder=run))
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
    if {*studies} & {*NAMES}:
        yield from _beside_the_study(studies.get("mtat", {}), studies.get("msd", {}))
    for name, results in studies.items():
        rest = results if name not in NAMES else {config: results[config] for config in _others(results)}
        if rest:
            yield from ("", f"## {'Outside the grid of the study' if name in NAMES else f'`{name}`'}")
        for arch in dict.fromkeys(config.arch for config in rest):
            yield ""
            yield from _scores(results, arch, name)
    for title, lines in (
        ("What the study concludes, here", _conclusions),
        ("48 bands against 96: independent-samples t-test", _t_tests),
        ("What one may believe of it", believed),
        ("Cost", costs),
        ("The whole study from these figures", estimate),
    ):
        for results in studies.values():
            where = f": {_title(_first(results))}" if len(studies) > 1 else ""
            yield from ("", f"## {title}{where}", "")
            yield from lines(results)


def _beside_the_study(mtat: Results, msd: Results) -> Iterator[str]:
    """Figure 1, Tables 4 and 5."""
    yield from ("", "## Figure 1: VGG-CNN on MagnaTagATune", "")
    yield from ("![ROC AUC, PR AUC and GMAC by resolution](figure-1.svg)", "")
    yield from _scores(mtat, "vgg", "mtat")
    yield from ("", "## Table 4: MUSICNN on MagnaTagATune", "")
    yield from _scores(mtat, "musicnn", "mtat")
    yield from ("", "## Table 5: the Million Song Dataset", "")
    yield from _scores(msd, "vgg", "msd")
    yield ""
    yield from _scores(msd, "musicnn", "msd")


def _title(run: RunResult) -> str:
    """Which data it is, and that it is not what it looks like, or not all of it."""
    clips = " / ".join(f"{run.clips[split]:,}" for split in ("train", "valid", "test"))
    if run.kind not in NAMES:
        return f"`{run.dataset}`, {clips} clips"
    if run.clips == USED[run.kind]:
        return f"The study on {NAMES[run.kind]}"
    if run.listed == LISTED[run.kind]:
        return f"A part of {NAMES[run.kind]}: the study on {clips} clips"
    return f"Not {NAMES[run.kind]}: the study on `{run.dataset}`, {clips} clips"


def _about(results: Results) -> Iterator[str]:
    first = _first(results)
    runs = [run for group in results.values() for run in group]
    if first.kind in NAMES and first.clips != USED[first.kind]:
        yield (
            f"**The study used other clips, of {NAMES[first.kind]}: {_words(USED[first.kind])}. "
            "The differences to the published ones say nothing of a reproduction.**"
        )
        yield ""
    yield f"- Clips: {_words(first.clips)}; listed: {_words(first.listed)}."
    outside = len(_others(results))
    yield (
        f"- {len(runs)} runs of {len(results) - outside} of {len(GRID)} configurations"
        + (f", and of {outside} outside the study's grid." if outside else ".")
    )
    yield from _recipes(runs)
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
    if {run.stored for run in runs} != {"float32"}:
        kept = ", ".join(sorted({run.stored for run in runs}))
        yield f"- The mel cache that they were trained on kept its values in {kept}."
    yield f"- Device: {'; '.join(sorted({run.device for run in runs}))}."
    yield f"- Code: {', '.join(sorted({run.commit for run in runs}))}."


def _recipes(runs: list[RunResult]) -> Iterator[str]:
    """The recipe of each architecture; one line where all have the same."""
    found: dict[str, list[str]] = {}
    for run in runs:
        name = name_of(run.recipe, run.config.arch, run.kind)
        chosen = {field: value for field, value in run.recipe.to_dict().items() if field != "seed"}
        line = f"Recipe (`{name}`)" if name else "Recipe (none of those with a name)"
        found.setdefault(f"{line}: {_words(chosen)}.", []).append(run.config.arch)
    for line, archs in found.items():
        yield f"- {line}" if len(found) == 1 else f"- {archs[0]}: {line}"


def _first(results: Results) -> RunResult:
    return next(iter(results.values()))[0]


def _scores(results: Results, arch: str, kind: str) -> Iterator[str]:
    """Published value, ours and the difference, for what was run or published."""
    yield from heading("configuration", "runs", *(f"{m} {w}" for m in METRICS.values() for w in _CELLS))
    for config in (*GRID, *_others(results)):
        published = SCORES.get(kind, {}).get(config.name)
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
        yield row(config.name, len(runs), *cells)


_CELLS = ("published", "here", "difference")


def _conclusions(results: Results) -> Iterator[str]:
    """Pairs of resolutions that the study compares, with what the second loses to the first."""
    yield from heading(
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
        yield row(what, f"{a.name} → {b.name}", *cells)
    if not pairs:
        yield row("none of the pairs was run")


def _t_tests(results: Results) -> Iterator[str]:
    yield from heading("configurations", "runs", *(f"{m} {w}" for m in METRICS.values() for w in ("t", "p")))
    tested = False
    for a, b in _pairs(results, mels=(96, 48)):
        counts = len(results[a]), len(results[b])
        if min(counts) > 1:
            tested = True
            tests = [ttest_ind(percent(results[b], m), percent(results[a], m)) for m in METRICS]
            values = [f"{value:.3f}" for test in tests for value in (test.statistic, test.pvalue)]
            yield row(f"{b.name} against {a.name}", f"{counts[1]}, {counts[0]}", *values)
    if not tested:
        yield row("needs two runs or more of both", *[""] * 5)


def _pairs(results: Results, **change: tuple[int, int]) -> list[tuple[Config, Config]]:
    """Configurations that were both run and differ in one field, from its first value to its second."""
    ((field, (before, after)),) = change.items()
    return [
        (config, other)
        for config in results
        for other in results
        if asdict(other) == asdict(config) | {field: after} and getattr(config, field) == before
    ]


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
