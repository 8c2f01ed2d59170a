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

from autotag import Failure, Result, Tagger, TagRequest, tag_files
from autotag.errors import ModelError, ModelNotFound, VocabularyNotFound
from autotag.system.pool import QUEUE_PER_WORKER
from tests.conftest import ROOT, music

SMALL = "vgg-12k-48-x10-db"

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
    alone = list(tag_files(songs, SMALL, jobs=0))
    assert not multiprocessing.active_children()
    together = list(tag_files(songs, SMALL, jobs=2))
    assert [outcome.path for outcome in together] == [str(song) for song in songs]
    assert [outcome.ok for outcome in together] == [True] * 3 + [False] + [True] * 3
    for one, other in zip(alone, together, strict=True):
        if isinstance(one, Result) and isinstance(other, Result):
            assert dict(other.tags) == pytest.approx(dict(one.tags), abs=1e-5)
            one = replace(one, tags=other.tags)
        assert without_ms(one) == without_ms(other)
    for path, outcome in zip(songs, together, strict=True):
        assert (outcome.size, outcome.modified) == (path.stat().st_size, path.stat().st_mtime_ns)
        assert list(outcome.to_dict())[:3] == ["path", "size", "modified"]


def test_no_files_need_no_process() -> None:
    assert list(tag_files([], "vgg-16k-8-x1-log", jobs=8)) == []


def test_what_is_asked_reaches_every_process(songs: list[Path]) -> None:
    request = TagRequest(top=0, threshold=0.1, embed="mean")
    tagger = Tagger(SMALL)
    for path, outcome in zip(songs[:2], tag_files(songs[:2], SMALL, request, jobs=2), strict=True):
        expected = tagger.tag(path, request)
        assert isinstance(outcome, Result)
        assert [tag for tag, _ in outcome.tags] == [tag for tag, _ in expected.tags]
        assert outcome.embedding is not None
        assert expected.embedding is not None
        np.testing.assert_allclose(outcome.embedding, expected.embedding, atol=1e-5)
        np.testing.assert_allclose(outcome.embedding, tagger.scores(path).embeddings.mean(axis=0), atol=1e-5)
    assert all(o.embedding is None for o in tag_files(songs[:2], SMALL, jobs=2) if isinstance(o, Result))


def test_files_are_taken_as_they_are_needed_and_processes_end_with_the_iteration(tmp_path: Path) -> None:
    taken = 0

    def missing() -> Iterator[Path]:
        nonlocal taken
        for taken in range(1, 10001):
            yield tmp_path / f"{taken}.mp3"

    with closing(tag_files(missing(), SMALL, jobs=2)) as outcomes:
        assert next(outcomes) == Failure(
            str(tmp_path / "1.mp3"), "AudioNotFound", f"{tmp_path / '1.mp3'}: no such file"
        )
        assert taken <= 2 * QUEUE_PER_WORKER + 2
        assert len(multiprocessing.active_children()) in (1, 2)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("jobs", [0, 2])
def test_a_model_that_cannot_be_loaded_is_an_error(songs: list[Path], tmp_path: Path, jobs: int) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(ModelError, match="not an ONNX model"):
        list(tag_files(songs, tmp_path / "text.onnx", jobs=jobs))
    with pytest.raises(ModelNotFound):
        list(tag_files(songs, "vgg-16k-8-x1-log", jobs=jobs))
    with pytest.raises(VocabularyNotFound, match="'lastfm' is none of the model's"):
        list(tag_files(songs, SMALL, TagRequest(vocabulary="lastfm"), jobs=jobs))


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
    outcomes = list(tag_files(paths, SMALL, jobs=2))
    assert [outcome.path for outcome in outcomes] == [str(path) for path in paths]
    crash = outcomes.pop(len(before))
    assert isinstance(crash, Failure)
    assert crash.error == "Crashed"
    assert crash.message.startswith(f"{endless}: the process that read it crashed (Killed). ")
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
    assert process.returncode == {2: 130, 15: 143}.get(int(how), -how)
    assert out == ""
    assert "Traceback" not in err
    assert len(started) >= 2
    while any(map(alive, started)):
        time.sleep(0.01)


@pytest.mark.parametrize("from_stdin", [False, True])
def test_a_script_needs_no_guard(songs: list[Path], tmp_path: Path, from_stdin: bool) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import __main__\n"
        "from autotag import tag_files\n"
        "before = dict(vars(__main__))\n"
        f"print(*[o.ok for o in tag_files({list(map(str, songs[2:5]))}, {SMALL!r}, jobs=2)])\n"
        "assert before.items() <= vars(__main__).items()\n"
    )
    with script.open() as stdin:
        run = subprocess.run(
            [sys.executable, "-" if from_stdin else script],
            stdin=stdin,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=False,
        )
    assert (run.stdout, run.stderr, run.returncode) == ("True False True\n", "", 0)


def test_an_entry_that_no_process_can_get_is_a_failure_of_that_entry(songs: list[Path]) -> None:
    with songs[0].open("rb") as file:
        first, bad, last = tag_files([songs[0], file, songs[1]], SMALL, jobs=2)  # type: ignore[list-item]
    assert (first.ok, bad.ok, last.ok) == (True, False, True)
    assert isinstance(bad, Failure)
    assert bad.message.startswith("<_io.BufferedReader name=")
    assert bad.message.endswith("Give its path.")


def test_paths_of_a_class_of_the_script_are_paths(songs: list[Path], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from autotag import Tagger, tag_files\n"
        "class Own:\n"
        "    def __init__(self, path): self.path = path\n"
        "    def __fspath__(self): return self.path\n"
        f"paths = [Own({str(songs[0])!r}), Own({os.fsencode(songs[1])!r})]\n"
        f"for outcomes in (tag_files(paths, {SMALL!r}, jobs=2), Tagger({SMALL!r}).tag_all(paths)):\n"
        "    print(*[outcome.path for outcome in outcomes if outcome.ok])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment)
    assert run.stdout == f"{songs[0]} {songs[1]}\n" * 2, run.stderr


def test_a_path_of_any_class_is_text_in_its_outcome(songs: list[Path]) -> None:
    for paths in (np.array([str(songs[0])]), np.str_(songs[0])):
        (outcome,) = tag_files(paths, SMALL, jobs=0)
        assert type(outcome.path) is str
