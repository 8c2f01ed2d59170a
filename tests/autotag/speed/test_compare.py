"""One song through every model."""

import json
import shutil
from pathlib import Path

import pytest

from autotag.batch import Asked
from autotag.models.registry import select
from autotag.speed.compare import MARGIN, compare
from tests.conftest import SONG, Run

ENTRIES = select(["vgg-*"], "mtat")


def test_each_model_says_what_it_says_alone_and_three_are_marked(autotag: Run) -> None:
    rows = compare(SONG, ENTRIES, Asked("", top=3, merge_synonyms=True))
    assert {row.cost.entry.sha256 for row in rows} == {entry.sha256 for entry in ENTRIES}
    assert [row.cost.gmac for row in rows] == sorted((row.cost.gmac for row in rows), reverse=True)
    assert rows[0].agreement == 1
    assert all(row.agreement in (0, 0.2, 0.4, 0.6, 0.8, 1) for row in rows)
    last = rows[-1].result
    run = autotag(SONG, "--model", last.model, "--top", 3, "--merge-synonyms", "--format", "jsonl")
    assert json.loads(run.stdout)["tags"] == last.as_dict()["tags"]
    marked = {mark: row.cost for row in rows for mark in row.marks}
    assert set(marked) == {"fastest", "best", "sensible"}
    auc = {row.cost.name: row.cost.entry.metadata.roc_auc or 0 for row in rows}
    assert auc[marked["best"].name] == max(auc.values())
    limit = max(auc.values()) - MARGIN
    good = [row.cost for row in rows if auc[row.cost.name] >= limit]
    assert marked["sensible"] is min(good, key=lambda cost: sum(cost.ms("mel", "model")))
    assert marked["fastest"] is min((row.cost for row in rows), key=lambda cost: sum(cost.ms("mel", "model")))


def test_the_table_has_a_line_a_model(autotag: Run, tmp_path: Path) -> None:
    shutil.copy(SONG, tmp_path / "it's “a\nsong”.mp3")
    run = autotag(tmp_path / "it's “a\nsong”.mp3", "--compare", "--models", "vgg-12k-48-*", "--top", 1)
    assert run.returncode == 0, run.stderr
    heading, columns, *rows = run.stdout.splitlines()
    assert heading.endswith("it's “a\\nsong”.mp3  30.0 s")
    assert columns.split() == [
        *("model", "agrees", "mel", "ms", "model", "ms", "total", "ms", "x", "real", "time"),
        *("GMAC", "MB", "kB", "ROC", "AUC", "tags"),
    ]
    names = [entry.metadata.name for entry in select(["vgg-12k-48-*"], "mtat")]
    assert sorted(row.split()[0] for row in rows[: len(names)]) == sorted(names)
    assert rows[len(names)].startswith("agrees: ")


def test_other_formats_hold_ordinary_results_and_a_bad_file_is_said(autotag: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.mp3").write_text("words")
    run = autotag(tmp_path / "bad.mp3", SONG, "--compare", "--tags", "msd", "--format", "jsonl")
    assert run.returncode == 1
    assert run.stderr.startswith(f"error: {tmp_path / 'bad.mp3'}: ")
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert {row["model"] for row in found} == {entry.metadata.name for entry in select(None, "msd")}
    assert all(row["ok"] and len(row["tags"]) == 5 for row in found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--compare", "--hop", "x2"], "--compare says which models to use"),
        (["--compare", "--budget", "9ms"], "--compare says which models to use"),
        (["--compare", "--out", "tags.csv"], "--compare keeps nothing"),
        (["--models", "vgg-*"], "goes with --compare"),
        (["--compare", "--models", "nothing"], "no model at hand is nothing"),
    ],
)
def test_options_that_do_not_go_together(autotag: Run, options: list[str], message: str) -> None:
    run = autotag(SONG, *options)
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr
