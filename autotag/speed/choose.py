"""The best model that is fast enough on this machine, whose speed is measured once and remembered."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from autotag.errors import BudgetError
from autotag.library.keep import Progress
from autotag.models.registry import ModelFile, auc, comparable
from autotag.speed.measure import clip, load_models, score_song
from autotag.speed.remembered import Speed, remember, remembered
from autotag.system.cores import usable_cores

FEWEST, ROUNDS = 5, 20
"""How often each model is timed, at least and at most. The fastest round counts."""

SETTLED, SCATTER = 3, 1.25
"""A speed is settled once so many rounds take at most so many times as long as the fastest."""

AGAIN = "'autotag choose --again' measures again"


@dataclass(frozen=True, slots=True)
class Choice:
    """A model within a budget, its milliseconds (see `speeds`), and why it is that one."""

    model: ModelFile
    ms: float
    reason: str


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit of a budget, in words, and as a key by which models are ordered and the highest allowed one."""

    words: str
    nearest: str
    key: Callable[[ModelFile], float]
    highest: float

    def allows(self, file: ModelFile) -> bool:
        return self.key(file) <= self.highest


def within(
    files: Sequence[ModelFile],
    max_ms: float | None = None,
    max_mb: float | None = None,
    min_auc: float | None = None,
    *,
    again: bool = False,
    progress: Progress | None = None,
) -> Choice:
    """The model with the highest ROC AUC of those that a budget allows; of equal ones the fastest.

    Only models that were measured on the same data are compared: see `autotag.models.registry.comparable`.

    Args:
        files: the models to choose from.
        max_ms: the most milliseconds, as `speeds` has them.
        max_mb: the most megabytes (10^6 bytes) of its file.
        min_auc: the lowest ROC AUC.
        again: measure again what is remembered.
        progress: called with the rounds done and all rounds, while speeds are measured.

    Raises:
        BudgetError: the budget allows none; the message names the nearest model and what it takes.
    """
    started = time.time()
    left_out = len(files) - len(files := comparable(files))
    found = speeds(files, again=again, progress=progress)
    remark = _remark(found, started)
    others = f". Left out: {left_out} models whose scores were measured on other data" if left_out else ""

    def ms(file: ModelFile) -> float:
        return found[file.sha256].ms

    limits = []
    if max_ms is not None:
        limits.append(
            _Limit(f"takes at most {max_ms:g} ms", "The fastest, {0}, takes {1:.1f} ms", ms, max_ms)
        )
    if max_mb is not None:
        words = f"has at most {max_mb:g} MB"
        limits.append(
            _Limit(words, "The smallest, {0}, has {1:.1f} MB", lambda file: file.bytes / 1e6, max_mb)
        )
    if min_auc is not None:
        words = f"has a ROC AUC of at least {min_auc:g}"
        limits.append(_Limit(words, "The best, {0}, has {1:.4f}", lambda file: -auc(file), -min_auc))
    allowed = [file for file in files if all(limit.allows(file) for limit in limits)]
    if not allowed:
        raise BudgetError(f"No model {_nearest(files, limits)}{remark or f' ({AGAIN})'}{others}.")
    best = max(allowed, key=lambda file: (auc(file), -ms(file)))
    reason = (
        f"{ms(best):.1f} ms for 29.1 s of music here, {best.bytes / 1e6:.1f} MB, ROC AUC {auc(best):.4f}: "
        f"the highest of {len(allowed)} within the budget, of {len(files)}"
    )
    if better := [file for file in files if auc(file) > auc(best)]:
        near = min(better, key=ms)
        reason += f"; {near.name} has {auc(near):.4f} for {ms(near):.1f} ms and {near.bytes / 1e6:.1f} MB"
    return Choice(best, ms(best), reason + remark + others)


def speeds(
    files: Sequence[ModelFile], *, again: bool = False, progress: Progress | None = None
) -> dict[str, Speed]:
    """Milliseconds by sha256: of mel-spectrogram and network, for 29.1 s of music, with all usable cores.

    Measured when a model is first asked about on this machine, and again when its processor, the number of
    cores or a library has changed. A speed that did not settle is not remembered.
    """
    known = remembered()
    if missing := [file for file in files if again or file.sha256 not in known]:
        known |= _measured(missing, progress)
        remember(known)
    return {file.sha256: known[file.sha256] for file in files}


def _measured(files: Sequence[ModelFile], progress: Progress | None) -> dict[str, Speed]:
    """The speeds, each of as many rounds as it takes to settle: other programs can only make one slower."""
    ms: dict[str, list[float]] = {file.sha256: [] for file in files}
    chance = Random(0)
    if progress:
        progress(0, ROUNDS, None)
    with tempfile.TemporaryDirectory() as folder:
        song = clip(Path(folder))
        models = load_models(files, [usable_cores()])
        score_song(song, models)  # compiles, and fills caches
        for turn in range(ROUNDS):
            if progress and turn:
                progress(turn, ROUNDS, None)
            for model, scores in zip(models, score_song(song, models, chance=chance), strict=True):
                ms[model.file.sha256].append(scores.ms["mel"] + scores.ms["model"])
            if turn + 1 >= FEWEST:
                models = [model for model in models if not _settled(ms[model.file.sha256])]
            if not models:
                break
    return {sha256: Speed(min(each), time.time(), _settled(each)) for sha256, each in ms.items()}


def _settled(ms: Sequence[float]) -> bool:
    return sorted(ms)[SETTLED - 1] <= SCATTER * min(ms)


def _nearest(files: Sequence[ModelFile], limits: Sequence[_Limit]) -> str:
    """What no model is; and for each limit the nearest of the models that keep the others."""
    hints = []
    for limit in limits:
        others = [other for other in limits if other is not limit]
        rest = [file for file in files if all(other.allows(file) for other in others)] or files
        nearest = min(rest, key=limit.key)
        if not limit.allows(nearest):
            within_others = " within the other limits" if others and rest is not files else ""
            words = limit.nearest.replace(",", f"{within_others},", 1)
            hints.append(words.format(nearest.name, abs(limit.key(nearest))))
    first, *more = hints
    return ". ".join([" and ".join(limit.words for limit in limits), "; ".join([first, *map(_lower, more)])])


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _remark(found: dict[str, Speed], started: float) -> str:
    """What to know of the times: that they scattered, or how old they are."""
    if scattered := sum(not speed.settled for speed in found.values()):
        what = f"{scattered} of {len(found)} times scattered by over {SCATTER - 1:.0%} and are not remembered"
        return f" ({what}; try again when the machine has less to do, or {AGAIN})"
    oldest = min(speed.measured for speed in found.values())
    return f" (measured {_ago(started - oldest)}; {AGAIN})" if oldest < started else ""


def _ago(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"
