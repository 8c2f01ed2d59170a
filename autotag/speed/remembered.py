"""The speed of models on this machine, remembered in a file of autotag's own that may be gone or damaged."""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass

from autotag.system import files
from autotag.system.files import replacing
from autotag.system.machine import machine_facts

NAME = "speeds.json"
"""The file, in the user's folder for caches."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What a model takes on this machine.

    Attributes:
        ms: milliseconds.
        measured: when, in seconds since 1970.
        settled: whether several rounds took about as long; only such a speed is remembered.
    """

    ms: float
    measured: float
    settled: bool = True


def remembered() -> dict[str, Speed]:
    """The speeds by sha256 of the model's file: none of another machine, and nothing that is damaged."""
    found: dict[str, Speed] = {}
    with suppress(OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError):
        kept = json.loads((files.cache() / NAME).read_text("utf-8"))
        if kept["machine"] == machine_facts():
            for sha256, speed in kept["speeds"].items():
                if all(_is_number(speed[name]) for name in ("ms", "measured")):
                    found[sha256] = Speed(speed["ms"], speed["measured"])
    return found


def remember(speeds: Mapping[str, Speed]) -> None:
    """Write the settled ones in place of all that is remembered; if that fails nothing is lost but time."""
    settled = {sha256: asdict(speed) for sha256, speed in speeds.items() if speed.settled}
    with suppress(OSError, RuntimeError):
        path = files.cache() / NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            text = json.dumps({"machine": machine_facts(), "speeds": settled}, indent=1)
            part.write_text(text, "utf-8")


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and math.isfinite(value) and value > 0
