"""The diagram of the card."""

import json
import re
from pathlib import Path

from tests.conftest import ROOT
from train.report.reliability import diagram


def test_it_has_a_point_for_each_tenth_and_is_the_same_each_time(tmp_path: Path) -> None:
    measured = json.loads((ROOT / "models" / "measured.json").read_text("utf-8"))
    rows = measured["vgg-12k-48-x2-db"]["reliability"]
    diagram(rows, tmp_path / "a.svg")
    diagram(rows, tmp_path / "b.svg")
    text = (tmp_path / "a.svg").read_text("utf-8")
    assert text == (tmp_path / "b.svg").read_text("utf-8")
    assert "share that has the tag" in text and "score" in text
    assert len(re.findall(r"<g id=\"LineCollection_\d+\">", text)) == len(rows) == 10
    diagram([], tmp_path / "none.svg")
    assert (tmp_path / "none.svg").stat().st_size > 1000, "a model without calibrated tags"
