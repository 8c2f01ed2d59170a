"""The scores of examples/song.mp3 by every bundled model, all outputs, as they were when it was published.

`python -m tests.autotag.test_golden` writes them again, for models that are new.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from autotag import Tagger
from autotag.models.registry import models
from tests.conftest import SONG

GOLDEN = Path(__file__).with_name("golden.json")
BUNDLED = {name: file for name, file in models().items() if file.bundled}


def found(name: str) -> dict[str, Any]:
    scores = Tagger(name).scores(SONG)
    outputs = (f"{vocabulary}:{tag}" for vocabulary, tag in scores.outputs)
    rounded = (round(float(score), 4) for score in scores.mean())
    return {"sha256": scores.sha256, "scores": dict(zip(outputs, rounded, strict=True))}


def golden() -> dict[str, Any]:
    listed: dict[str, Any] = json.loads(GOLDEN.read_text("utf-8"))
    return listed


@pytest.mark.parametrize("name", sorted(BUNDLED))
def test_scores_are_what_they_were(name: str) -> None:
    """To 0.03: INT8 makes up to 0.02 of a last bit that BLAS kernels and decoders disagree about."""
    expected, now = golden()[name], found(name)
    assert now["sha256"] == expected["sha256"], "another model: see the top of this file"
    assert now["scores"] == pytest.approx(expected["scores"], abs=0.03)


def test_there_are_scores_of_all_bundled_models_and_no_others() -> None:
    assert set(golden()) == set(BUNDLED)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({name: found(name) for name in sorted(BUNDLED)}, indent=1) + "\n", "utf-8")
