"""What the documents say of the models is what the manifest says."""

import pytest

from autotag.registry import Entry, models
from tests.conftest import ROOT, Run


@pytest.mark.parametrize("entry", models().values(), ids=models())
def test_the_card_shows_the_scores_of_the_manifest(entry: Entry) -> None:
    card = (ROOT / "models" / "README.md").read_text("utf-8")
    metadata = entry.metadata
    for split in ("valid", "test"):
        fp32, int8 = (metadata.scores[precision][split] for precision in ("fp32", "int8"))
        cells = [f"{scores[m]:.4f}" for m in ("roc_auc", "pr_auc", "top5") for scores in (fp32, int8)]
        cells.append(f"{int8['mean_abs_difference']:.4f}")
        assert " | ".join(["", metadata.name, split, *cells, ""]).strip() in card


@pytest.mark.parametrize("entry", models().values(), ids=models())
def test_int8_is_within_0002_of_float32(entry: Entry) -> None:
    fp32, int8 = (entry.metadata.scores[precision]["test"] for precision in ("fp32", "int8"))
    for metric in ("roc_auc", "pr_auc"):
        assert int8[metric] > fp32[metric] - 0.002


def test_the_readme_shows_what_models_prints(autotag: Run) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for line in autotag("models").stdout.splitlines():
        assert line.rstrip() in readme
