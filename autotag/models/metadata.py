"""What a model says of itself: one JSON object, in the ONNX file and in the manifest beside it."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from autotag.config import Config, model_name
from autotag.errors import ConfigError, ModelError

FORMAT = 2
"""Version of the metadata that this code reads and writes."""

KEY = "autotag"
"""Key of the JSON string among an ONNX file's `metadata_props`."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """All there is to know about a trained model; nothing of it stands in code.

    Attributes:
        name: the configuration's name, after the vocabulary's unless that is `"mtat"`.
        config: architecture and resolution.
        frames: frames of one segment.
        vocabulary: one of `autotag.config.VOCABULARIES`.
        tags: its names, in the order of the network's outputs.
        thresholds: the score from which on each tag counts, [tags]: where F1 is highest on validation.
        reliability: for tenths of the range of scores that validation scores fall into: the lowest score
            of the tenth, how many fall into it, which share of them has the tag, and their mean label.
        dataset, label_source: what it was trained on, and where its labels came from.
        split: the folders or lists of `"train"`, `"valid"` and `"test"`.
        precision: `"int8"` or `"fp32"`.
        scores: per precision and split, `roc_auc`, `pr_auc`, `top5` and the rest of `train.measure.metrics`.
        training: recipe, clips, seconds and device.
        gmac: 10^9 multiply-accumulates for one segment.
        parameters: number of trained weights.
        commit: what the training code stood at.
        licence: of the weights.
    """

    name: str
    config: Config
    frames: int
    vocabulary: str
    tags: tuple[str, ...]
    thresholds: tuple[float, ...]
    reliability: tuple[tuple[float, int, float, float], ...]
    dataset: str
    label_source: str
    split: dict[str, str]
    precision: str
    scores: dict[str, dict[str, dict[str, float]]]
    training: dict[str, Any]
    gmac: float
    parameters: int
    commit: str
    licence: str

    @property
    def roc_auc(self) -> float | None:
        """On the test split, as precise as the file is; None where nobody measured it."""
        return self.scores.get(self.precision, {}).get("test", {}).get("roc_auc")

    def as_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, found: Any, source: str) -> Self:
        """Check and convert a parsed JSON object; `source` names the file in errors."""
        if not isinstance(found, dict) or "format" not in found:
            raise ModelError(f"{source}: its metadata has no field 'format'")
        if found["format"] != FORMAT:
            raise ModelError(
                f"{source}: metadata of format {found['format']!r}, where this autotag reads {FORMAT}: "
                "update autotag, or export the model again"
            )
        for name, kind in KINDS.items():
            if name not in found:
                raise ModelError(f"{source}: its metadata lacks the field {name!r}: export it again")
            if not isinstance(found[name], kind):
                raise ModelError(f"{source}: the field {name!r} of its metadata is {found[name]!r}")
        try:
            missing = [field.name for field in fields(Config) if field.name not in found["config"]]
            if missing:
                raise ConfigError(f"lacks {missing[0]!r}")
            config = Config(**found["config"])
        except (TypeError, ConfigError) as error:
            raise ModelError(f"{source}: the field 'config' of its metadata: {error}") from error
        try:
            name = model_name(config, found["vocabulary"])
        except ConfigError as error:
            raise ModelError(f"{source}: its metadata: {error}") from error
        if found["name"] != name:
            raise ModelError(f"{source}: its metadata has the name {found['name']!r}, where it is {name}")
        tags = found["tags"]
        if not tags or len(set(map(str, tags))) < len(tags) or not all(isinstance(t, str) for t in tags):
            raise ModelError(f"{source}: the field 'tags' of its metadata must be different names")
        thresholds = found["thresholds"]
        if len(thresholds) != len(tags) or not all(isinstance(t, float | int) for t in thresholds):
            raise ModelError(f"{source}: the field 'thresholds' of its metadata must be {len(tags)} numbers")
        reliability = tuple(map(tuple, found["reliability"]))
        values = {name: found[name] for name in KINDS} | {"config": config, "reliability": reliability}
        return cls(**values | {"tags": tuple(tags), "thresholds": tuple(thresholds)})

    @classmethod
    def from_json(cls, text: str, source: str) -> Self:
        try:
            return cls.from_dict(json.loads(text), source)
        except json.JSONDecodeError as error:
            raise ModelError(f"{source}: its metadata is not JSON: {error}") from error


KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("name", "vocabulary", "dataset", "label_source", "precision", "commit", "licence"), str),
    **dict.fromkeys(("config", "split", "scores", "training"), dict),
    **dict.fromkeys(("frames", "parameters"), int),
    **dict.fromkeys(("tags", "thresholds", "reliability"), list),
    "gmac": (int, float),
}
"""What each field of `Metadata` is in JSON."""
