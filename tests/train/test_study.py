"""The grid and its report, on small data sets of both layouts."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autotag.config import GRID, Config
from autotag.models.model import Model
from autotag.system.lock import locked
from tests.conftest import ROOT, Run
from tests.train.conftest import children
from train.errors import RunError
from train.fit.recipe import Recipe
from train.fit.run import RunResult
from train.networks import cost
from train.report.figure import figure_1
from train.report.published import LISTED, SCORES, USED
from train.report.tables import collect, report
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


def test_what_is_complete_is_skipped(msd: Path, cache: Path, work: Path, here: Run) -> None:
    before = times(work)
    run = here(*command(msd, cache, work))
    assert run.returncode == 0
    assert "epoch" not in run.stderr
    assert times(work) == before


def times(work: Path) -> dict[Path, int]:
    """When each file was written; locks have no ending."""
    return {path: path.stat().st_mtime_ns for path in work.rglob("*.*")}


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX signal")
def test_a_killed_grid_comes_to_the_same_end(
    msd: Path, cache: Path, work: Path, narrow_train: Run, tmp_path: Path
) -> None:
    """As the same runs that nobody disturbed."""
    one_seed = [*command(msd, cache, tmp_path), "--runs", "1"]
    with start(*one_seed) as process:
        second = tmp_path / NAMES[1] / "seed-0" / "metrics.jsonl"  # the cheaper configuration comes first
        while not second.exists() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    assert len(list(tmp_path.rglob("result.json"))) == 1
    run = narrow_train(*one_seed)
    assert run.returncode == 0, run.stderr
    assert f"{NAMES[0]} seed 0" not in run.stderr, "what was complete was left alone"
    found = outcome(tmp_path)
    assert len(found) == 2
    assert found.items() <= outcome(work).items()


def test_processes_share_the_grid(shared: tuple[Path, list[str]]) -> None:
    work, said = shared
    last = f'"epoch": {EPOCHS},'
    assert all(last in words for words in said), "both take part"
    assert "".join(said).count(last) == 4, "and no run is trained twice"
    assert not any("mel 12k" in words for words in said), "all of it was prepared"
    assert len(list(work.rglob("*.fp32.onnx"))) == 4


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
        assert json.loads(run.stdout).items() >= measured["int8"]["test"].items()
        scores = measured["fp32"]["test"]
        assert scores["roc_auc"] == pytest.approx(best["metrics"]["test"]["roc_auc"], abs=1e-6)
    (found,) = json.loads(
        autotag(song, "--model", tmp_path / f"msd-{NAMES[0]}.onnx", "--format", "json").stdout
    )
    assert found["model"] == f"msd-{NAMES[0]}"


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_two_processes_train_one_network(data: Path, cache: Path, tmp_path: Path) -> None:
    """Under torchrun, killed in the middle and started again: both come to the same end."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

    def launch(work: str) -> "subprocess.Popen[str]":
        soft = ["--recipe", "soft", "--labels", "soft", "--epochs", str(EPOCHS)]
        fit = ["-m", "tests.train.narrow", "fit", NAMES[0], "--data", str(data), *soft]
        return subprocess.Popen(
            [*torchrun, *fit, "--cache", str(cache), "--work", str(tmp_path / work)],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    _, said = launch("whole").communicate(timeout=300)
    assert said.count(f'"epoch": {EPOCHS},') == 1, f"one of them speaks: {said}"
    result = json.loads((tmp_path / "whole" / NAMES[0] / "seed-0" / "result.json").read_text())
    assert result["device"].endswith(", 2 of them")

    run = tmp_path / "part" / NAMES[0] / "seed-0"
    with launch("part") as process:
        while not (run / "last.pt").exists() and process.poll() is None:
            time.sleep(0.02)
        for pid in (process.pid, *children(process.pid)):
            os.kill(pid, signal.SIGKILL)
    assert len((run / "metrics.jsonl").read_text().splitlines()) < EPOCHS
    _, said = launch("part").communicate(timeout=300)
    assert '"epoch": 1,' not in said, "it began again"
    assert f'"epoch": {EPOCHS},' in said
    assert outcome(tmp_path / "part") == outcome(tmp_path / "whole")
    ends = [torch.load(tmp_path / w / NAMES[0] / "seed-0" / "best.pt")["model"] for w in ("whole", "part")]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_the_report(work: Path, here: Run, tmp_path: Path) -> None:
    run = here("report", work, "--out", tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text("utf-8")
    assert text.startswith("# Not the Million Song Dataset: the study on `msd")
    assert "7 / 4 / 4 clips" in text.splitlines()[0]
    assert "4 runs of 2 of 100 configurations" in text
    assert "Recipe (not the study's): labels annotations, epochs 20, batch 64" in text
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


def result_of(name: str, seed: int, roc_auc: float, **other: Any) -> dict[str, Any]:
    """What a run on all of MagnaTagATune would have left, with made-up metrics."""
    return {
        "config": name,
        "kind": "mtat",
        "dataset": "magnatagatune",
        "fingerprint": "none",
        "epoch": 13,
        "valid_loss": 0.1,
        "precision": "float32",
        "listed": LISTED["mtat"],
        "clips": USED["mtat"],
        "undefined": {"valid": [], "test": []},
        "recipe": asdict(Recipe(seed=seed)),
        "metrics": {"test": {"roc_auc": roc_auc, "pr_auc": roc_auc / 2}},
        "gmac": 2.0,
        "parameters": 1000,
        "bytes_per_clip": 4000,
        "seconds": 100.0,
        "clips_per_second": 50.0,
        "device": "abacus",
        "peak_gmac_per_second": 600,
        "commit": "0000000",
    } | other


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports whose figure, which takes longest and others test, is not drawn."""
    monkeypatch.setattr("train.report.tables.figure_1", lambda *_: None)


def write_results(work: Path, results: list[dict[str, Any]]) -> None:
    for result in results:
        run = work / result["config"] / f"seed-{result['recipe']['seed']}"
        run.mkdir(parents=True)
        (run / "result.json").write_text(json.dumps(result))


@pytest.mark.usefixtures("undrawn")
def test_the_report_on_the_real_data_set_compares(tmp_path: Path) -> None:
    name, wider = "vgg-12k-48-x1-db", "vgg-12k-96-x1-db"
    rows = [(name, 0.88), (name, 0.90), (name, 0.89), (wider, 0.87), (wider, 0.86), (wider, 0.88)]
    write_results(tmp_path, [result_of(n, seed % 3, roc) for seed, (n, roc) in enumerate(rows)])
    text = report([tmp_path], tmp_path / "out").read_text("utf-8")
    assert text.startswith("# The study on MagnaTagATune\n")
    assert "nothing of a reproduction" not in text
    assert "Recipe (the study's): labels annotations, epochs 13, batch 64" in text
    # 89 - 89.02 and 44.5 - 35.87
    assert (
        f"| {name} | 3 | 89.02 ± 0.03 | 89.00 ± 1.00 | -0.02 | 35.87 ± 0.44 | 44.50 ± 0.50 | +8.63 |" in text
    )
    # Two samples of three with deviations of 1 and means 2 apart: t = 2 / sqrt(2 / 3), p from its table.
    assert f"| {name} against {wider} | 3, 3 | 2.449 | 0.070 | 2.449 | 0.070 |" in text
    assert f"| 48 bands for 96 | {wider} → {name} | 87.00 → 89.00 | -2.30 % |" in text
    # Three passes of 2 GMAC for 50 clips a second are half the peak.
    assert f"| {name} | 2.000 | 1,000 | 4,000 | 100 | 50.0 | 300 | 50 % |" in text
    for published in SCORES["mtat"] | SCORES["msd"]:
        assert f"| {published} | " in text


def test_runs_that_do_not_compare_are_refused(tmp_path: Path) -> None:
    other = asdict(Recipe(labels="soft"))
    results = [result_of(NAMES[0], 0, 0.9), result_of(NAMES[1], 0, 0.9, recipe=other)]
    write_results(tmp_path, results)
    with pytest.raises(RunError, match="differ in data set or recipe"):
        collect([tmp_path])


@pytest.mark.usefixtures("undrawn")
def test_half_a_data_set_says_so_in_the_heading(tmp_path: Path) -> None:
    clips = USED["mtat"] | {"train": 300}
    write_results(tmp_path, [result_of(NAMES[0], 0, 0.9, clips=clips)])
    text = report([tmp_path], tmp_path).read_text("utf-8")
    assert text.startswith("# A part of MagnaTagATune: the study on 300 / 1,825 / 5,329 clips\n")
    assert "nothing of a reproduction" in text


@pytest.mark.usefixtures("undrawn")
def test_one_report_holds_both_data_sets(tmp_path: Path) -> None:
    msd = {"kind": "msd", "dataset": "msd", "listed": LISTED["msd"], "clips": USED["msd"]}
    name = "musicnn-12k-96-x1-db"
    write_results(tmp_path / "a", [result_of(name, 0, 0.91)])
    write_results(tmp_path / "b", [result_of(name, 0, 0.87, **msd)])
    text = report([tmp_path / "a", tmp_path / "b"], tmp_path).read_text("utf-8")
    assert text.startswith("# The study on MagnaTagATune; The study on the Million Song Dataset\n")
    four, five = text.split("## Table 4")[1].split("## What")[0].split("## Table 5")
    assert f"| {name} | 1 | 90.50 | 91.00 | +0.50 | 37.70 | 45.50 | +7.80 |" in four
    assert f"| {name} | 1 | 87.16 | 87.00 | -0.16 | 27.10 | 43.50 | +16.40 |" in five


def test_the_published_figures() -> None:
    names = {config.name for config in GRID}
    assert {kind: len(scores) for kind, scores in SCORES.items()} == {"mtat": 36, "msd": 23}
    assert all(set(scores) <= names for scores in SCORES.values())
    path = ROOT.parent / "shared" / "study" / "published.csv"
    if not path.exists():
        pytest.skip("the authors' results are not here")
    for line in path.read_text().splitlines()[1:]:
        kind, arch, mels, hop, sr, log, roc, roc_sd, pr, pr_sd, _ = line.split(",")
        found = SCORES[kind][f"{arch}-{sr}-{mels}-{hop}-{log}"]
        assert found == (float(roc), float(pr), *((float(roc_sd), float(pr_sd)) if roc_sd else (None, None)))


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
            "--arch 'x' is not an architecture. Use vgg, musicnn or all.",
        ),
        (["study", "--data", "nowhere"], 2, "nowhere: no data set"),
        (["report", "nowhere"], 2, "nowhere: no complete run in it"),
        (["export"], 2, "name one RUN, or use --all"),
        (["export", "--all", "--work", "nowhere"], 2, "nowhere: no complete run in it"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(here: Run, arguments: list[str], code: int, message: str) -> None:
    run = here(*arguments)
    assert run.returncode == code
    assert message in run.stderr


def test_the_figure_is_drawn_the_same_twice(tmp_path: Path) -> None:
    found = [RunResult.from_dict(result_of(NAMES[0], seed, 0.9 + seed / 100)) for seed in (0, 1)]
    results = {Config.parse(NAMES[0]): found}
    paths = [tmp_path / f"{i}.svg" for i in range(2)]
    for path in paths:
        figure_1(results, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
