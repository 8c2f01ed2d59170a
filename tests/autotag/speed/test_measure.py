"""Costs of models: the arithmetic on costs made by hand, and real measurements as far as they are certain."""

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from autotag.audio.decode import decode
from autotag.errors import AudioNotFound
from autotag.models.registry import find, select
from autotag.speed.measure import (
    IMPORTS,
    Cost,
    baseline,
    clip,
    cold,
    load_models,
    measure,
    overhead,
    ratio,
    spread,
)
from autotag.tagger import Tagger
from tests.conftest import SONG, Run

SMALL = "vgg-12k-48-x10-db"
LARGE = "vgg-12k-48-x5-db"


def cost(name: str, rounds: list[tuple[float, float, float]]) -> Cost:
    steps = ("decode", "mel", "model")
    return Cost(find(name), 1, None, 1.0, [dict(zip(steps, ms, strict=True)) for ms in rounds])


def test_a_spread_is_median_and_quartiles() -> None:
    assert spread([5, 1, 2, 4, 3]) == (3, 2, 4)
    assert spread([7]) == (7, 7, 7)


def test_ratios_are_formed_within_a_round() -> None:
    slow = cost(LARGE, [(10, 1, 9), (10, 2, 18), (10, 3, 37)])
    fast = cost(SMALL, [(10, 1, 4), (10, 1, 9), (10, 2, 18)])
    assert ratio(slow, fast) == spread([20 / 15, 30 / 20, 50 / 30])
    assert ratio(slow, fast, "mel", "model").median == 2, "in every round, though the machine became slower"
    assert overhead(fast) == [1.5, 2, 3]


def test_all_models_are_measured_as_often_and_their_work_is_counted() -> None:
    costs = measure([SONG, SONG], load_models([find(SMALL), find(LARGE)], [1, 2], [None, 2]), 2)
    asked = [(name, threads, batch) for name in (SMALL, LARGE) for threads in (1, 2) for batch in (None, 2)]
    assert [(c.name, c.threads, c.batch) for c in costs] == asked
    for found in costs:
        assert len(found.rounds) == 2
        assert all(ms > 0 for step in ("decode", "mel", "model") for ms in found.ms(step))
        assert found.ms() == pytest.approx([sum(each.values()) for each in found.rounds])
        assert found.gmac == pytest.approx(4 * found.file.metadata.gmac), "two segments of each song"
        assert found.seconds == pytest.approx(60, abs=0.1)
        np.testing.assert_allclose(found.scores[0].scores, found.scores[1].scores, atol=1e-5)
        alone = Tagger(found.name).scores(SONG)
        np.testing.assert_allclose(found.scores[0].scores, alone.scores, atol=0.03)
        assert (found.scores[0].duration, found.scores[0].warnings) == (alone.duration, alone.warnings)
    assert [costs[0].spectrogram, costs[-1].spectrogram] == [4 * 48 * 137, 4 * 48 * 274]
    assert baseline(costs) is costs[4], "the larger one, with fewer threads"


def test_an_excerpt_is_less_work() -> None:
    (found,) = measure([SONG], load_models([find(SMALL)], [1]), 1, excerpt=29.1)
    assert found.gmac == pytest.approx(found.file.metadata.gmac)
    assert found.seconds == pytest.approx(29.1, abs=0.01)


def test_a_song_that_is_not_there_stops_it() -> None:
    with pytest.raises(AudioNotFound):
        measure([Path("none.mp3")], load_models([find(SMALL)], [1]), 1)


def test_the_clip_is_one_segment_of_the_study(tmp_path: Path) -> None:
    samples = decode(clip(tmp_path), 44100)
    assert len(samples) == pytest.approx(29.1 * 44100, abs=1)
    assert 0.1 < np.abs(samples).max() <= 1


def test_a_cold_start_takes_longer_than_its_imports_and_more_memory() -> None:
    starts = cold(SONG, [SMALL], 2)
    assert {name: len(found) for name, found in starts.items()} == {IMPORTS: 2, SMALL: 2}
    assert min(s.seconds for s in starts[SMALL]) > min(s.seconds for s in starts[IMPORTS]) > 0
    if sys.platform == "linux":
        imports, whole = (starts[name][0].memory for name in (IMPORTS, SMALL))
        assert imports and whole and 20e6 < imports < whole < 1e9


def test_bench_as_json_has_every_figure(autotag: Run) -> None:
    names = ["--models", SMALL, "--models", LARGE]
    run = autotag("bench", SONG, *names, "--rounds", 2, "--threads", "1,2", "--json")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["baseline"] == LARGE
    assert found["machine"]["cores"] >= 1
    assert found["imports"]["seconds"]["median"] > 0
    assert [(row["model"], row["threads"]) for row in found["models"]] == [
        *((LARGE, 1), (LARGE, 2), (SMALL, 1), (SMALL, 2))
    ]
    for row in found["models"]:
        ms = {step: values["median"] for step, values in row["ms"].items()}
        assert ms["total"] > max(ms["decode"], ms["mel"], ms["model"])
        assert row["gmac_per_second"] == pytest.approx(1000 * row["gmac"] / ms["model"])
        assert row["relative_to_decoding"]["median"] > 1
        assert row["bytes"] == find(row["model"]).path.stat().st_size
        assert row["roc_auc"] == find(row["model"]).metadata.roc_auc
    assert found["models"][0]["relative_to_baseline"] == {"median": 1, "low": 1, "high": 1}
    assert found["models"][2]["relative_to_baseline"]["median"] < 1


def test_bench_as_a_table_of_a_clip_of_its_own_with_a_picture(autotag: Run, tmp_path: Path) -> None:
    picture = tmp_path / "bench.svg"
    run = autotag("bench", "--models", "*-48-x10-db", "--rounds", 1, "--plot", picture)
    assert run.returncode == 0, run.stderr
    above, heading, *rows = run.stdout.splitlines()
    assert heading.split()[0] == "model"
    assert "mel + model, 1 is" in above and "start to" in above
    names = {file.name for file in select(["*-48-x10-db"])}
    assert {row.split()[0] for row in rows[: len(names)]} == names
    assert "For 29.1 s of audio: medians of one round." in run.stdout
    assert "±" not in run.stdout
    assert run.stderr.endswith(f"models timed -> {picture}\n")
    words = "".join(ET.parse(picture).getroot().itertext())
    assert "48-x10" in words
    assert "Pareto front" in words


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["none.mp3"], 1, "error: none.mp3: no such file"),
        (["--models", "nothing-*"], 2, "No installed model is nothing-*."),
        (["--threads", "1,0"], 2, "'1,0' is not allowed. Use numbers from 1"),
        (["--plot", "bench.txt"], 2, "'bench.txt' is not allowed. Use a name that ends in .svg or .png"),
        (
            ["--device", "abacus"],
            2,
            "error: device 'abacus' is not one that this onnxruntime can use. Use cpu",
        ),
    ],
)
def test_a_wrong_request_says_what_is_right(
    autotag: Run, options: list[str], code: int, message: str
) -> None:
    run = autotag("bench", *options)
    assert run.returncode == code
    assert message in " ".join(run.stderr.replace("│", " ").split())
    assert run.stdout == ""
