"""Many files at once: order, processes that crash or are left alone, and what is asked of each file."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import soundfile

from autotag import Failure, Result, Tagger
from autotag.batch import Asked, tag_files
from autotag.errors import ModelError, ModelNotFound
from autotag.system.pool import AHEAD
from tests.conftest import ROOT, music

SMALL = "vgg-12k-48-x10-db"
ASKED = Asked(SMALL)

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at other processes in /proc")


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six short songs, and a file that is none in the middle."""
    folder = tmp_path_factory.mktemp("songs")
    for number in (0, 1, 2, 4, 5, 6):
        soundfile.write(folder / f"{number}.wav", music(1 + number, 12000, number), 12000)
    (folder / "3.wav").write_text("words")
    return sorted(folder.iterdir())


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """Ten hours of silence that take no room on the disk: a file that a process is at for long."""
    path = tmp_path / "endless.wav"
    soundfile.write(path, np.ones(1, np.float32), 12000)
    size = 10 * 3600 * 12000 * 2
    with path.open("r+b") as file:
        head = file.read(44)
        file.seek(4)
        file.write((size + 36).to_bytes(4, "little"))
        file.seek(head.index(b"data") + 4)
        file.write(size.to_bytes(4, "little"))
        file.truncate(44 + size)
    return path


def without_ms(outcome: Result | Failure) -> Result | Failure:
    return replace(outcome, ms={}) if isinstance(outcome, Result) else outcome


def test_two_processes_give_what_one_gives_in_the_same_order(songs: list[Path]) -> None:
    alone = list(tag_files(songs, ASKED, 0))
    assert not multiprocessing.active_children()
    together = list(tag_files(songs, ASKED, 2))
    assert [Path(outcome.path) for outcome in together] == songs
    assert [outcome.ok for outcome in together] == [True] * 3 + [False] + [True] * 3
    for one, other in zip(alone, together, strict=True):
        if isinstance(one, Result) and isinstance(other, Result):
            assert dict(other.tags) == pytest.approx(dict(one.tags), abs=1e-5)
            one = replace(one, tags=other.tags)
        assert without_ms(one) == without_ms(other)
    for path, outcome in zip(songs, together, strict=True):
        assert (outcome.size, outcome.modified) == (path.stat().st_size, path.stat().st_mtime_ns)
        assert list(outcome.as_dict())[:3] == ["path", "size", "modified"]


def test_no_files_need_no_process() -> None:
    assert list(tag_files([], Asked("vgg-16k-8-x1-log"), 8)) == []


def test_what_is_asked_reaches_every_process(songs: list[Path]) -> None:
    asked = Asked(SMALL, top=0, merge_synonyms=True, embed=True)
    for path, outcome in zip(songs[:2], tag_files(songs[:2], asked, 2), strict=True):
        tagger = Tagger(SMALL)
        expected = tagger.tag(path, 0, None, True, embed=True)
        assert isinstance(outcome, Result)
        assert [tag for tag, _ in outcome.tags] == [tag for tag, _ in expected.tags]
        assert outcome.embedding is not None
        assert expected.embedding is not None
        np.testing.assert_allclose(outcome.embedding, expected.embedding, atol=1e-5)
        np.testing.assert_allclose(outcome.embedding, tagger.scores(path).embeddings.mean(axis=0), atol=1e-5)
    assert all(o.embedding is None for o in tag_files(songs[:2], ASKED, 2) if isinstance(o, Result))


def test_files_are_taken_as_they_are_needed_and_processes_end_with_the_iteration(tmp_path: Path) -> None:
    taken = 0

    def missing() -> Iterator[Path]:
        nonlocal taken
        for taken in range(1, 10001):
            yield tmp_path / f"{taken}.mp3"

    with closing(tag_files(missing(), ASKED, 2)) as outcomes:
        assert next(outcomes) == Failure(
            str(tmp_path / "1.mp3"), "AudioNotFound", f"{tmp_path / '1.mp3'}: no such file"
        )
        assert taken <= 2 * AHEAD + 2
        assert len(multiprocessing.active_children()) in (1, 2)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("jobs", [0, 2])
def test_a_model_that_cannot_be_loaded_is_an_error(songs: list[Path], tmp_path: Path, jobs: int) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(ModelError, match="not an ONNX model"):
        list(tag_files(songs, Asked(tmp_path / "text.onnx"), jobs))
    with pytest.raises(ModelNotFound):
        list(tag_files(songs, Asked("vgg-16k-8-x1-log"), jobs))


def at(process: int, path: Path) -> bool:
    """Whether a process has a file open."""
    with suppress(OSError):
        return any(file.resolve() == path for file in Path(f"/proc/{process}/fd").iterdir())
    return False


@on_linux
@pytest.mark.parametrize("others", [True, False])
def test_a_process_that_is_killed_fails_the_file_it_was_at_alone(
    songs: list[Path], endless: Path, others: bool
) -> None:
    def kill() -> None:
        while True:
            for child in multiprocessing.active_children():
                if child.pid and at(child.pid, endless):
                    child.kill()
                    return
            time.sleep(0.01)

    Thread(target=kill, daemon=True).start()
    before, after = (songs[:2], songs[2:]) if others else ([], [])
    paths = [*before, endless, *after]
    outcomes = list(tag_files(paths, ASKED, 2))
    assert [Path(outcome.path) for outcome in outcomes] == paths
    crash = outcomes.pop(len(before))
    assert isinstance(crash, Failure)
    assert crash.kind == "Crashed"
    assert crash.message.startswith(f"{endless}: the process that read it crashed (Killed): ")
    assert crash.size == endless.stat().st_size
    assert [outcome.ok for outcome in outcomes] == ([True] * 3 + [False] + [True] * 3) * others


def children(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def alive(process: int) -> bool:
    """Whether it runs: one that nobody has waited for yet does not."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@on_linux
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_processes_end_with_the_one_that_started_them(songs: list[Path], endless: Path, how: int) -> None:
    command = [
        sys.executable,
        "-m",
        "autotag",
        "--model",
        SMALL,
        "--jobs",
        "2",
        str(endless),
        *map(str, songs),
    ]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while not any(at(child, endless) for child in children(process.pid)):
            assert process.poll() is None
            time.sleep(0.01)
        started = children(process.pid)
        process.send_signal(how)
        out, err = process.communicate()  # which needs the end of all that could write there
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    assert out == ""
    assert "Traceback" not in err
    assert len(started) >= 2
    while any(map(alive, started)):
        time.sleep(0.01)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the same on all systems, and slow")
def test_a_script_that_starts_itself_again_is_told(songs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "from pathlib import Path\n"
        "from autotag.batch import Asked, tag_files\n"
        f"list(tag_files([Path(p) for p in {list(map(str, songs))}], Asked({SMALL!r}), 2))\n"
    )
    run = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert run.returncode == 1
    assert "WorkerError: processes end before they have loaded the model (exit code 1)" in run.stderr
    assert "if __name__ == '__main__':" in run.stderr
