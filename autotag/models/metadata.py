"""What a model says of itself: one JSON object, in the ONNX file and in the manifest beside it."""

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from autotag.config import Config
from autotag.errors import ConfigError, ModelError
from autotag.meaning import Output, meaning_of

FORMAT = 3
"""Version of the metadata that this code writes; it reads version 2 too."""

KEY = "autotag"
"""Key of the JSON string among an ONNX file's `metadata_props`."""

LONGEST = 1 << 20
"""Characters of metadata that are parsed; a bundled model has 8,000."""

MAX_OUTPUTS = 10_000

UNTRAINED = "nothing: random weights"
"""The data set of a model that is there to be timed."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """All there is to know about a trained model; nothing of it stands in code.

    Attributes:
        name: the configuration's name, after the vocabulary's where the model has only that of one's own.
        config: architecture and resolution.
        frames: frames of one segment.
        outputs: what the network scores, in the order of its outputs.
        uncalibrated: outputs whose scores do not say how likely a tag is, for want of examples; all of a
            model that was not calibrated.
        dataset, label_source: what it was trained on, and where its labels came from.
        split: the folders or lists of `"train"`, `"valid"` and `"test"`.
        precision: `"int8"` or `"fp32"`.
        metrics: by precision, then split: `roc_auc`, `pr_auc`, `top5` and the rest of what training measures.
        training: recipe, clips, seconds and device.
        gmac: 10^9 multiply-accumulates for one segment.
        parameters: number of trained weights.
        commit: what the training code stood at.
        licence: of the weights.
    """

    name: str
    config: Config
    frames: int
    outputs: tuple[Output, ...]
    uncalibrated: tuple[Output, ...]
    dataset: str
    label_source: str
    split: dict[str, str]
    precision: str
    metrics: dict[str, dict[str, dict[str, Any]]]
    training: dict[str, Any]
    gmac: float
    parameters: int
    commit: str
    licence: str

    @property
    def vocabularies(self) -> tuple[str, ...]:
        """The vocabularies of its outputs, in their order."""
        return tuple(dict.fromkeys(output.vocabulary for output in self.outputs))

    @property
    def uncalibrated_tags(self) -> frozenset[str]:
        """Tags, and the meanings that are shown for them, of which no calibrated output has the score."""
        left_out = set(self.uncalibrated)
        return _shown(left_out) - _shown(set(self.outputs) - left_out)

    @property
    def untrained(self) -> bool:
        """Whether its weights are random: its tags mean nothing."""
        return self.dataset == UNTRAINED

    @property
    def resampled_roc_auc(self) -> list[float]:
        """ROC AUC in resamples of the test split; those of two models of the same data are pairs."""
        found = self.metrics.get(self.precision, {}).get("test", {}).get("resampled", {})
        return list(found.get("roc_auc", ())) if isinstance(found, dict) else []

    @property
    def roc_auc(self) -> float | None:
        """On the test split, as precise as the file is; None where nobody measured it."""
        found = self.metrics.get(self.precision, {}).get("test", {}).get("roc_auc")
        return float(found) if isinstance(found, float | int) else None

    def to_dict(self) -> dict[str, Any]:
        """The metadata as plain values for JSON."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, found: Any, source: str) -> Self:
        """Check and convert a parsed JSON object; `source` names the file in errors.

        Raises:
            ModelError: a field is missing, or its value is not what it has to be.
        """
        if not isinstance(found, dict) or "format" not in found:
            raise ModelError(f"{source}: its metadata has no field 'format'. Export the model again.")
        if found["format"] == 2:
            found = _from_format_2(found, source)
        elif found["format"] != FORMAT:
            raise ModelError(
                f"{source}: metadata of format {found['format']!r:.40}, where this autotag reads 2 and "
                f"{FORMAT}. Update autotag, or export the model again."
            )
        for name, kind in KINDS.items():
            if name not in found:
                raise ModelError(f"{source}: its metadata lacks the field {name!r}. Export the model again.")
            if not isinstance(found[name], kind) or isinstance(found[name], bool):
                raise _wrong(source, name, found[name])
        if unknown := found.keys() - KINDS.keys() - {"format", *_OF_MANIFEST}:
            name = min(unknown)
            raise ModelError(
                f"{source}: its metadata has a field {name!r:.40} that format {FORMAT} does not have."
            )
        for name in ("frames", "parameters", "gmac"):
            if not (math.isfinite(found[name]) and found[name] >= 0):
                raise _wrong(source, name, found[name])
        config = _config(found["config"], source)
        if found["name"] != config.name and not found["name"].endswith(f"-{config.name}"):
            raise ModelError(
                f"{source}: its metadata has the name {found['name']!r:.80}, which does not end in "
                f"{config.name}."
            )
        outputs = tuple(_output(item, "outputs", source) for item in found["outputs"])
        if not outputs or len(set(outputs)) < len(outputs) or len(outputs) > MAX_OUTPUTS:
            raise ModelError(
                f"{source}: the field 'outputs' of its metadata has {len(outputs)} outputs, "
                f"{len(set(outputs))} of them different. Export the model again."
            )
        uncalibrated = tuple(_output(item, "uncalibrated", source) for item in found["uncalibrated"])
        if not set(uncalibrated) <= set(outputs):
            raise _wrong(source, "uncalibrated", found["uncalibrated"])
        for name in ("name", "dataset", "label_source", "precision", "commit", "licence"):
            if not found[name].isprintable():
                raise _wrong(source, name, found[name])
        _check_metrics(found["metrics"], source)
        values = {name: found[name] for name in KINDS} | {"config": config, "outputs": outputs}
        return cls(**values | {"uncalibrated": uncalibrated})

    @classmethod
    def from_json(cls, text: str, source: str) -> Self:
        if len(text) > LONGEST:
            raise ModelError(
                f"{source}: its metadata has {len(text)} characters, over the {LONGEST} that are read."
            )
        try:
            return cls.from_dict(json.loads(text, parse_constant=_no_constant), source)
        except (ValueError, RecursionError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"{source}: its metadata is not JSON: {error!s:.80}") from error


KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("name", "dataset", "label_source", "precision", "commit", "licence"), str),
    **dict.fromkeys(("config", "split", "metrics", "training"), dict),
    **dict.fromkeys(("frames", "parameters"), int),
    **dict.fromkeys(("outputs", "uncalibrated"), list),
    "gmac": (int, float),
}
"""What each field of `Metadata` is in JSON."""

_OF_MANIFEST = ("file", "bytes", "sha256")


def _from_format_2(found: dict[str, Any], source: str) -> dict[str, Any]:
    """One vocabulary, not calibrated, with a threshold for each tag.

    The thresholds are no longer used, but must be what they were.
    """
    for name, kind in {"vocabulary": str, "tags": list, "thresholds": list, "scores": dict}.items():
        if not isinstance(found.get(name), kind):
            raise _wrong(source, name, found.get(name))
    vocabulary, tags, thresholds = found["vocabulary"], found["tags"], found["thresholds"]
    if len(thresholds) != len(tags) or not all(
        isinstance(value, float | int) and 0 <= value <= 1 for value in thresholds
    ):
        raise _wrong(source, "thresholds", thresholds)
    for row in found.get("reliability", ()):
        if not (isinstance(row, list) and len(row) == 4 and all(isinstance(v, float | int) for v in row)):
            raise _wrong(source, "reliability", row)
    dropped = ("vocabulary", "tags", "thresholds", "scores", "reliability")
    kept = {name: value for name, value in found.items() if name not in dropped}
    outputs = [[vocabulary, tag] for tag in tags]
    return kept | {"format": FORMAT, "outputs": outputs, "uncalibrated": outputs, "metrics": found["scores"]}


def _shown(outputs: set[Output]) -> frozenset[str]:
    """The tags of outputs, and their meanings."""
    return frozenset(name for output in outputs for name in (output.tag, meaning_of(output.tag).name))


def _config(found: dict[str, Any], source: str) -> Config:
    try:
        missing = [field.name for field in fields(Config) if field.name not in found]
        if missing:
            raise ConfigError(f"lacks {missing[0]!r}")
        return Config(**found)
    except (TypeError, ConfigError) as error:
        raise ModelError(f"{source}: the field 'config' of its metadata: {error}") from error


def _output(item: Any, field: str, source: str) -> Output:
    """A pair of names, such as a terminal can show."""
    if (
        not isinstance(item, list)
        or len(item) != 2
        or not all(
            isinstance(name, str) and name and name.isprintable() and len(name) <= 200 for name in item
        )
    ):
        raise _wrong(source, field, item)
    return Output(*item)


def _check_metrics(metrics: dict[str, Any], source: str) -> None:
    for splits in metrics.values():
        if not isinstance(splits, dict) or not all(isinstance(found, dict) for found in splits.values()):
            raise _wrong(source, "metrics", splits)
        for found in splits.values():
            auc = found.get("roc_auc")
            if auc is not None and not (isinstance(auc, float | int) and 0 <= auc <= 1):
                raise _wrong(source, "metrics", found)


def _wrong(source: str, field: str, value: Any) -> ModelError:
    return ModelError(
        f"{source}: the field {field!r} of its metadata is {value!r:.80}. Export the model again."
    )


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
