"""The grid and the report on it, shared, killed and waited for."""

import json
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autotag.config import GRID
from autotag.models.model import Model
from autotag.system.lock import locked
from tests.conftest import ROOT, Run
from train.errors import RunError
from train.networks import cost
from train.study import choose

pytestmark = pytest.mark.usefixtures("narrow")

NAMES = ("vgg-12k-48-x10-db", "vgg-12k-96-x10-db")

EPOCHS = 20
"""So many that a run is not over before it is killed."""


def command(data: Path, cache: Path, work: Path) -> list[str]:
    """Two configurations, two seeds."""
    names = [option for name in NAMES for option in ("--only", name)]
    options = ["--runs", "2", "--epochs", str(EPOCHS), "--cache", str(cache), "--work", str(work)]
    return ["study", "--data", str(data), *names, *options]


def start(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.train.narrow", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@pytest.fixture(scope="module")
def shared(
    msd: Path, cache: Path, here: Run, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """The grid of `command` on the Million Song Dataset's layout: its folder, and what two processes say."""
    run = here("prepare", "--data", msd, "--only", "*-12k-48-*", "--only", "*-12k-96-*", "--cache", cache)
    assert run.returncode == 0, run.stderr
    assert "less than 29.1 s, left out: A/A/A/TRAAACA128F93187A2.mp3" in run.stdout
    work = tmp_path_factory.mktemp("grid")
    processes = [start(*command(msd, cache, work)) for _ in range(2)]
    said = [process.communicate(timeout=300)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    return work, said


@pytest.fixture(scope="module")
def work(shared: tuple[Path, list[str]]) -> Path:
    """The folder of that grid."""
    return shared[0]


def outcome(work: Path) -> dict[str, Any]:
    """Scores of all clips and of all runs, exactly."""
    return {
        str(path.parent.relative_to(work)): np.load(path)["scores"].tolist()
        for path in sorted(work.rglob("predictions.npz"))
    }


def test_tables_2_and_3_are_printed_without_a_data_set(train: Run, here: Run) -> None:
    run = train("study", "--list")
    assert run.returncode == 0, run.stderr
    heading, *rows, note = run.stdout.splitlines()
    assert " ".join(heading.split()) == "configuration frames time: bands: GMAC parameters installed"
    assert {row.split()[0] for row in rows} == {config.name for config in GRID}
    words = {" ".join(row.split()) for row in rows}
    assert "vgg-12k-48-x2-db 683 4 5 8 4 2 4 3 2 2.497 17,362,612 yes" in words
    assert "vgg-16k-8-x1-log 1820 4 5 9 10 2 2 2 1 1.447 17,362,612 no" in words
    assert "musicnn-12k-48-x1-db 140 2 all 0.989 7,966,168 yes" in words
    assert note.startswith("Frames and GMAC are of one segment")
    assert len(here("study", "--list", "--only", "musicnn-*").stdout.splitlines()) == 12 + 2


@pytest.mark.slow
def test_every_run_has_a_folder(work: Path) -> None:
    assert {str(path.relative_to(work)) for path in work.glob("*/*")} == {
        f"{name}/seed-{seed}" for name in NAMES for seed in (0, 1)
    }
    for run in work.glob("*/*"):
        name = run.parent.name
        files = (
            "best.pt",
            "metrics.jsonl",
            "predictions.npz",
            "result.json",
            "run.json",
            f"{name}.fp32.onnx",
        )
        assert {path.name for path in run.iterdir()} == {*files, "lock"}
        assert len((run / "metrics.jsonl").read_text().splitlines()) == EPOCHS
        metadata = Model(run / f"{name}.fp32.onnx").metadata
        assert metadata.name == f"msd-{name}"
        assert metadata.outputs[0] == ("msd", "rock")
        assert metadata.split["train"] == "train_x_msd_id.txt"
        assert metadata.metrics["fp32"] == json.loads((run / "result.json").read_text())["metrics"]
    assert len({str(scores) for scores in outcome(work).values()}) == 4, "seeds and resolutions differ"


@pytest.mark.slow
def test_what_is_complete_is_skipped(msd: Path, cache: Path, work: Path, here: Run) -> None:
    before = times(work)
    run = here(*command(msd, cache, work))
    assert run.returncode == 0
    assert "epoch" not in run.stderr
    assert times(work) == before


def times(work: Path) -> dict[Path, int]:
    """When each file was written; locks have no ending."""
    return {path: path.stat().st_mtime_ns for path in work.rglob("*.*")}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX signal")
def test_a_killed_grid_comes_to_the_same_end(
    msd: Path, cache: Path, work: Path, here: Run, tmp_path: Path
) -> None:
    """As the same runs that nobody disturbed."""
    one_seed = [*command(msd, cache, tmp_path), "--runs", "1"]
    with start(*one_seed) as process:
        second = tmp_path / NAMES[1] / "seed-0" / "metrics.jsonl"  # the cheaper configuration comes first
        while not second.exists() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    assert len(list(tmp_path.rglob("result.json"))) == 1
    run = here(*one_seed)
    assert run.returncode == 0, run.stderr
    assert f"{NAMES[0]} seed 0" not in run.stderr, "what was complete was left alone"
    found = outcome(tmp_path)
    assert len(found) == 2
    assert found.items() <= outcome(work).items()


@pytest.mark.slow
def test_processes_share_the_grid(shared: tuple[Path, list[str]]) -> None:
    work, said = shared
    last = f'"epoch": {EPOCHS},'
    assert all(last in words for words in said), "both take part"
    assert "".join(said).count(last) == 4, "and no run is trained twice"
    assert not any("mel 12k" in words for words in said), "all of it was prepared"
    assert len(list(work.rglob("*.fp32.onnx"))) == 4


@pytest.mark.slow
def test_a_run_of_another_process_is_waited_for(msd: Path, cache: Path, tmp_path: Path) -> None:
    """And done here, if the other one dies."""
    run = tmp_path / NAMES[0] / "seed-0"
    run.mkdir(parents=True)
    one = [*command(msd, cache, tmp_path), "--runs", "1", "--epochs", "1"]
    with start(*one) as process:
        with locked(run / "lock"):
            while not (tmp_path / NAMES[1] / "seed-0" / f"{NAMES[1]}.fp32.onnx").exists():
                assert process.poll() is None
                time.sleep(0.05)
            time.sleep(1)
            assert process.poll() is None, "it does not end before the other run is complete"
            assert not (run / "run.json").exists()
        _, said = process.communicate(timeout=300)
    assert "waiting for 1 runs of other processes" in said.decode()
    assert process.returncode == 0
    assert (run / "result.json").exists()


def test_a_run_that_fails_does_not_stop_the_grid(msd: Path, cache: Path, here: Run, tmp_path: Path) -> None:
    run = tmp_path / NAMES[0] / "seed-0"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    done = here(*command(msd, cache, tmp_path), "--runs", "1", "--epochs", "1")
    assert done.returncode == 1
    assert f"{NAMES[0]} seed 0 failed: {run} holds another run" in done.stderr
    assert f"error: 1 runs failed, the others are complete: {run}. " in done.stderr
    assert (tmp_path / NAMES[1] / "seed-0" / f"{NAMES[1]}.fp32.onnx").exists()


def test_fit_keeps_out_of_a_run_of_another_process(msd: Path, here: Run, tmp_path: Path) -> None:
    run = tmp_path / NAMES[0] / "seed-0"
    run.mkdir(parents=True)
    with locked(run / "lock"):
        done = here("fit", NAMES[0], "--data", msd, "--cache", tmp_path, "--work", tmp_path)
    assert done.returncode == 2
    assert f"error: {run}: another process is at this run" in done.stderr


def test_the_grid_is_not_for_torchrun(msd: Path, here: Run, tmp_path: Path) -> None:
    done = here("study", "--data", msd, "--work", tmp_path, WORLD_SIZE="2", RANK="0")
    assert done.returncode == 2
    assert "Start it once per GPU instead" in done.stderr


@pytest.mark.slow
def test_the_best_run_of_each_configuration_is_exported(
    msd: Path, cache: Path, work: Path, here: Run, autotag: Run, song: Path, tmp_path: Path
) -> None:
    run = here("export", "--all", "--work", work, "--cache", cache, "--models", tmp_path)
    assert run.returncode == 0, run.stderr
    assert [Path(line).name for line in run.stdout.splitlines()] == [f"msd-{name}.onnx" for name in NAMES]
    for name in NAMES:
        results = [json.loads((work / name / f"seed-{seed}" / "result.json").read_text()) for seed in (0, 1)]
        best = min(results, key=lambda result: result["valid_loss"])
        path = tmp_path / f"msd-{name}.onnx"
        run = here("evaluate", path, "--data", msd, "--cache", cache)
        measured = Model(path).metadata.metrics
        found = json.loads(run.stdout)
        drawn = measured["int8"]["test"].pop("resampled")
        assert found.items() >= measured["int8"]["test"].items()
        assert found["resampled"] == "4 clips"
        assert min(drawn["roc_auc"]) <= found["roc_auc"] <= max(drawn["roc_auc"])
        scores = measured["fp32"]["test"]
        assert scores["roc_auc"] == pytest.approx(best["metrics"]["test"]["roc_auc"], abs=1e-6)
    (found,) = json.loads(
        autotag(song, "--model", tmp_path / f"msd-{NAMES[0]}.onnx", "--format", "json").stdout
    )
    assert found["model"] == f"msd-{NAMES[0]}"


@pytest.mark.slow
def test_the_report(work: Path, here: Run, tmp_path: Path) -> None:
    run = here("report", work, "--out", tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text("utf-8")
    assert text.startswith("# Not the Million Song Dataset: the study on `msd")
    assert "7 / 4 / 4 clips" in text.splitlines()[0]
    assert "4 runs of 2 of 100 configurations" in text
    assert "Recipe (none of those with a name): labels annotations, epochs 20, batch 64" in text
    assert "have no AUC, because too few clips have them, or all" in text
    for name in NAMES:
        results = [json.loads(path.read_text()) for path in work.glob(f"{name}/*/result.json")]
        scores = [100 * result["metrics"]["test"]["roc_auc"] for result in results]
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} | 2 |"))
        assert f"| {np.mean(scores):.2f} ± {np.std(scores, ddof=1):.2f} |" in row
        assert (
            f"| {name} | {results[0]['gmac']:.3f} | {results[0]['parameters']:,} "
            f"| {results[0]['bytes_per_clip']:,} |" in text
        )
    assert re.search(rf"\| {NAMES[0]} against {NAMES[1]} \| 2, 2 \| -?\d", text), "the t-test"
    assert f"| 48 bands for 96 | {NAMES[1]} → {NAMES[0]} |" in text
    assert (tmp_path / "figure-1.png").read_bytes().startswith(b"\x89PNG")
    drawn = "".join(ET.parse(tmp_path / "figure-1.svg").getroot().itertext())
    for label in ("ROC AUC, 12 kHz (%)", "PR AUC, 16 kHz (%)", "GMAC a segment", "48 x10", "8 x1", "not run"):
        assert label in drawn


def test_choosing_from_the_grid() -> None:
    assert len(choose("all", ())) == 100
    assert len(choose("musicnn", ())) == 12
    chosen = choose("all", ("vgg-12k-48-*-db", "musicnn-*-96-*"))
    assert len(chosen) == 6 + 4
    work = [cost(config)[0] for config in chosen]
    assert work == sorted(work), "the cheapest first"
    with pytest.raises(RunError, match="--only 'vgg-48' matches no configuration"):
        choose("vgg", ("vgg-*", "vgg-48"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["study", "--data", "nowhere", "--only", "x*"], 2, "--only 'x*' matches no configuration of all"),
        (
            ["study", "--data", "nowhere", "--arch", "x"],
            2,
            "--arch 'x' is not an architecture. Use vgg, musicnn",
        ),
        (["study", "--data", "nowhere"], 2, "nowhere: no data set"),
        (["report", "nowhere"], 2, "nowhere: no complete run in it"),
        (["export"], 2, "Name one RUN, or use --all or --untrained."),
        (
            ["export", "--untrained", "vgg-12k-8-x2-db"],
            2,
            "hop multiple of vgg at 8 bands 2 is not avail",
        ),
        (["study"], 2, "Name a data set, or use --list."),
        (["export", "--all", "--work", "nowhere"], 2, "nowhere: no complete run in it"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(here: Run, arguments: list[str], code: int, message: str) -> None:
    run = here(*arguments)
    assert run.returncode == code
    assert message in run.stderr
