"""What trained models say of spectrograms of fewer bits: accuracy against bytes, as a table and a figure.

The study leaves open how far the values of a mel-spectrogram can be quantised, beside its bands and frames.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autotag.audio.mel import Array
from autotag.config import Config
from autotag.meaning import Output
from autotag.models.model import Model
from autotag.models.registry import ModelFile
from train.console import progress
from train.data.cache import mel_power, training_segments
from train.data.dataset import Dataset
from train.data.quantised import RANGES, TAILS, Quantiser
from train.errors import RunError
from train.fit.run import all_results, write
from train.measure.evaluate import clip_scores, metrics_of
from train.measure.intervals import ends
from train.measure.uncertain import drawn_are, means
from train.report.believed import Kept
from train.report.figure import METRICS
from train.report.markdown import heading, row

BITS = (8, 7, 6, 5, 4, 3, 2, 1)

WHOLE = 32
"""Bits of a value as it is."""

BY_BAND, FIXED, TRAINED = "by band", "fixed", "trained"

SEGMENTS = 256
"""Training clips, at most, that the ranges of the bands are read from."""

MEASURED = "quantised.json"
"""In the folder of the page: the figures by model, range and bits, so that an interrupted command goes on."""


Figures = dict[str, dict[str, Any]]


def quantised(
    files: list[ModelFile], dataset: Dataset, cache: Path, out: Path, works: Sequence[Path] = ()
) -> Path:
    """Measure models on the test split at each number of bits, and write `quantised.md` and its figure.

    Only the outputs that the labels and all models have are measured.

    Args:
        works: folders of runs that were trained on few bits, and on whole values to compare them with.

    Raises:
        RunError: the models and labels have no output in common, a folder has no run, or a run has other
            clips or tags.
    """
    outputs = [Output(*output) for output in dataset.outputs]
    common = [o for o in outputs if all(o in file.metadata.outputs for file in files)]
    if not common:
        raise RunError(
            "These models and labels have no tag in common. Choose others with --only or --labels."
        )
    out.mkdir(parents=True, exist_ok=True)
    path = out / MEASURED
    found: Figures = json.loads(path.read_text("utf-8")) if path.exists() else {}
    clips = dataset.fingerprint(dataset.present)
    wanted = {}
    for file in files:
        for kind, bits in [("", WHOLE), *((kind, bits) for kind in (FIXED, BY_BAND) for bits in BITS)]:
            key = f"{file.name} {kind} {bits}"
            stamp = {"sha256": file.sha256, "clips": clips, "tags": len(common)}
            wanted[key] = (file, kind, bits, stamp)
    missing = {key: job for key, job in wanted.items() if not job[3].items() <= found.get(key, {}).items()}
    for key, (file, kind, bits, stamp) in progress(missing.items(), "bits", len(missing)):
        whole = found[f"{file.name}  {WHOLE}"] if kind else {}
        found[key] = stamp | _measured(file, kind, bits, dataset, common, cache, whole)
        write(path, json.dumps(found, indent=1) + "\n")
    shown = {key: found[key] for key in wanted} | _trained(works, dataset, common, cache)
    for ending in ("svg", "png"):
        _draw(shown, out / f"quantised.{ending}")
    write(out / "quantised.md", "\n".join(_lines(shown, files, dataset, len(common))) + "\n")
    return out / "quantised.md"


def _measured(
    file: ModelFile,
    kind: str,
    bits: int,
    dataset: Dataset,
    common: list[Output],
    cache: Path,
    whole: dict[str, Any],
) -> dict[str, Any]:
    """Metrics of a model at some bits, and how far they are from those of its whole values."""
    config, model = file.metadata.config, Model(file.path, 1, file.sha256)
    power, usable = mel_power(dataset, config, cache)
    rows = dataset.rows("test", usable)
    change = _quantiser(kind, bits, dataset, config, cache)
    scores = clip_scores(lambda cut: model(change(cut))[0], config, power, rows)
    return _figures(
        config, kind, bits, dataset, rows, scores[:, _columns(file.metadata.outputs, common)], common, whole
    )


def _trained(works: Sequence[Path], dataset: Dataset, common: list[Output], cache: Path) -> Figures:
    """Metrics of complete runs, and how far they are from those of the run on whole values."""
    runs = [
        (outcome.recipe.bits, outcome.config, run)
        for work in works
        for run, outcome in all_results(work).items()
        if run.parent.name == outcome.config.name  # not one that others begin with
    ]
    found: Figures = {}
    for bits, config, run in sorted(runs, key=lambda job: (job[1].name, job[0])):
        rows = dataset.rows("test", mel_power(dataset, config, cache)[1])
        kept = Kept.of(run)
        if kept is None or kept.scores.shape != (len(rows), len(dataset.outputs)):
            raise RunError(
                f"{run}: its scores are of other clips or tags. Ask with the --labels it learned from."
            )
        scores = kept.scores[:, _columns(dataset.outputs, common)]
        whole = found.get(f"{config.name} {TRAINED} {WHOLE}", {})
        key = f"{config.name} {TRAINED} {bits or WHOLE}"
        found[key] = _figures(config, TRAINED, bits or WHOLE, dataset, rows, scores, common, whole)
    return found


def _columns(outputs: Sequence[tuple[str, str]], wanted: list[Output]) -> list[int]:
    return [list(outputs).index(output) for output in wanted]


def _figures(
    config: Config,
    kind: str,
    bits: int,
    dataset: Dataset,
    rows: NDArray[np.intp],
    scores: Array,
    outputs: list[Output],
    whole: dict[str, Any],
) -> dict[str, Any]:
    """Metrics of scores [rows, outputs], and how far they are from those of whole values."""
    own = dataset.with_columns(_columns(dataset.outputs, outputs))
    metrics, drawn = metrics_of(own, rows, scores), means(own, rows, scores)
    figures: dict[str, Any] = {"config": config.name, "range": kind, "bits": bits}
    for name in METRICS:
        figures[name] = round(metrics[name], 4)
        figures[f"{name} interval"] = _rounded(ends(np.array(drawn[name])))
        if whole:
            figures[f"{name} lost"] = round(whole[name] - metrics[name], 4)
            lost = np.subtract(whole["drawn"][name], drawn[name])
            figures[f"{name} lost interval"] = _rounded(ends(lost))
    return figures if whole else figures | {"drawn": drawn}


def _quantiser(
    kind: str, bits: int, dataset: Dataset, config: Config, cache: Path
) -> Callable[[Array], Array]:
    """What becomes of log-mel segments [n, mels, frames]."""
    if kind == FIXED:
        return Quantiser.fixed(bits, config.log)
    if kind == BY_BAND:
        return Quantiser.by_band(bits, training_segments(dataset, config, cache, SEGMENTS))
    return lambda mel: mel


def bytes_of(config: Config, bits: int) -> int:
    """What the spectrogram of one segment takes, 29.1 s of VGG-CNN's."""
    return -(-config.mels * config.frames * bits // 8)


def front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (bytes, accuracy) that no other one beats, the smallest first.

    >>> front([(3, 0.9), (1, 0.8), (2, 0.7), (4, 0.9)])
    [(1, 0.8), (3, 0.9)]
    """
    best: list[tuple[float, float]] = []
    for size, worth in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or worth > best[-1][1]:
            best.append((size, worth))
    return best


def _points(figures: Figures, metric: str) -> list[tuple[float, float]]:
    return [(bytes_of(Config.parse(f["config"]), f["bits"]), f[metric]) for f in figures.values()]


def _lines(figures: Figures, files: list[ModelFile], dataset: Dataset, tags: int) -> Iterator[str]:
    rows = np.flatnonzero(dataset.present & (dataset.split == "test"))
    yield from ("# Spectrograms of fewer bits", "")
    low, high = RANGES["db"]
    below, above = 100 * TAILS[0], 100 * (1 - TAILS[1])
    yield (
        "Written by `python -m train quantise`. A uniform quantiser keeps each value of a log-mel "
        f"spectrogram in so many bits; the models were trained on values of {WHOLE} bits and know no other. "
        f"*fixed*: one range for all bands, {low:g} to {high:g} dB. *by band*: each band's own, which "
        f"{below:.1f} % of the training clips' values are below and {above:.1f} % above. *trained*: a "
        "network that was trained on so few bits of the fixed range, against one trained alike on whole "
        f"values. Bytes are of 29.1 s. Test split of `{dataset.name}`: {drawn_are(dataset, rows)}, {tags} "
        "tags; in parentheses the 95 % interval, of what is lost that of pairs."
    )
    yield from ("", "![ROC AUC against bytes, with the Pareto front](quantised.svg)", "")
    on_front = {metric: {*front(_points(figures, metric))} for metric in METRICS}
    cells = [what for title in METRICS.values() for what in (title, f"{title} lost")]
    yield from heading("model", "range", "bits", "bytes", *cells, "on the front of")
    for key, found in figures.items():
        size = bytes_of(Config.parse(found["config"]), found["bits"])
        fronts = [title for m, title in METRICS.items() if (size, found[m]) in on_front[m]]
        values = []
        for metric in METRICS:
            values.append(f"{found[metric]:.3f} {_words(found[f'{metric} interval'])}")
            lost = found.get(f"{metric} lost")
            values.append(
                "" if lost is None else f"{lost:+.3f} {_words(found[f'{metric} lost interval'], '+')}"
            )
        yield row(key.split()[0], found["range"], found["bits"], f"{size:,}", *values, ", ".join(fronts))
    yield ""
    yield f"Models: {', '.join(f'{file.name} {file.sha256[:8]}' for file in files)}."


def _draw(figures: Figures, path: Path) -> None:
    """Both metrics against bytes: a line a model, by range, and the Pareto front of all."""
    with matplotlib.rc_context({"svg.hashsalt": "1", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(11, 5), layout="constrained")
        for panel, (metric, title) in zip(figure.subplots(1, 2), METRICS.items(), strict=True):
            names = dict.fromkeys(found["config"] for found in figures.values())
            for place, name in enumerate(names):
                config = Config.parse(name)
                for kind, style in ((FIXED, "o-"), (BY_BAND, "s--"), (TRAINED, "^:")):
                    kinds = (kind,) if kind == TRAINED else ("", kind)
                    own = [f for f in figures.values() if f["config"] == name and f["range"] in kinds]
                    panel.plot(
                        [bytes_of(config, found["bits"]) for found in own],
                        [found[metric] for found in own],
                        style,
                        color=f"C{place}",
                        markersize=3,
                        linewidth=0.8,
                        label=f"{config.mels} x{config.hop}" if kind == FIXED else None,
                    )
            best = front(_points(figures, metric))
            panel.step(*zip(*best, strict=True), where="post", color="black", zorder=0, label="Pareto front")
            panel.set(xscale="log", xlabel="bytes of 29.1 s", ylabel=f"{title}, test")
            panel.grid(alpha=0.3)
        panel.legend(title="bands, hop; solid fixed, dashed by band, dotted trained")
        figure.savefig(path, dpi=100, metadata={"Date": None} if path.suffix == ".svg" else None)


def _rounded(both: tuple[float, float]) -> list[float]:
    return [round(end, 4) for end in both]


def _words(both: list[float], sign: str = "") -> str:
    return f"({both[0]:{sign}.3f} to {both[1]:{sign}.3f})"
