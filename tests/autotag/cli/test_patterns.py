"""Patterns of files and models: one that has no effect is named by every command."""

from pathlib import Path

import pytest

from tests.autotag.library.made import write_song
from tests.conftest import Run

SMALL = "vgg-12k-48-x10-db"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patterns")
    write_song(folder / "a.wav", 0, 3)
    (folder / "notes.txt").write_text("no audio")
    return folder


@pytest.mark.parametrize(
    ("arguments", "pattern", "code"),
    [
        (["tag", "--exclude", "*.txt"], "--exclude '*.txt'", 0),
        (["tag", "--include", "A.WAV"], "--include 'A.WAV'", 0),
        (["write", "--dry-run", "--exclude", "x"], "--exclude 'x'", 0),
        (["scan", "--library", "{}/l.sqlite", "--exclude", "x"], "'x'", 0),
        (["embed", "--out", "{}/e.npy", "--include", "x"], "--include 'x'", 1),
        (["report", "--models", SMALL, "--out", "{}/r.html", "--include", "x"], "--include 'x'", 1),
    ],
)
def test_a_pattern_without_effect_is_named(
    folder: Path, tmp_path: Path, autotag: Run, arguments: list[str], pattern: str, code: int
) -> None:
    command = [argument.format(tmp_path) for argument in arguments]
    model = [] if "--models" in command else ["--model", SMALL]
    run = autotag(*command, *model, folder)
    assert run.returncode == code, run.stderr
    line = f"warning: {pattern} matched nothing. Give a name, a path, or a glob of them."
    assert run.stderr.splitlines().count(line) == 1


def test_where_patterns_leave_nothing_it_is_said(folder: Path, tmp_path: Path, autotag: Run) -> None:
    assert autotag(folder, "--exclude", "*.wav").stderr == "warning: --include and --exclude leave no file.\n"
    run = autotag("embed", folder, "--exclude", folder.name, "--out", tmp_path / "e.npy")
    assert (run.returncode, run.stderr) == (1, "warning: --include and --exclude leave no file.\n")


def test_patterns_choose_from_files_that_are_named(folder: Path, autotag: Run, tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    assert autotag(folder, "--model", SMALL, "--out", out).returncode == 0
    run = autotag("write", "--from", out, "--include", "a.wav")
    assert run.returncode == 2
    assert "--include" in run.stderr
    assert "Name files or folders too" in run.stderr


def test_each_pattern_of_models_matches_one(folder: Path, autotag: Run) -> None:
    run = autotag(folder, "--compare", "--models", SMALL, "--models", "nix-*")
    assert run.returncode == 2
    assert run.stderr.startswith("error: No installed model is nix-*. Installed are ")
