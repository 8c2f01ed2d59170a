"""Processes that hang, and what cannot be sent to one."""

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from autotag.batch import start
from autotag.request import TagRequest
from autotag.result import Result
from autotag.system.pool import in_processes
from autotag.system.progress import progressed
from autotag.system.worker import Crash


def waiter() -> Callable[[float], float]:
    def wait(seconds: float) -> float:
        """For ever at 0; else so long, with signs of progress."""
        if not seconds:
            time.sleep(1000)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.01)
            progressed()
        return seconds

    return wait


def test_a_process_without_a_sign_of_progress_is_ended_and_one_that_is_slow_is_not() -> None:
    hung = Crash("made no progress for 3 s and was ended")
    assert list(in_processes(waiter, [0.1, 0.0, 4.5, 0.2], 2, patience=3)) == [
        *[(0.1, 0.1), (0.0, hung), (4.5, 4.5), (0.2, 0.2)]
    ]


def test_the_time_that_the_caller_takes_is_no_silence() -> None:
    given = in_processes(waiter, [0.1, 4.0, 0.1], 1, patience=3)
    assert next(given) == (0.1, 0.1)
    time.sleep(3.5)
    assert list(given) == [(4.0, 4.0), (0.1, 0.1)]


def test_an_item_that_cannot_be_sent_ends_nothing() -> None:
    with Path(__file__).open("rb") as file:
        items: list[Any] = [0.1, file, 0.2]
        (_, first), (item, second), (_, third) = in_processes(waiter, items, 1)
    assert (first, third) == (0.1, 0.2)
    assert item is file
    assert isinstance(second, Crash)
    assert second.how.startswith("could not get it (cannot pickle ")


@pytest.mark.skipif(sys.platform == "win32", reason="a script cannot stand for a program")
def test_a_decoder_program_that_hangs_is_ended_with_the_process_that_waits_for_it(
    tmp_path: Path, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, told = tmp_path / "ffmpeg", tmp_path / "told"
    program.write_text(f"#!/bin/sh\necho $$ > {told}\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    damaged = tmp_path / "damaged.tta"
    damaged.write_bytes(b"TTA1" + bytes(100))  # neither libsndfile nor PyAV can read it
    make = partial(start, "vgg-12k-48-x10-db", TagRequest(), threads=1)
    (_, crash), (_, result) = in_processes(make, [damaged, song], 1, patience=5)
    assert crash == Crash("made no progress for 5 s and was ended")
    assert isinstance(result, Result)
    pid = int(told.read_text())
    while Path(f"/proc/{pid}/cmdline").exists() and b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes():
        time.sleep(0.01)
    if not Path("/proc").exists():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
