"""Models within a budget: speeds that are known, written where they are remembered, and measured ones."""

import json
from pathlib import Path

import pytest

from autotag.errors import BudgetError
from autotag.models.registry import select
from autotag.speed import choose as budget
from autotag.system import files, machine
from tests.conftest import SONG, Run

ENTRIES = select(["vgg-12k-48-x*-db"], "mtat")
BY_AUC = sorted(ENTRIES, key=lambda entry: entry.metadata.roc_auc or 0)
"""All models of 48 bands, the worst first."""


@pytest.fixture(autouse=True)
def speeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The better a model, the slower it is here: 10 ms, 20 ms, and so on."""
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    ms = {entry.sha256: 10.0 * place for place, entry in enumerate(BY_AUC, 1)}
    path = files.cache() / "speeds.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"machine": machine.describe(), "ms": ms}))
    return path


def test_the_best_within_the_budget() -> None:
    assert budget.within(ENTRIES).entry is BY_AUC[-1]
    choice = budget.within(ENTRIES, max_ms=25)
    assert (choice.entry, choice.ms) == (BY_AUC[1], 20)
    assert f"20.0 ms for 29.1 s of music here, {choice.entry.bytes / 1e6:.1f} MB, ROC AUC" in choice.reason
    assert f"the highest of 2 within the budget, of {len(ENTRIES)}" in choice.reason
    assert f"{BY_AUC[2].metadata.name} would have" in choice.reason
    assert budget.within(ENTRIES, max_mb=1e3, min_auc=0.5).entry is BY_AUC[-1]
    assert "would have" not in budget.within(ENTRIES).reason


def test_a_budget_for_none_says_what_there_is() -> None:
    best = BY_AUC[-1].metadata.roc_auc
    with pytest.raises(BudgetError, match=rf"\(the fastest takes 10.0 ms\).*of {best:.4f}\)"):
        budget.within(ENTRIES, max_ms=5)
    with pytest.raises(BudgetError, match="0 small enough"):
        budget.within(ENTRIES, max_mb=0.1)
    with pytest.raises(BudgetError, match="none is all of it"):
        budget.within(ENTRIES, max_ms=15, min_auc=best)


def test_speeds_are_measured_once_a_machine(speeds: Path) -> None:
    few = BY_AUC[:2]
    assert list(budget.speeds(few).values()) == [10, 20], "what is remembered"
    measured = budget.speeds(few, again=True)
    assert all(ms > 0 and ms not in (10, 20) for ms in measured.values())
    assert budget.speeds(few) == measured, "remembered in its place"
    known = json.loads(speeds.read_text())
    for change in ({"machine": known["machine"] | {"processor": "abacus"}}, {"ms": [1]}):
        speeds.write_text(json.dumps(known | change))
        assert set(budget.speeds(few).values()).isdisjoint(measured.values()), "measured again"
    assert json.loads(speeds.read_text())["machine"] == machine.describe()


def test_what_cannot_be_remembered_is_measured_all_the_same(speeds: Path) -> None:
    speeds.unlink()
    speeds.parent.rmdir()
    speeds.parent.write_text("a file where the folder should be")
    assert budget.speeds(BY_AUC[:1])[BY_AUC[0].sha256] > 0


def test_choose_prints_a_name_for_scripts_and_the_reason_for_people(autotag: Run) -> None:
    run = autotag("choose", "--max-ms", 25, "--models", "vgg-12k-48-x*-db")
    assert (run.returncode, run.stdout) == (0, f"{BY_AUC[1].metadata.name}\n")
    assert run.stderr.startswith("20.0 ms for 29.1 s of music here, ")
    run = autotag("choose", "--max-ms", 0.001, "--models", "vgg-12k-48-x*-db")
    assert (run.returncode, run.stdout) == (2, "")
    assert "error: no model at hand is within that budget: 0 of " in run.stderr


def test_a_song_is_tagged_within_a_budget(autotag: Run, speeds: Path) -> None:
    known = json.loads(speeds.read_text())
    fast = {entry.sha256: 1000.0 for entry in select()} | {BY_AUC[0].sha256: 3.0}
    speeds.write_text(json.dumps(known | {"ms": fast}))
    for budget_ in ("20ms", "20"):
        run = autotag(SONG, "--budget", budget_, "--format", "jsonl")
        assert json.loads(run.stdout)["model"] == BY_AUC[0].metadata.name
    run = autotag(SONG, "--budget", "2ms")
    assert run.returncode == 2
    assert "the fastest takes 3.0 ms" in run.stderr
    for wrong in ("soon", "-1ms"):
        run = autotag(SONG, "--budget", wrong)
        assert run.returncode == 2
        assert "use a number of milliseconds" in run.stderr
    run = autotag(SONG, "--budget", "20ms", "--hop", "x10")
    assert run.returncode == 2
    assert "--budget says which models to use" in run.stderr
