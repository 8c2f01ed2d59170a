"""Models within a budget: speeds that are known, written where they are remembered, and measured ones."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autotag.errors import BudgetError
from autotag.models.registry import comparable, select
from autotag.speed import choose
from autotag.speed.remembered import Speed, remember, remembered
from autotag.system import files
from autotag.system.machine import machine_facts
from tests.conftest import SONG, Run

FILES = comparable(select(["vgg-12k-48-x*-db"]))
BY_AUC = sorted(FILES, key=lambda file: file.metadata.roc_auc or 0)
"""Models of 48 bands that were measured on the same data, the worst first."""

DAY = 86400.0


@pytest.fixture(autouse=True)
def speeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The better a model, the slower it is here: 10 ms, 20 ms, and so on, measured three days ago."""
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    before = time.time() - 3 * DAY
    remember({file.sha256: Speed(10.0 * place, before) for place, file in enumerate(BY_AUC, 1)})
    return files.cache() / "speeds.json"


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What a clock says of every model, round by round, in place of measuring."""

    def clock(*ms: float) -> None:
        class Heard:
            def __init__(self) -> None:
                self.ms = {"mel": 1.0, "model": next(each) - 1.0}

        each = (value for value in (ms[0], *ms) for _ in BY_AUC[:1])
        monkeypatch.setattr(choose, "clip", lambda folder: SONG)  # which nobody listens to
        monkeypatch.setattr(choose, "score_song", lambda song, models, chance=None: [Heard() for _ in models])

    return clock


def test_the_best_within_the_budget() -> None:
    assert choose.within(FILES).model is BY_AUC[-1]
    choice = choose.within(FILES, max_ms=25)
    assert (choice.model, choice.ms) == (BY_AUC[1], 20)
    assert f"20.0 ms for 29.1 s of music here, {choice.model.bytes / 1e6:.1f} MB, ROC AUC" in choice.reason
    assert f"the highest of 2 within the budget, of {len(FILES)}; {BY_AUC[2].name} has" in choice.reason
    assert "(measured 3 days ago; 'autotag choose --again' measures again)" in choice.reason
    assert choose.within(FILES, max_mb=1e3, min_auc=0.5).model is BY_AUC[-1]
    assert "; vgg" not in choose.within(FILES).reason


def test_what_was_measured_on_other_data_is_left_out_and_said() -> None:
    """Its ROC AUC is of other clips, and says nothing of which model is better."""
    flattered = replace(
        BY_AUC[-1].metadata, dataset="easy clips", name="easy", metrics={"int8": {"test": {"roc_auc": 1.0}}}
    )
    easy = replace(BY_AUC[-1], name="easy", metadata=flattered)
    choice = choose.within([easy, *FILES])
    assert choice.model is BY_AUC[-1]
    assert "Left out: 1 models whose scores were measured on other data" in choice.reason
    assert comparable([easy]) == [easy]


def test_a_budget_for_none_names_the_nearest_and_how_old_the_times_are() -> None:
    best, worst = BY_AUC[-1], BY_AUC[0]
    with pytest.raises(BudgetError) as refused:
        choose.within(FILES, max_ms=5)
    assert str(refused.value) == (
        f"No model takes at most 5 ms. The fastest, {worst.name}, takes 10.0 ms "
        "(measured 3 days ago; 'autotag choose --again' measures again)."
    )
    with pytest.raises(BudgetError, match=r"No model has at most 0.1 MB. The smallest, .*, has \d.\d MB"):
        choose.within(FILES, max_mb=0.1)
    auc = best.metadata.roc_auc or 0.0
    with pytest.raises(BudgetError) as refused:
        choose.within(FILES, max_ms=15, min_auc=auc)
    assert str(refused.value).startswith(
        f"No model takes at most 15 ms and has a ROC AUC of at least {auc:g}. "
        f"The fastest within the other limits, {best.name}, takes {10 * len(FILES)}.0 ms; "
        f"the best within the other limits, {worst.name}, has "
    )


def test_a_speed_is_that_of_the_fastest_round_and_remembered_when_several_agree(
    rounds: Callable[..., None],
) -> None:
    rounds(9.0, 5.0, 5.1, 40.0, 5.2)
    (few,) = [BY_AUC[:1]]
    assert choose.speeds(few, again=True)[few[0].sha256].ms == 5, "and no sixth round was needed"
    assert remembered()[few[0].sha256].ms == 5
    assert remembered()[BY_AUC[1].sha256].ms == 20, "the others are still known"


def test_speeds_that_scatter_are_not_remembered_and_it_is_said(rounds: Callable[..., None]) -> None:
    rounds(*(3.0 * 2**turn for turn in range(choose.ROUNDS)))
    few = BY_AUC[:1]
    choice = choose.within(few, again=True)
    assert choice.ms == 3
    assert "(1 of 1 times scattered by over 25% and are not remembered; " in choice.reason
    assert few[0].sha256 not in remembered()
    rounds(*(3.0 * 2**turn for turn in range(choose.ROUNDS)))
    with pytest.raises(BudgetError, match=r"scattered .* 'autotag choose --again' measures again"):
        choose.within(few, max_ms=1)


def test_progress_is_told_while_speeds_are_measured(rounds: Callable[..., None]) -> None:
    told: list[tuple[int, int]] = []
    choose.speeds(BY_AUC[:1], progress=lambda done, total, _: told.append((done, total)))
    assert told == [], "what is remembered"
    rounds(*[4.0] * choose.FEWEST)
    choose.speeds(BY_AUC[:1], again=True, progress=lambda done, total, _: told.append((done, total)))
    assert told == [(turn, choose.ROUNDS) for turn in range(choose.FEWEST)]


def test_a_real_measurement() -> None:
    assert all(speed.ms not in (10, 20) for speed in choose.speeds(BY_AUC[:2], again=True).values())


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "\0" * 100,
        lambda text: "[1, 2]",
        lambda text: "[" * 100_000,
        lambda text: "",
        lambda text: json.dumps(json.loads(text) | {"machine": {"processor": "abacus"}}),
        lambda text: json.dumps(json.loads(text) | {"speeds": [1]}),
        lambda text: json.dumps(json.loads(text) | {"speeds": {file.sha256: {"ms": -1} for file in FILES}}),
        lambda text: text.replace("10.0", "NaN").replace("20.0", '"fast"'),
        lambda text: json.dumps({"machine": machine_facts(), "ms": {file.sha256: 1.0 for file in FILES}}),
    ],
)
def test_speeds_of_another_machine_or_damaged_ones_are_unknown(
    speeds: Path, damage: Callable[[str], str]
) -> None:
    speeds.write_text(damage(speeds.read_text()))
    assert not remembered().keys() & {file.sha256 for file in BY_AUC[:2]}
    remember({BY_AUC[0].sha256: Speed(1.0, 1.0)})
    assert remembered() == {BY_AUC[0].sha256: Speed(1.0, 1.0)}


def test_what_cannot_be_remembered_is_measured_all_the_same(speeds: Path) -> None:
    speeds.unlink()
    speeds.parent.rmdir()
    speeds.parent.write_text("a file where the folder should be")
    assert choose.speeds(BY_AUC[:1])[BY_AUC[0].sha256].ms > 0


def test_choose_prints_a_name_for_scripts_and_the_reason_for_people(autotag: Run) -> None:
    run = autotag("choose", "--max-ms", 25, "--models", "vgg-12k-48-x*-db")
    assert (run.returncode, run.stdout) == (0, f"{BY_AUC[1].name}\n")
    assert run.stderr.startswith("20.0 ms for 29.1 s of music here, ")
    run = autotag("choose", "--max-ms", 0.001, "--models", "vgg-12k-48-x*-db")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: No model takes at most 0.001 ms. The fastest, ")
    assert "--again" in run.stderr
    run = autotag("choose", "--again", "--models", "vgg-12k-48-x10-db")
    assert (run.returncode, run.stdout) == (0, "vgg-12k-48-x10-db\n")


def test_a_song_is_tagged_within_a_budget(autotag: Run) -> None:
    now = time.time()
    fast = {file.sha256: Speed(1000.0, now) for file in select()} | {BY_AUC[0].sha256: Speed(3.0, now)}
    remember(fast)
    for budget in ("20ms", "20"):
        run = autotag(SONG, "--budget", budget, "--format", "jsonl")
        assert json.loads(run.stdout)["model"] == BY_AUC[0].name
    run = autotag(SONG, "--budget", "2ms")
    assert run.returncode == 2
    assert f"The fastest, {BY_AUC[0].name}, takes 3.0 ms" in run.stderr
    for wrong in ("soon", "-1ms"):
        run = autotag(SONG, "--budget", wrong)
        assert run.returncode == 2
        assert "Use a number of milliseconds" in run.stderr or "use a number of milliseconds" in run.stderr
    run = autotag(SONG, "--budget", "20ms", "--hop", "x10")
    assert run.returncode == 2
    assert "--budget chooses the model" in run.stderr
