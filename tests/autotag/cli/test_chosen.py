"""What the options of a command choose where they leave something open."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from autotag.cli.chosen import at_installed_hop
from autotag.config import Config
from tests.conftest import ROOT


def test_without_a_hop_the_nearest_that_is_installed_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = json.loads((ROOT / "models" / "manifest.json").read_text("utf-8"))["vgg-12k-48-x10-db"]
    listed = {}
    for config in (Config(sr=16000, hop=10), Config(sr=16000, hop=4)):
        own = {"name": config.name, "config": asdict(config), "frames": config.frames}
        listed[config.name] = entry | own | {"file": f"{config.name}.onnx"}
    (tmp_path / "manifest.json").write_text(json.dumps(listed), "utf-8")
    monkeypatch.setenv("AUTOTAG_MODELS", str(tmp_path))
    assert at_installed_hop(Config(sr=16000)) == Config(sr=16000, hop=4)
    assert at_installed_hop(Config()) == Config(), "there is one"
    assert at_installed_hop(Config(mels=96, log="log")) == Config(mels=96, log="log"), "at no hop"
