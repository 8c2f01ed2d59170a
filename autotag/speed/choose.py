"""The best model that is fast enough on this machine, whose speed is measured once and remembered."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from autotag.errors import BudgetError
from autotag.models.registry import Entry
from autotag.system import files, machine
from autotag.system.files import replacing

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """A model within a budget, its milliseconds (see `speeds`), and why it is that one."""

    entry: Entry
    ms: float
    reason: str


def within(
    entries: Sequence[Entry],
    max_ms: float | None = None,
    max_mb: float | None = None,
    min_auc: float | None = None,
    again: bool = False,
) -> Choice:
    """The model with the highest ROC AUC of those that a budget allows; of equal ones the fastest.

    Args:
        entries: to choose from.
        max_ms: the most milliseconds, as `speeds` has them.
        max_mb: the most megabytes (10^6 bytes) of its file.
        min_auc: the lowest ROC AUC.
        again: measure again what is remembered.

    Raises:
        BudgetError: the budget allows none; the message says what each limit would have to be.
    """
    ms = speeds(entries, again)
    auc = {entry.sha256: entry.metadata.roc_auc or 0.0 for entry in entries}
    fast = [e for e in entries if max_ms is None or ms[e.sha256] <= max_ms]
    small = [e for e in entries if max_mb is None or e.bytes <= 1e6 * max_mb]
    good = [e for e in entries if min_auc is None or auc[e.sha256] >= min_auc]
    allowed = [entry for entry in entries if entry in fast and entry in small and entry in good]
    if not allowed:
        raise BudgetError(
            "no model at hand is within that budget: "
            f"{len(fast)} of {len(entries)} are fast enough (the fastest takes {min(ms.values()):.1f} ms), "
            f"{len(small)} small enough (the smallest has {min(e.bytes for e in entries) / 1e6:.1f} MB), "
            f"{len(good)} good enough (the best has a ROC AUC of {max(auc.values()):.4f}), none is all of it"
        )
    best = max(allowed, key=lambda e: (auc[e.sha256], -ms[e.sha256]))
    reason = (
        f"{ms[best.sha256]:.1f} ms for 29.1 s of music here, {best.bytes / 1e6:.1f} MB, ROC AUC "
        f"{auc[best.sha256]:.4f}: the highest of {len(allowed)} within the budget, of {len(entries)}"
    )
    if better := [e for e in entries if auc[e.sha256] > auc[best.sha256]]:
        near = min(better, key=lambda e: ms[e.sha256])
        reason += (
            f"; {near.metadata.name} would have {auc[near.sha256]:.4f} for {ms[near.sha256]:.1f} ms "
            f"and {near.bytes / 1e6:.1f} MB"
        )
    return Choice(best, ms[best.sha256], reason)


def speeds(entries: Sequence[Entry], again: bool = False) -> dict[str, float]:
    """Milliseconds by sha256: of mel-spectrogram and network, for 29.1 s of music, with all usable cores.

    Measured when a model is first asked about on this machine, and again when its processor, the number of
    cores or a library has changed.
    """
    path = files.cache() / "speeds.json"
    here = machine.describe()
    known: dict[str, float] = {}
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        found = json.loads(path.read_text("utf-8"))
        if found["machine"] == here and not again:
            known = {str(sha256): float(ms) for sha256, ms in found["ms"].items()}
    if missing := [entry for entry in entries if entry.sha256 not in known]:
        known |= _measured(missing)
        with suppress(OSError):  # then they are measured again the next time
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as part:
                part.write_text(json.dumps({"machine": here, "ms": known}, indent=1), "utf-8")
    return {entry.sha256: known[entry.sha256] for entry in entries}


def _measured(entries: Sequence[Entry]) -> dict[str, float]:
    from autotag.speed.measure import clip_ms
    from autotag.system.cores import usable_cores

    found = clip_ms(entries, ROUNDS, usable_cores(), "mel", "model")
    return {entry.sha256: ms for entry, ms in zip(entries, found, strict=True)}
