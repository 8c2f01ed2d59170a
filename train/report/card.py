"""The card of a folder of models, from their manifest and from what is measured of them here."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autotag.config import DEFAULT
from autotag.models.model import Model
from autotag.models.registry import Entry, manifest
from autotag.speed.measure import clip_ms
from autotag.system.machine import processor
from autotag.tagger import Tagger
from train.data import read
from train.data.cache import mel_power
from train.family import FAMILY, ROOTS
from train.fit.run import write
from train.measure.metrics import GROUPS
from train.measure.robustness import CONDITIONS, robustness
from train.measure.sounds import heard

MEASURED = "measured.json"
"""Beside the manifest: by model, the sha256 of what was measured, and the figures."""

TEMPLATE = Path(__file__).with_name("card.md")

ROUNDS = 15
"""Times that each model is timed, in turns with all others."""


def card(models: Path, root: Path, audio: str | None, cache: Path) -> Path:
    """Measure the models of a folder that have changed since, time them all, and write its `README.md`.

    Raises:
        DataError, RunError, ModelError: as the measurements do.
    """
    entries = sorted(manifest(models), key=lambda e: (e.metadata.vocabulary, -e.metadata.gmac))
    path = models / MEASURED
    measured: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for vocabulary in dict.fromkeys(entry.metadata.vocabulary for entry in entries):
        new = [
            entry
            for entry in entries
            if entry.metadata.vocabulary == vocabulary
            and measured.get(entry.metadata.name, {}).get("sha256") != entry.sha256
        ]
        if new:
            for entry, figures in zip(new, _measure(new, root, audio, cache), strict=True):
                measured[entry.metadata.name] = {"sha256": entry.sha256} | figures
            write(path, json.dumps(measured, indent=1))
    for entry, milliseconds in zip(entries, clip_ms(entries, ROUNDS, 1, "model"), strict=True):
        measured[entry.metadata.name]["ms"] = round(milliseconds, 2)
    kept = {entry.metadata.name: measured[entry.metadata.name] for entry in entries}
    write(path, json.dumps(kept, indent=1) + "\n")
    text = TEMPLATE.read_text("utf-8")
    for name, table in TABLES.items():
        text = text.replace(f"{{{name}}}", table(entries, kept))
    write(models / "README.md", text.replace("{machine}", processor()))
    return models / "README.md"


def _measure(entries: list[Entry], root: Path, audio: str | None, cache: Path) -> list[dict[str, Any]]:
    """Robustness and known sounds, of models of one vocabulary."""
    dataset = read(root, entries[0].metadata.training["recipe"]["labels"], audio)
    loaded = [Model(entry.path, sha256=entry.sha256) for entry in entries]
    _, usable = mel_power(dataset, entries[0].metadata.config, cache)
    disturbed = robustness(loaded, dataset, usable)
    said = heard([Tagger(entry.path) for entry in entries])
    return [{"robustness": a, "sounds": b} for a, b in zip(disturbed, said, strict=True)]


def _scores(entries: list[Entry], measured: dict[str, Any]) -> str:
    rows = []
    for entry in entries:
        fp32, int8 = (entry.metadata.scores[precision]["test"] for precision in ("fp32", "int8"))
        rows.append(
            (
                *(entry.metadata.name, f"{entry.metadata.gmac:.2f}", f"{entry.bytes / 1e6:.1f}"),
                f"{measured[entry.metadata.name]['ms']:.1f}",
                *(f"{fp32['roc_auc']:.4f}", f"{int8['roc_auc']:.4f}"),
                *(f"{fp32['pr_auc']:.4f}", f"{int8['pr_auc']:.4f}"),
                *(f"{int8['top5']:.3f}", f"{int8['mean_abs_difference']:.4f}"),
            )
        )
    heading = ("model", "GMAC", "MB", "ms", "ROC AUC fp32", "INT8", "PR AUC fp32", "INT8", "top 5")
    return _table((*heading, "mean difference"), rows)


def _groups(entries: list[Entry], measured: dict[str, Any]) -> str:
    return _table(
        ("model", *GROUPS),
        [
            (
                entry.metadata.name,
                *(f"{entry.metadata.scores['int8']['test'].get(group, np.nan):.4f}" for group in GROUPS),
            )
            for entry in entries
        ],
    )


def _robustness(entries: list[Entry], measured: dict[str, Any]) -> str:
    conditions = ("as it is", *CONDITIONS)
    rows = []
    for entry in entries:
        found = measured[entry.metadata.name]["robustness"]
        rows.append((entry.metadata.name, *(f"{found[c]['roc_auc']:.3f}" for c in conditions)))
    return _table(("model", *conditions), rows)


def _sounds(entries: list[Entry], measured: dict[str, Any]) -> str:
    found = {entry.metadata.name: measured[entry.metadata.name]["sounds"] for entry in entries}
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


def _reliability(entries: list[Entry], measured: dict[str, Any]) -> str:
    default = next((e.metadata for e in entries if e.metadata.name == DEFAULT.name), entries[0].metadata)
    return _table(
        ("score", "pairs of clip and tag", "share that has the tag", "mean label"),
        [
            (f"{low:.1f} to {low + 0.1:.1f}", str(pairs), f"{share:.2f}", f"{label:.2f}")
            for low, pairs, share, label in default.reliability
        ],
    )


def _training(entries: list[Entry], measured: dict[str, Any]) -> str:
    rows = []
    for entry in entries:
        training = entry.metadata.training
        recipe = training["recipe"]
        rows.append(
            (
                *(entry.metadata.name, recipe["start"] or "", str(recipe["epochs"])),
                ", ".join(f"{speed:g}" for speed in recipe.get("speeds", (1,))),
                *(f"{training['seconds']:.0f}", training["device"], entry.metadata.commit),
            )
        )
    missing = [name for name in FAMILY if name not in {*ROOTS, *(entry.metadata.name for entry in entries)}]
    table = _table(("model", "starts from", "epochs", "speeds", "seconds", "on", "at commit"), rows)
    return table + (f"\n\nNot trained yet: {', '.join(missing)}." if missing else "")


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


TABLES: dict[str, Callable[[list[Entry], dict[str, Any]], str]] = {
    "scores": _scores,
    "groups": _groups,
    "robustness": _robustness,
    "sounds": _sounds,
    "reliability": _reliability,
    "training": _training,
}
"""What `card.md` names in braces."""
