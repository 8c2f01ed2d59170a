"""What the documents say of the models is what the manifest and the measurements beside it say."""

import json

import pytest

from autotag.models.registry import MANIFEST, Entry, manifest
from tests.conftest import ROOT, Run
from train.report.card import MEASURED, TABLES, TEMPLATE

BUNDLED = manifest(ROOT / "models")
MEASUREMENTS = json.loads((ROOT / "models" / MEASURED).read_text("utf-8"))
NAMES = [entry.metadata.name for entry in BUNDLED]


@pytest.mark.parametrize("name", TABLES)
def test_the_card_holds_the_tables_of_the_models_that_are_there(name: str) -> None:
    card = (ROOT / "models" / "README.md").read_text("utf-8")
    assert f"{{{name}}}" in TEMPLATE.read_text("utf-8")
    entries = sorted(BUNDLED, key=lambda e: (e.metadata.vocabulary, -e.metadata.gmac))
    assert TABLES[name](entries, MEASUREMENTS) in card


@pytest.mark.parametrize("entry", BUNDLED, ids=NAMES)
def test_what_was_measured_is_the_file_that_is_there(entry: Entry) -> None:
    assert MEASUREMENTS[entry.metadata.name]["sha256"] == entry.sha256


@pytest.mark.parametrize("entry", BUNDLED, ids=NAMES)
def test_int8_is_within_0001_of_float32(entry: Entry) -> None:
    fp32, int8 = (entry.metadata.scores[precision]["test"] for precision in ("fp32", "int8"))
    assert int8["roc_auc"] > fp32["roc_auc"] - 0.001


@pytest.mark.parametrize("entry", BUNDLED, ids=NAMES)
def test_noise_gets_no_confident_tag(entry: Entry) -> None:
    said = MEASUREMENTS[entry.metadata.name]["sounds"]
    assert said["silence"] == []
    for sound in ("white noise", "pink noise", "brown noise", "faint noise"):
        assert said[sound][0][1] < 0.3, sound


def test_the_models_are_small_enough_to_carry() -> None:
    assert sum(path.stat().st_size for path in (ROOT / "models").iterdir()) < 200e6
    assert (ROOT / "models" / MANIFEST).exists()


def test_the_readme_shows_what_models_prints(autotag: Run) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for line in autotag("models").stdout.splitlines():
        assert line.rstrip() in readme
