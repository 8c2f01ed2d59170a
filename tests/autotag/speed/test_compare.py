"""One song through every model."""

import io
import json
import re
import shutil
from pathlib import Path

import pytest

from autotag.audio.held import Held
from autotag.models.registry import comparable, select
from autotag.request import TagRequest
from autotag.result import Failure
from autotag.speed import measure
from autotag.speed.compare import compare, write_comparison
from autotag.speed.sensible import as_good
from autotag.tagger import Tagger
from tests.conftest import SONG, Run

FILES = select(["vgg-*"], "mtat")


def test_each_model_says_what_it_says_alone_and_three_are_marked(autotag: Run) -> None:
    (rows,) = compare([SONG], FILES, TagRequest(top=3))
    assert isinstance(rows, list)
    assert {row.cost.file.sha256 for row in rows} == {file.sha256 for file in FILES}
    assert [row.cost.gmac for row in rows] == sorted((row.cost.gmac for row in rows), reverse=True)
    assert rows[0].agreement == 1
    assert all(row.agreement in (0, 0.2, 0.4, 0.6, 0.8, 1) for row in rows)
    last = rows[-1].result
    run = autotag(SONG, "--model", last.model, "--top", 3, "--format", "jsonl")
    assert json.loads(run.stdout)["tags"] == last.to_dict()["tags"]
    marked = {mark: row.cost for row in rows for mark in row.marks}
    assert set(marked) == {"fastest", "best", "sensible"}
    same_data = comparable(FILES)
    auc = {file.name: file.metadata.roc_auc or 0 for file in same_data}
    assert auc[marked["best"].name] == max(auc.values())
    names = {file.name for file in as_good(same_data)}
    good = [row.cost for row in rows if row.cost.name in names]
    assert {row.cost.name for row in rows if row.compared} == set(auc)
    assert marked["sensible"] is min(good, key=lambda cost: sum(cost.ms("mel", "model")))
    assert marked["fastest"] is min((row.cost for row in rows), key=lambda cost: sum(cost.ms("mel", "model")))


def test_models_are_loaded_once_and_a_song_is_decoded_once_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    loads, decodings = [], []

    class Loads(Tagger):
        def __init__(self, *arguments: object, **named: object) -> None:
            loads.append(arguments)
            super().__init__(*arguments, **named)  # type: ignore[arg-type]

    class Holds(Held):
        def __init__(self, audio: Path, sr: int, excerpt: float | None = None) -> None:
            decodings.append((audio, sr))
            super().__init__(audio, sr, excerpt)

    monkeypatch.setattr(measure, "Tagger", Loads)
    monkeypatch.setattr(measure, "Held", Holds)
    files = select(["vgg-12k-48-x1*", "musicnn-1?k-48-*"])
    songs = [SONG, Path("none.mp3"), SONG, SONG]
    found = list(compare(songs, files, TagRequest()))
    assert [isinstance(rows, Failure) for rows in found] == [False, True, False, False]
    assert len(loads) == len(files)
    once = [(SONG, 12000), (SONG, 16000)]
    assert sorted(decodings) == sorted([*4 * once, (Path("none.mp3"), 12000)]), "the first one once before"


def test_whatever_is_wrong_with_a_song_is_its_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaks(Held):
        def __init__(self, audio: Path, sr: int, excerpt: float | None = None) -> None:
            if audio.name == "odd.mp3":
                raise AttributeError("'NoneType' object has no attribute 'name'")
            super().__init__(audio, sr, excerpt)

    monkeypatch.setattr(measure, "Held", Breaks)
    bad, good = compare([Path("odd.mp3"), SONG], select(["vgg-12k-48-x10-db"]), TagRequest())
    assert isinstance(bad, Failure)
    assert (bad.path, bad.error) == ("odd.mp3", "Crashed")
    assert "odd.mp3: AttributeError: 'NoneType'" in bad.message
    assert isinstance(good, list)


def test_an_excerpt_is_compared() -> None:
    (rows,) = compare([SONG], select(["vgg-12k-48-x10-db"]), TagRequest(excerpt=10))
    assert isinstance(rows, list)
    assert (rows[0].result.excerpt, rows[0].cost.seconds) == pytest.approx((10, 10), abs=0.001)


def test_the_table_has_a_line_a_model(autotag: Run, tmp_path: Path) -> None:
    shutil.copy(SONG, tmp_path / "it's “a\nsong”.mp3")
    run = autotag(tmp_path / "it's “a\nsong”.mp3", "--compare", "--models", "vgg-12k-48-*", "--top", 1)
    assert run.returncode == 0, run.stderr
    heading, columns, *rows = run.stdout.splitlines()
    assert heading.endswith("it's “a\\nsong”.mp3  30.0 s")
    assert columns.split() == ["model", "agrees", "tags"]
    names = [file.name for file in select(["vgg-12k-48-*"], "mtat")]
    said, (blank, above, below), costs = rows[: len(names)], rows[len(names) :][:3], rows[len(names) + 3 :]
    assert sorted(row.split()[0] for row in said) == sorted(names)
    assert blank == ""
    assert above.split() == ["mel", "model", "total", "x", "real", "ROC"]
    assert below.split() == ["model", "ms", "ms", "ms", "time", "GMAC", "MB", "kB", "AUC"]
    assert [row.split()[0] for row in costs[: len(names)]] == [row.split()[0] for row in said]
    assert costs[len(names)].startswith("agrees: ")


@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_exceeds_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "dumb")
    chosen = select(["musicnn-16k-96-x1-db", "vgg-12k-48-x10-db"])
    (rows,) = compare([SONG], chosen, TagRequest(excerpt=10))
    assert isinstance(rows, list)
    shown = Terminal()
    write_comparison(rows, shown)
    text = re.sub(r"\x1b\[[\d;]*m", "", shown.getvalue())
    assert max(map(len, text.splitlines())) <= columns
    words = text.split()
    for row in rows:
        assert words.count(row.cost.name) >= 2, "in both tables"
        assert all(f"{score:.2f}" in text and tag in text for tag, score in row.result.tags)
    assert {"best", "fastest"} <= {word.strip(",") for word in words}


def test_other_formats_hold_ordinary_results_and_a_bad_file_is_said(autotag: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.mp3").write_text("words")
    run = autotag(tmp_path / "bad.mp3", SONG, "--compare", "--vocabulary", "msd", "--format", "jsonl")
    assert run.returncode == 1
    assert run.stderr.startswith(f"error: {tmp_path / 'bad.mp3'}: ")
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert {row["model"] for row in found} == {file.name for file in select(None, "msd")}
    assert all(row["ok"] and len(row["tags"]) == 5 for row in found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--compare", "--hop", "x2"], "--compare chooses the models"),
        (["--compare", "--budget", "9ms"], "--compare chooses the models"),
        (["--compare", "--out", "tags.csv"], "--compare prints, and writes no file"),
        (["--models", "vgg-*"], "Add --compare"),
        (["--compare", "--models", "nothing"], "No installed model is nothing"),
    ],
)
def test_options_that_do_not_go_together(autotag: Run, options: list[str], message: str) -> None:
    run = autotag(SONG, *options)
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr
