"""Which models are at hand: the folder named by AUTOTAG_MODELS, then those that come with autotag.

A folder of models holds ONNX files and `manifest.json`, an object of their metadata by name with the
file's name, bytes and sha256. `python -m train export` writes both.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Self

from autotag.config import parse_model_name
from autotag.errors import ConfigError, ModelError, ModelNotFound
from autotag.models.metadata import Metadata

if TYPE_CHECKING:
    from autotag.models.model import Model

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """A model at hand, known without loading it."""

    metadata: Metadata
    path: Path
    bytes: int
    sha256: str

    @classmethod
    def read(cls, folder: Path, found: dict[str, object]) -> Self:
        metadata = Metadata.from_dict(found, str(folder / MANIFEST))
        sha256 = str(found["sha256"])
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            raise ModelError(f"{folder / MANIFEST}: the sha256 of {metadata.name} is {sha256!r}")
        return cls(metadata, folder / str(found["file"]), int(str(found["bytes"])), sha256)


def folders() -> list[Path]:
    """Where models are looked up, first come first served."""
    here = Path(__file__).parent
    bundled = (
        here if (here / MANIFEST).exists() else here.parents[1] / "models"
    )  # in the wheel, in a checkout
    chosen = os.environ.get("AUTOTAG_MODELS")
    return [*([Path(chosen)] if chosen else []), bundled]


def manifest(folder: Path) -> list[Entry]:
    """The models of one folder.

    Raises:
        ModelError: its manifest is missing or malformed.
    """
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text("utf-8"))
        return [Entry.read(folder, entry) for entry in found.values()]
    except ModelError:
        raise
    except OSError as error:
        remedy = "'python -m train export RUN --models DIR' writes it"
        raise ModelError(f"{path}: {error.strerror}: {remedy}") from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: not a manifest of models ({error}): export the models again") from error


def models() -> dict[str, Entry]:
    """All models at hand by name."""
    entries: dict[str, Entry] = {}
    for folder in folders():
        for entry in manifest(folder):
            entries.setdefault(entry.metadata.name, entry)
    return entries


def select(patterns: Sequence[str] | None = None, vocabulary: str | None = None) -> list[Entry]:
    """The models at hand whose names match one of the patterns, and that speak the vocabulary.

    Raises:
        ModelNotFound: there are none.
    """
    at_hand = models()
    found = [
        entry
        for name, entry in at_hand.items()
        if any(fnmatchcase(name, pattern) for pattern in patterns or ["*"])
        and vocabulary in (None, entry.metadata.vocabulary)
    ]
    if not found:
        asked = " ".join([*(patterns or ()), *([f"with the tags of {vocabulary}"] if vocabulary else ())])
        raise ModelNotFound(f"no model at hand is {asked}: at hand are {', '.join(at_hand)}")
    return found


def load(model: str | Path, threads: int | None = None, device: str = "cpu") -> "Model":
    """Load a model by name, or from an ONNX file.

    A file that a manifest beside it lists must have the sha256 that the manifest says.

    Raises:
        ModelNotFound: no model of that name is at hand; the message names the nearest ones.
        ModelError, DeviceNotFound: as `Model` does.
    """
    from autotag.models.model import Model

    path = Path(model)
    if path.suffix == ".onnx":
        return Model(path, threads, _listed_sha256(path), device)
    entry = find(str(model))
    return Model(entry.path, threads, entry.sha256, device)


def describe(model: str | Path) -> Metadata:
    """What a model says of itself: it is loaded for that only where it is a file. Raises as `load` does."""
    return load(model).metadata if Path(model).suffix == ".onnx" else find(str(model)).metadata


def _listed_sha256(path: Path) -> str | None:
    """What a manifest beside a file says that it hashes to; other people's manifests say nothing."""
    try:
        entries = json.loads((path.parent / MANIFEST).read_text("utf-8")).values()
        return next((str(entry["sha256"]) for entry in entries if entry["file"] == path.name), None)
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return None


def find(name: str) -> Entry:
    """The model of that name, or a ModelNotFound that says what to use or do instead."""
    at_hand = models()
    if name in at_hand:
        return at_hand[name]
    try:
        wanted, vocabulary = parse_model_name(name)
    except ConfigError as error:
        raise ModelNotFound(f"{error}. At hand: {', '.join(at_hand)}, or any ONNX file of autotag") from error
    same = [other for other in at_hand if at_hand[other].metadata.vocabulary == vocabulary]
    nearest = sorted(same, key=lambda other: wanted.distance(at_hand[other].metadata.config))[:3]
    raise ModelNotFound(
        f"no trained model {name!r} is at hand. Nearest at hand: {', '.join(nearest) or 'none'}. "
        f"To train it, from a checkout: python -m train fit {wanted.name} --data DIR, "
        f"then python -m train export runs/{wanted.name}/seed-0, and set AUTOTAG_MODELS to runs/models"
    )
