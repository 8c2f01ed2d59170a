"""What may lie beside the annotations of a corpus: probabilities, thresholds, sources, known tags."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.data.table import clips_of, matrix_of
from train.errors import DataError

SOFT = {"mtat": "soft_labels.csv", "msd": "soft_labels_msd.csv"}
"""The file of probabilities of each vocabulary."""

THRESHOLDS = "thresholds.json"
"""Where the annotations were made of `soft_labels.csv`: by tag, the `threshold` from which on it is 1."""

SOURCES = "sources.csv"
"""Where each clip comes from: `clip_id`, `group`, `kind` and more."""

KNOWN = "known.csv"
"""Tags that a clip's source itself names: `clip_id`, and `acceptable` such as `mtat:techno|msd:electro`."""


def probabilities(path: Path, ids: Sequence[str], tags: Sequence[str]) -> NDArray[np.float32]:
    """The probabilities of tags, in the order of the clips `ids`: [clips, tags].

    Raises:
        DataError: there is no such file, or it lacks a clip or a tag.
    """
    by_clip = {row["clip_id"]: row for row in clips_of(path, ("clip_id", *tags))}
    missing = [clip for clip in ids if clip not in by_clip]
    if missing:
        raise DataError(f"{path}: {len(missing)} annotated clips have no row, for example {missing[0]!r}")
    return matrix_of(path, [by_clip[clip] for clip in ids], tags)


def begins(
    path: Path, outputs: Sequence[tuple[str, str]], frequent: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The probability from which on a clip counts as having each tag, [outputs].

    Args:
        path: thresholds of MagnaTagATune's tags; it need not be there.
        frequent: of the other tags [outputs].
    """
    if not path.exists():
        return frequent
    try:
        found = json.loads(path.read_text("utf-8"))
        own = [found[tag]["threshold"] if vocabulary == "mtat" else None for vocabulary, tag in outputs]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a threshold for each tag: {error!r}") from error
    return np.array([other if t is None else t for t, other in zip(own, frequent, strict=True)], np.float64)


def sources(path: Path, ids: Sequence[str]) -> tuple[NDArray[np.str_], NDArray[np.str_]] | None:
    """Group and kind of each clip, [clips] each; None without the file.

    Raises:
        DataError: a clip has no row in it.
    """
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        found = {row.get("clip_id", ""): row for row in csv.DictReader(file)}
    for clip in ids:
        if not found.get(clip, {}).get("group") or not found[clip].get("kind"):
            raise DataError(f"{path}: clip {clip} has no row with a group and a kind")
    group, kind = (np.array([found[clip][column] for clip in ids]) for column in ("group", "kind"))
    return group, kind


def known(
    path: Path,
    ids: Sequence[str],
    outputs: Sequence[tuple[str, str]],
    vocabularies: Mapping[str, Sequence[str]],
) -> NDArray[np.bool_] | None:
    """The known tags of each clip, bool [clips, outputs]; None without the file.

    Args:
        vocabularies: all tags by vocabulary; those that are no output are left out.

    Raises:
        DataError: a row is of no clip, or names no tag.
    """
    if not path.exists():
        return None
    rows = {clip: i for i, clip in enumerate(ids)}
    names = {f"{vocabulary}:{tag}" for vocabulary, tags in vocabularies.items() for tag in tags}
    columns = {f"{vocabulary}:{tag}": j for j, (vocabulary, tag) in enumerate(outputs)}
    found = np.zeros((len(ids), len(outputs)), bool)
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            clip, acceptable = row.get("clip_id"), row.get("acceptable")
            if clip not in rows or acceptable is None:
                raise DataError(f"{path}: line {line} is {row}, not one of the clips and its tags")
            for name in acceptable.split("|"):
                if name not in names:
                    raise DataError(f"{path}: line {line}: {name!r} is not a tag such as 'mtat:piano'")
                if name in columns:
                    found[rows[clip], columns[name]] = True
    return found
