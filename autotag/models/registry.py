"""Which models are installed: the folder named by AUTOTAG_MODELS, then those that come with autotag.

A folder of models holds ONNX files and `manifest.json`, an object of their metadata by name with the
file's name, bytes and sha256. `python -m train export` writes both.
"""

import json
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from autotag.config import DEFAULT, Config, parse_model_name
from autotag.errors import ConfigError, ModelError, ModelNotFound
from autotag.models.metadata import Metadata

if TYPE_CHECKING:
    from autotag.models.model import Model

ModelChoice = Config | str | Path
"""A configuration, the name of an installed model, or an ONNX file."""

MANIFEST = "manifest.json"

LARGEST = 1 << 26
"""Bytes of a manifest that is read; that of the bundled models has 200,000."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model and the file it is in, known without loading it.

    Attributes:
        name: of the model; with
        sha256: of the file, what tells its scores from others.
        metadata: what it says of itself.
        path, bytes: of the file.
        bundled: whether it comes with autotag.
    """

    name: str
    sha256: str
    metadata: Metadata
    path: Path
    bytes: int
    bundled: bool = False

    @classmethod
    def listed(cls, folder: Path, found: Any, bundled: bool) -> Self:
        """The model of an entry of the manifest in a folder."""
        source = f"{folder / MANIFEST}"
        metadata = Metadata.from_dict(found, source)
        sha256, size, file = found.get("sha256"), found.get("bytes"), found.get("file")
        if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
            raise ModelError(f"{source}: the sha256 of {metadata.name} is {sha256!r:.80}. Export it again.")
        if not isinstance(size, int) or size < 0 or not isinstance(file, str) or Path(file).name != file:
            raise ModelError(
                f"{source}: the file of {metadata.name} is {file!r:.80} with {size!r:.20} bytes. Export it "
                "again."
            )
        return cls(metadata.name, sha256, metadata, folder / file, size, bundled)


def folders() -> list[Path]:
    """Where models are looked up, first come first served."""
    chosen = os.environ.get("AUTOTAG_MODELS")
    return [*([Path(chosen)] if chosen else []), _bundled()]


def _bundled() -> Path:
    here = Path(__file__).parent
    return here if (here / MANIFEST).exists() else here.parents[1] / "models"  # of the wheel, of a checkout


def manifest(folder: Path) -> list[ModelFile]:
    """The models of one folder.

    Raises:
        ModelError: its manifest is missing or malformed.
    """
    path = folder / MANIFEST
    try:
        found = json.loads(_text(path))
        return [ModelFile.listed(folder, entry, folder == _bundled()) for entry in found.values()]
    except ModelError:
        raise
    except OSError as error:
        raise ModelError(
            f"{path}: {error.strerror}. 'python -m train export RUN --models DIR' writes it."
        ) from error
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{path}: not a manifest of models ({error!s:.80}). Export the models again."
        ) from error


def models() -> dict[str, ModelFile]:
    """All installed models by name."""
    found: dict[str, ModelFile] = {}
    for folder in folders():
        for file in manifest(folder):
            found.setdefault(file.name, file)
    return found


def select(patterns: Sequence[str] | None = None, vocabulary: str | None = None) -> list[ModelFile]:
    """The installed models whose names match one of the patterns, and that have tags of the vocabulary.

    Args:
        patterns: globs; by default all models.
        vocabulary: one of theirs, or None or `"all"` for any.

    Raises:
        ModelNotFound: there are none, or none that one of the patterns matches.
    """
    installed = models()
    suited = {
        name: file
        for name, file in installed.items()
        if vocabulary in (None, "all", *file.metadata.vocabularies)
    }
    found: set[str] = set()
    for pattern in patterns or ["*"]:
        if not (matched := {name for name in suited if fnmatchcase(name, pattern)}):
            tags = "" if vocabulary in (None, "all") else f" with the tags of {vocabulary}"
            raise ModelNotFound(
                f"No installed model is {pattern}{tags}. Installed are {', '.join(installed)}."
            )
        found |= matched
    return [file for name, file in suited.items() if name in found]


def comparable(files: Sequence[ModelFile]) -> list[ModelFile]:
    """The files whose metrics are of the same data, for no others say which model is better.

    The data are those of the installed default model, where any of the files is measured on them, or else
    those of the most files.
    """
    by_data: dict[tuple[str, str], list[ModelFile]] = {}
    for file in files:
        by_data.setdefault(_data(file), []).append(file)
    default = models().get(DEFAULT.name)
    usual = default and _data(default)
    return max(by_data.items(), key=lambda group: (group[0] == usual, len(group[1])))[1]


def _data(file: ModelFile) -> tuple[str, str]:
    """What a file's metrics are of."""
    return file.metadata.dataset, json.dumps(file.metadata.split, sort_keys=True)


def auc(file: ModelFile) -> float:
    """The ROC AUC by which models are ranked; 0 where nobody measured it."""
    return file.metadata.roc_auc or 0.0


def find(choice: ModelChoice) -> ModelFile:
    """The model of a choice. An ONNX file is loaded for that; installed models are not.

    Raises:
        ModelNotFound: no such model is installed; the message says what to use or do instead.
        ModelError: the file is no model.
    """
    if is_file(choice):
        model = load(choice)
        return ModelFile(model.metadata.name, model.sha256, model.metadata, model.path, model.bytes)
    installed = models()
    name = choice.name if isinstance(choice, Config) else str(choice)
    if name in installed:
        return installed[name]
    try:
        wanted, prefix = parse_model_name(name)
    except ConfigError as error:
        raise ModelNotFound(
            f"{error} Installed are {', '.join(installed)}; or name an ONNX file of autotag."
        ) from error
    if prefix and wanted.name in installed and prefix in installed[wanted.name].metadata.vocabularies:
        raise ModelNotFound(
            f"{name} is now part of {wanted.name}, which scores both vocabularies. "
            f"Use --model {wanted.name} --vocabulary {prefix}."
        )
    nearest = sorted(installed, key=lambda other: wanted.distance(installed[other].metadata.config))[:3]
    raise ModelNotFound(
        f"No trained model {name} is installed; the nearest are {', '.join(nearest) or 'none'}. "
        f"To train it, from a checkout: python -m train fit {wanted.name} --data DIR, "
        f"then python -m train export runs/{wanted.name}/seed-0, and set AUTOTAG_MODELS to runs/models."
    )


def load(choice: ModelChoice, threads: int | None = None, device: str = "cpu") -> "Model":
    """Load a model.

    A file that a manifest beside it lists must have the sha256 that the manifest says.

    Args:
        threads, device: as of `autotag.models.model.Model`.

    Raises:
        ModelNotFound, ModelError, DeviceNotFound: as `find` and `Model` do.
    """
    from autotag.models.model import Model

    if is_file(choice):
        path = Path(str(choice))
        return Model(path, threads, _listed_sha256(path), device)
    file = find(choice)
    return Model(file.path, threads, file.sha256, device)


def is_file(choice: ModelChoice) -> bool:
    """Whether a choice names an ONNX file."""
    return not isinstance(choice, Config) and Path(choice).suffix == ".onnx"


def _text(path: Path) -> str:
    """The text of a regular file of a size that a manifest may have."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
        raise ModelError(
            f"{path}: not a manifest of models, but a device or {status.st_size} bytes. Name another folder."
        )
    return path.read_text("utf-8")


def _listed_sha256(path: Path) -> str | None:
    """What a manifest beside a file says that it hashes to; other people's manifests say nothing."""
    try:
        entries = json.loads(_text(path.parent / MANIFEST)).values()
        return next((str(entry["sha256"]) for entry in entries if entry["file"] == path.name), None)
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return None
