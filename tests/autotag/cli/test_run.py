"""What commands say while they work: each file if asked, and what is kept when they are interrupted."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autotag.cli import run as cli
from tests.autotag.library.made import write_song
from tests.conftest import ROOT, SONG, Run

SMALL = "vgg-12k-48-x10-db"


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More songs than are tagged in a second."""
    folder = tmp_path_factory.mktemp("songs")
    first = write_song(folder / "0.wav", 0, 3)
    for number in range(1, 400):
        shutil.copy(first, folder / f"{number}.wav")
    return folder


def interrupted(command: list[str], stream: str) -> tuple[int, str, str]:
    """A command that is interrupted when the first line of a stream comes.

    Returns:
        exit code, last line on stderr, and stdout.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "autotag", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        streams = {"stdout": process.stdout, "stderr": process.stderr}
        said = {stream: ""}
        while said[stream] in ("", "400 files\n"):  # which a slow machine says first
            said[stream] = streams[stream].readline()  # type: ignore[union-attr]
        process.send_signal(signal.SIGINT)
        for name, each in streams.items():
            assert each is not None
            said[name] = said.get(name, "") + each.read()
    return process.returncode, said["stderr"].splitlines()[-1], said["stdout"]


def test_neither_a_long_look_nor_a_long_file_is_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("autotag.cli.run.SOON", 0.01)
    monkeypatch.setattr("autotag.cli.run.EVERY", 0.02)
    said = ""
    with cli.Run().tracking() as tell:
        for line in ("looking at what is there\n", "0 of 1 files, 0 failed\n"):
            for _ in range(1000):
                said += capsys.readouterr().err
                if line in said:
                    break
                time.sleep(0.01)
            assert line in said
            tell(0, 1, None)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX signal")
def test_an_interrupted_scan_says_what_is_kept_and_goes_on(autotag: Run, songs: Path, tmp_path: Path) -> None:
    library = tmp_path / "library.sqlite"
    scan = ["scan", str(songs), "--library", str(library), "--hop", "x10", "-j", "1"]
    code, line, _ = interrupted([*scan, "-v"], "stderr")
    assert code == 130
    kept = rf"interrupted\. (\d+) of 400 files are kept in {re.escape(str(library))}\. Run again to go on\."
    found = re.fullmatch(kept, line)
    assert found, line
    run = autotag(*scan[:-2])
    assert f"{400 - int(found[1])} new" in run.stderr
    assert f"{found[1]} unchanged" in run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX signal")
def test_an_interrupted_write_says_what_is_done_and_goes_back(
    autotag: Run, songs: Path, tmp_path: Path
) -> None:
    pytest.importorskip("mutagen", reason="mutagen, which writes tags, is not installed")
    folder = tmp_path / "music"
    shutil.copytree(songs, folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    write = ["write", str(folder), "--model", SMALL, "--threshold", "0", "-j", "1"]
    code, line, report = interrupted([*write, "--report", "-"], "stdout")
    assert code == 130
    done = (
        r"interrupted\. (\d+) of 400 files are done\. Run again to go on, or with --undo to take that back\."
    )
    found = re.fullmatch(done, line)
    assert found, line
    changed = {path for path in folder.iterdir() if path.read_bytes() != before[path]}
    assert len(changed) - int(found[1]) in (0, 1), "the one that it was at may be done too"
    assert int(found[1]) - len(json.loads(report)) in (0, 1), "the report is whole"
    autotag("write", "--undo", folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_verbose_says_each_file_and_what_a_file_of_results_keeps_to_itself(
    autotag: Run, tmp_path: Path
) -> None:
    shutil.copy(SONG, tmp_path / "a.mp3")
    (tmp_path / "b.mp3").write_text("words")
    for out, option in (("1.jsonl", "--verbose"), ("2.jsonl", "-v"), ("3.jsonl", "--force")):
        run = autotag(tmp_path, "--model", SMALL, "--out", tmp_path / out, option)
        said = [line for line in run.stderr.splitlines()[:-1] if line != "2 files"]  # on a slow machine
        if option == "--force":
            assert said == []
        else:
            assert re.fullmatch(re.escape(str(tmp_path / "a.mp3")) + r": 30\.0 s in \d+ ms", said[0])
            assert said[1].startswith(f"error: {tmp_path / 'b.mp3'}: ")
    assert "Give one of them." in autotag("-q", "-v", SONG).stderr


def test_of_warnings_of_one_kind_three_are_said_and_how_many_more(autotag: Run, tmp_path: Path) -> None:
    for number in range(6):
        write_song(tmp_path / f"{number}.wav", number, 2 + number / 10)
    (tmp_path / "broken.mp3").write_text("words")
    run = autotag(tmp_path, "--model", SMALL, "--jobs", 1)
    said = [line for line in run.stderr.splitlines() if "repeated to fill it" in line]
    assert [line.split(": ")[1] for line in said[:3]] == [str(tmp_path / f"{n}.wav") for n in range(3)]
    short = "2.5 s is less than one segment of 29.1 s: repeated to fill it"
    assert said[3:] == [f"warning: 3 more like {tmp_path / '5.wav'}: {short}"]
    assert "error: " + str(tmp_path / "broken.mp3") in run.stderr
    run = autotag(tmp_path, "--model", SMALL, "--jobs", 1, "-v")
    assert run.stderr.count("repeated to fill it") == 6


@pytest.mark.parametrize("command", ["tag", "scan", "embed", "report"])
def test_commands_that_tag_many_files_take_the_short_options(autotag: Run, command: str) -> None:
    text = autotag(command, "--help").stdout
    short = {"tag": "ojqv", "scan": "jqv", "embed": "ojqv", "report": "oqv"}[command]
    for letter in short:
        assert re.search(rf" -{letter}\b", text), letter


@pytest.mark.skipif(sys.platform == "win32", reason="a script cannot stand for a program")
@pytest.mark.parametrize("more", [[], ["--compare", "--models", SMALL]])
def test_a_command_that_hangs_at_a_file_names_it_and_ends(tmp_path: Path, more: list[str]) -> None:
    program, told = tmp_path / "ffmpeg", tmp_path / "told"
    program.write_text(f"#!/bin/sh\necho $$ > {told}\nexec sleep 1000\n")
    program.chmod(0o755)
    damaged = tmp_path / "damaged.tta"
    damaged.write_bytes(b"TTA1" + bytes(100))  # neither libsndfile nor PyAV can read it
    code = "import autotag.cli.main as cli; cli.PATIENCE = 2; cli.main()"
    run = subprocess.run(
        [sys.executable, "-c", code, *([str(SONG)] if more else []), str(damaged), *more],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
    )
    assert run.returncode == 1
    line = f"error: {damaged}: no progress for 2 s. Convert the file, or leave it out."
    assert run.stderr.splitlines()[-1] == line
    assert ("song.mp3" in run.stdout) == bool(more)
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)
