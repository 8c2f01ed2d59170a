"""What the runs of a report took, and what the whole grid would take by the same recipe."""

from collections.abc import Iterator
from statistics import mean, median

from autotag.config import GRID, STUDY
from train.fit.plan import Plan, name_of
from train.fit.run import RunResult
from train.networks import cost
from train.report.figure import Results
from train.report.markdown import heading, row
from train.report.published import NAMES, USED

PASSES = 3
"""Multiply-accumulates of a training step, in forward passes: forward, and backward to input and weights."""

SEEDS = {"vgg": 3, "musicnn": 1}
"""Runs of each configuration in the study."""


def costs(results: Results) -> Iterator[str]:
    """Size and speed of each configuration; the peak is one for each device."""
    peaks = peak_of_devices(results)
    columns = ("GMAC", "parameters", "bytes a clip", "training s", "clips/s", "GMAC/s", "of the peak")
    yield from heading("configuration", *columns)
    for config, runs in results.items():
        rate = median(gmac_per_second(run) for run in runs)
        of_peak = [gmac_per_second(run) / peaks[_device(run)] for run in runs if _device(run) in peaks]
        yield row(
            config.name,
            f"{runs[0].gmac:.3f}",
            f"{runs[0].parameters:,}",
            f"{runs[0].bytes_per_clip:,}",
            f"{mean(run.seconds for run in runs):,.0f}",
            f"{median(run.clips_per_second for run in runs):.1f}",
            f"{rate:.0f}",
            f"{100 * median(of_peak):.0f} %" if of_peak else "",
        )
    yield ""
    for (device, precision), peak in peaks.items():
        yield f"- The peak of {device} in {precision}: {peak:,} GMAC/s."
    if peaks:
        yield ""
    yield (
        "GMAC is one segment forward: 29.1 s for VGG-CNN, 3 s for MUSICNN. GMAC/s counts a training step as "
        f"{PASSES} forward passes; the peak is a product of large matrices in the training's precision, "
        "measured once for each folder of runs, the highest of them. Bytes a clip: 29.1 s in "
        "float32. What else ran at the time shows."
    )


def estimate(results: Results) -> Iterator[str]:
    """Hours for the study's runs of each architecture, by the recipe of these."""
    first = next(iter(results.values()))[0]
    clips = USED.get(first.kind, first.clips)["train"]
    epochs = {arch: _epochs(results, arch) for arch in STUDY}
    work = {
        config: PASSES * clips * epochs[config.arch] * cost(config)[0] * SEEDS[config.arch] for config in GRID
    }
    whole = {arch: sum(work[config] for config in GRID if config.arch == arch) for arch in STUDY}
    counts = {arch: SEEDS[arch] * sum(config.arch == arch for config in GRID) for arch in STUDY}
    where = NAMES.get(first.kind, f"`{first.dataset}`")
    yield (
        f"On {where}, {clips:,} clips an epoch, {counts['vgg']} runs of VGG-CNN for {epochs['vgg']} epochs "
        f"and {counts['musicnn']} of MUSICNN for {epochs['musicnn']} are "
        f"{whole['vgg'] / 1e18:.2f} and {whole['musicnn'] / 1e18:.2f} times 10^18 multiply-accumulates."
    )
    yield ""
    yield from heading("at a rate of", "VGG-CNN", "MUSICNN")
    rates = {config: median(gmac_per_second(run) for run in runs) for config, runs in results.items()}
    cells = []
    for arch in STUDY:
        known = [rate for config, rate in rates.items() if config.arch == arch]
        hours = (
            sum(work[c] / rates.get(c, median(known)) / 3.6e12 for c in GRID if c.arch == arch)
            if known
            else 0
        )
        cells.append(f"{hours:,.0f} h" if known else "")
    yield row("what each configuration reached here, or the median where it was not run", *cells)
    for rate in (10, 50, 100):
        hours_at = [whole[arch] / rate / 3.6e15 for arch in STUDY]
        yield row(
            f"{rate} TMAC/s, assumed of a GPU, not measured", *(f"{hours:,.1f} h" for hours in hours_at)
        )


def _epochs(results: Results, arch: str) -> int:
    """Epochs of an architecture; where it was not run, those of that recipe's name or of the first one."""
    runs = [run for group in results.values() for run in group]
    own = [run.recipe.epochs for run in runs if run.config.arch == arch]
    name = name_of(runs[0].recipe, runs[0].config.arch, runs[0].kind)
    if own or not name:
        return (own or [runs[0].recipe.epochs])[0]
    return Plan(name).recipe(arch, runs[0].kind, 0).epochs


def gmac_per_second(run: RunResult) -> float:
    """10^9 multiply-accumulates a second while training."""
    return PASSES * run.gmac * run.clips_per_second


def peak_of_devices(results: Results) -> dict[tuple[str, str], int]:
    """The highest peak that a run measured, by device and precision."""
    peaks: dict[tuple[str, str], int] = {}
    for run in (run for runs in results.values() for run in runs):
        if run.peak_gmac_per_second:
            peaks[_device(run)] = max(run.peak_gmac_per_second, peaks.get(_device(run), 0))
    return peaks


def _device(run: RunResult) -> tuple[str, str]:
    return run.device, run.precision
