"""What a model says of itself: one JSON object, in the ONNX file and in the manifest beside it."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from autotag.config import Config
from autotag.errors import ConfigError, ModelError

FORMAT = 1
"""Version of the metadata that this code reads and writes."""

KEY = "autotag"
"""Key of the JSON string among an ONNX file's `metadata_props`."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """All there is to know about a trained model; nothing of it stands in code.

    Attributes:
        name: ends with the configuration's name.
        config: architecture and resolution.
        frames: frames of one segment.
        tags: the vocabulary, in the order of the network's outputs.
        dataset, label_source: what it was trained on, and where its labels came from.
        split: the folders or lists of `"train"`, `"valid"` and `"test"`.
        precision: `"int8"` or `"fp32"`.
        scores: per precision and split, `roc_auc`, `pr_auc`, `top5` and the rest of `train.metrics`.
        gmac: 10^9 multiply-accumulates for one segment.
        parameters: number of trained weights.
        commit: what the training code stood at.
        licence: of the weights.
    """

    name: str
    config: Config
    frames: int
    tags: tuple[str, ...]
    dataset: str
    label_source: str
    split: dict[str, str]
    precision: str
    scores: dict[str, dict[str, dict[str, float]]]
    gmac: float
    parameters: int
    commit: str
    licence: str

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
        if not found["name"].endswith(config.name):
            raise ModelError(
                f"{source}: its metadata has the name {found['name']!r} and config {config.name}"
            )
        tags = found["tags"]
        if not tags or len(set(map(str, tags))) < len(tags) or not all(isinstance(t, str) for t in tags):
            raise ModelError(f"{source}: the field 'tags' of its metadata must be different names")
        values = {name: found[name] for name in KINDS}
        return cls(**values | {"config": config, "tags": tuple(tags)})

    @classmethod
    def from_json(cls, text: str, source: str) -> Self:
        try:
            return cls.from_dict(json.loads(text), source)
        except json.JSONDecodeError as error:
            raise ModelError(f"{source}: its metadata is not JSON: {error}") from error


KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("name", "dataset", "label_source", "precision", "commit", "licence"), str),
    **dict.fromkeys(("config", "split", "scores"), dict),
    **dict.fromkeys(("frames", "parameters"), int),
    "tags": list,
    "gmac": (int, float),
}
"""What each field of `Metadata` is in JSON."""
