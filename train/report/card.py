"""The card of a folder of models, from their manifest and from what is measured of them here."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autotag.config import DEFAULT
from autotag.models.registry import ModelFile, manifest
from autotag.system.machine import processor
from train.data import read
from train.family import BUNDLED, PRETRAINING
from train.fit.run import write
from train.measure.intervals import ends, holm, p_value
from train.measure.robustness import CONDITIONS
from train.report.measured import measure
from train.report.reliability import diagram

TEMPLATE = Path(__file__).with_name("card.md")

METRICS = {
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "top5": "top 5",
    "first3": "first tag in our three",
    "known3": "known tag in our three",
}
"""What is shown of each vocabulary."""

KINDS = ("genre", "instrument", "voice", "mood", "tempo", "era", "other")


def card(models: Path, root: Path, audio: str | None, cache: Path) -> Path:
    """Measure the models of a folder that have changed since, time them all, and write its `README.md`.

    Raises:
        DataError, RunError, ModelError: as the measurements do.
    """
    files = in_order(manifest(models))
    measured = measure(files, models, read(root, "soft-all", audio), cache)
    text = TEMPLATE.read_text("utf-8")
    for name, table in TABLES.items():
        text = text.replace(f"{{{name}}}", table(files, measured))
    diagram(measured[_default(files).name]["reliability"], models / "reliability.svg")
    write(models / "README.md", text.replace("{machine}", processor()))
    return models / "README.md"


def in_order(files: Iterable[ModelFile]) -> list[ModelFile]:
    """The files with most outputs first, then the largest."""
    return sorted(files, key=lambda file: (-len(file.metadata.outputs), -file.metadata.gmac))


def _scores(files: list[ModelFile], measured: dict[str, Any]) -> str:
    """A row for each vocabulary of each model."""
    rows = []
    for file in files:
        for vocabulary in file.metadata.vocabularies:
            found, ends = _of(measured[file.name]["test"], vocabulary), measured[file.name]["intervals"]
            cells = (_with_interval(found, ends[vocabulary], metric) for metric in METRICS)
            rows.append((file.name, vocabulary, *cells))
    return _table(("model", "vocabulary", *METRICS.values()), rows)


def _validation(files: list[ModelFile], measured: dict[str, Any]) -> str:
    rows = []
    for file in files:
        for vocabulary in file.metadata.vocabularies:
            found = _of(measured[file.name]["valid"], vocabulary)
            rows.append((file.name, vocabulary, *(_number(found.get(metric), metric) for metric in METRICS)))
    return _table(("model", "vocabulary", *METRICS.values()), rows)


def _cost(files: list[ModelFile], measured: dict[str, Any]) -> str:
    rows = []
    for file in files:
        fp32, int8 = (file.metadata.metrics[precision]["test"]["roc_auc"] for precision in ("fp32", "int8"))
        rows.append(
            (
                *(file.name, f"{file.metadata.gmac:.2f}", f"{file.bytes / 1e6:.1f}"),
                *(f"{measured[file.name]['ms']:.1f}", f"{int8 - fp32:+.4f}"),
            )
        )
    return _table(("model", "GMAC", "MB", "ms", "ROC AUC of INT8 against fp32"), rows)


def _kinds(files: list[ModelFile], measured: dict[str, Any]) -> str:
    rows = [
        (file.name, *(_number(measured[file.name]["kinds"].get(kind), "roc_auc") for kind in KINDS))
        for file in files
    ]
    return _table(("model", *KINDS), rows)


def _sources(files: list[ModelFile], measured: dict[str, Any]) -> str:
    """By kind of source, for the default model."""
    rows = [
        (kind, vocabulary, str(found["clips"]), *(_number(found.get(metric), metric) for metric in METRICS))
        for kind, by in measured[_default(files).name]["sources"].items()
        for vocabulary, found in by.items()
    ]
    return _table(("kind of source", "vocabulary", "clips", *METRICS.values()), rows)


def _differences(files: list[ModelFile], measured: dict[str, Any]) -> str:
    """Each model against the best one of its vocabulary, for those whose resamples are kept."""
    rows = []
    vocabularies = dict.fromkeys(v for file in files for v in file.metadata.vocabularies)
    for vocabulary in vocabularies:
        kept = {
            file.name: found[vocabulary]
            for file in files
            if vocabulary in (found := measured[file.name].get("resampled", {}))
        }
        for metric in ("roc_auc", "pr_auc"):
            found = {name: _of(measured[name]["test"], vocabulary)[metric] for name in kept}
            if len(found) < 2:
                continue
            best = max(found, key=lambda name: found[name])
            others = [name for name in found if name != best]
            drawn = [np.subtract(kept[name][metric], kept[best][metric]) for name in others]
            p = holm([p_value(found[name] - found[best], d) for name, d in zip(others, drawn, strict=True)])
            for name, values, corrected in zip(others, drawn, p, strict=True):
                low, high = ends(values)
                difference = f"{found[name] - found[best]:+.3f} ({low:+.3f} to {high:+.3f})"
                rows.append((name, best, vocabulary, METRICS[metric], difference, f"{corrected:.3f}"))
    heading = ("model", "against", "vocabulary", "metric", "difference", "p")
    return _table(heading, rows) if rows else "No resamples are kept of two models: measure them again."


def _tags(files: list[ModelFile], measured: dict[str, Any]) -> str:
    """Every tag of the default model."""
    default = _default(files)
    uncalibrated = {tuple(output) for output in default.metadata.uncalibrated}
    rows = [
        (
            *(vocabulary, tag, str(count)),
            *(_with_ends(*pair) for pair in zip((roc, pr), both or (None, None), strict=True)),
            "" if (vocabulary, tag) in uncalibrated else "yes",
        )
        for vocabulary, tag, count, roc, pr, *both in measured[default.name]["tags"]
    ]
    return _table(("vocabulary", "tag", "clips", "ROC AUC", "PR AUC", "calibrated"), rows)


def _reliability(files: list[ModelFile], measured: dict[str, Any]) -> str:
    return _table(
        ("score", "pairs of clip and tag", "mean score", "share that has the tag", "95 % interval"),
        [
            (
                f"{low:.1f} to {low + 0.1:.1f}",
                str(pairs),
                f"{mean:.2f}",
                f"{share:.2f}",
                f"{a:.2f} to {b:.2f}",
            )
            for low, pairs, mean, share, a, b in measured[_default(files).name]["reliability"]
        ],
    )


def _robustness(files: list[ModelFile], measured: dict[str, Any]) -> str:
    conditions = ("as it is", *CONDITIONS)
    rows = []
    for file in files:
        found = measured[file.name]["robustness"]
        if found:
            rows.append((file.name, *(f"{found[c]['roc_auc']:.3f}" for c in conditions)))
    return _table(("model", *conditions), rows)


def _sounds(files: list[ModelFile], measured: dict[str, Any]) -> str:
    found = {file.name: measured[file.name]["sounds"] for file in files}
    sounds = list(dict.fromkeys(sound for said in found.values() for sound in said))
    rows = [
        (
            name,
            *(
                f"{said[sound][0][0]} {said[sound][0][1]:.2f}" if said.get(sound) else "refused"
                for sound in sounds
            ),
        )
        for name, said in found.items()
    ]
    return _table(("model", *sounds), rows)


def _training(files: list[ModelFile], measured: dict[str, Any]) -> str:
    rows = []
    for file in files:
        training = file.metadata.training
        recipe = training["recipe"]
        rows.append(
            (
                *(file.name, recipe["labels"], recipe["start"] or "", str(recipe["epochs"])),
                *(f"{recipe['rate']:g}", str(training["clips"]["train"]), f"{training['seconds']:.0f}"),
                *(training["device"], file.metadata.commit),
            )
        )
    there = {*PRETRAINING, *(file.name for file in files)}
    missing = [name for name in BUNDLED if name not in there]
    heading = (
        "model",
        "labels",
        "starts from",
        "epochs",
        "rate",
        "clips",
        "seconds",
        "on",
        "at commit",
    )
    table = _table(heading, rows)
    return table + (f"\n\nNot trained yet: {', '.join(missing)}." if missing else "")


def _of(metrics: dict[str, Any], vocabulary: str) -> dict[str, float]:
    """The metrics of a vocabulary, which stand alone where there is no other."""
    found: dict[str, float] = metrics.get(vocabulary, metrics)
    return found


def _with_interval(found: dict[str, float], ends: dict[str, list[float]], metric: str) -> str:
    if metric not in found:
        return ""
    return _with_ends(found[metric], ends[metric], metric)


def _with_ends(value: float | None, both: list[float] | None, metric: str = "roc_auc") -> str:
    """A figure, and in parentheses its interval where there is one."""
    if not both:
        return _number(value, metric)
    low, high = (_number(end, metric) for end in both)
    return f"{_number(value, metric)} ({low} to {high})"


def _number(value: float | None, metric: str) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if metric in ("roc_auc", "pr_auc") else f"{value:.2f}"


def _default(files: list[ModelFile]) -> ModelFile:
    """The model that autotag uses by default, or the first one."""
    return next((file for file in files if file.name == DEFAULT.name), files[0])


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


TABLES: dict[str, Callable[[list[ModelFile], dict[str, Any]], str]] = {
    "scores": _scores,
    "validation": _validation,
    "cost": _cost,
    "kinds": _kinds,
    "sources": _sources,
    "differences": _differences,
    "tags": _tags,
    "reliability": _reliability,
    "robustness": _robustness,
    "sounds": _sounds,
    "training": _training,
}
"""What `card.md` names in braces."""
