"""The command `autotag models`."""

import json as json_format
from typing import Any

import typer

from autotag.cli.options import Json
from autotag.config import DEFAULT
from autotag.models.registry import ModelFile, comparable
from autotag.models.registry import models as installed

METRICS = {"ROC AUC": "roc_auc", "PR AUC": "pr_auc", "top 5": "top5"}
SCORES_ARE = "agreement with the label source on the test split of each model's data set, not accuracy"
SECONDS = 29.1
"""Costs are for so much music, so that networks of short segments do not look cheap."""


def models(json: Json = False) -> None:
    """List the installed models: cost, size and scores."""
    files = sorted(installed().values(), key=lambda file: -gmac(file))
    if json:
        typer.echo(json_format.dumps([_plain(file) for file in files], indent=2))
        return
    rows = [["model", "tags", "GMAC", "MB", "precision", *METRICS, "from"]]
    compared = {file.sha256 for file in comparable(files)}
    rows += [_cells(file, file.sha256 in compared) for file in files]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        name, *cells = row
        line = [
            name.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)),
        ]
        typer.echo("  ".join(line).rstrip())
    typer.echo(f"GMAC: for {SECONDS} s of music. Scores: {SCORES_ARE}. *: the default.")
    if len(compared) < len(files):
        typer.echo(
            "†: measured on another, easier or harder data set: such scores do not compare with the others."
        )


def gmac(file: ModelFile) -> float:
    """10^9 multiply-accumulates for 29.1 s of music."""
    config = file.metadata.config
    return file.metadata.gmac * max(1.0, SECONDS * config.sr / config.segment_samples)


def _cells(file: ModelFile, compared: bool) -> list[str]:
    metadata = file.metadata
    found = metadata.metrics.get(metadata.precision, {}).get("test", {})
    mark = "*" if file.name == DEFAULT.name else ""
    note = " " if compared else "†"
    return [
        f"{file.name}{mark}",
        "+".join(metadata.vocabularies),
        f"{gmac(file):.3f}",
        f"{file.bytes / 1e6:.1f}",
        metadata.precision,
        *(f"{found[metric]:.4f}{note}" if metric in found else "" for metric in METRICS.values()),
        "autotag" if file.bundled else str(file.path.parent),
    ]


def _plain(file: ModelFile) -> dict[str, Any]:
    """What is known of a model, for programs."""
    metadata = file.metadata
    test = metadata.metrics.get(metadata.precision, {}).get("test", {})
    return {
        "model": file.name,
        "vocabularies": metadata.vocabularies,
        "default": file.name == DEFAULT.name,
        "bundled": file.bundled,
        "path": str(file.path),
        "sha256": file.sha256,
        "bytes": file.bytes,
        "gmac_per_29_1_s": round(gmac(file), 4),
        "precision": metadata.precision,
        **{name: value for name, value in test.items() if name != "resampled"},
    }
