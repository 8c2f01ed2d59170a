"""Tags set by hand, on the command line: they win everywhere, and stay."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autotag.outputs.kinds import read_tags
from tests.autotag.library.made import write_song
from tests.conftest import ROOT, Run


@pytest.fixture
def library(autotag: Run, tmp_path: Path) -> Path:
    """Three songs in a library."""
    for number in range(3):
        write_song(tmp_path / "music" / f"{number}.wav", number)
    (tmp_path / "music" / "bad.wav").write_text("words")
    autotag("scan", tmp_path / "music", "--library", tmp_path / "library.sqlite", "--hop", "x10")
    return tmp_path / "library.sqlite"


def test_a_correction_wins_in_find_stats_and_files_and_stays(autotag: Run, library: Path) -> None:
    pytest.importorskip("mutagen", reason="mutagen, which writes tags, is not installed")
    song = library.parent / "music" / "0.wav"

    def found(*terms: str) -> list[str]:
        return autotag("find", *terms, "--paths", "--library", library).stdout.splitlines()

    assert found("jazz") == []
    run = autotag("correct", song, "jazz", "female", "voice", "-piano", "--library", library)
    assert run.stdout == f"{song}: has female vocal, jazz; has not piano\n", "by the name of their meaning"
    assert run.stderr == "'female voice' is read as one tag.\n"
    assert found("jazz") == found("jazz", "vocals") == [str(song)]
    assert str(song) in found("-piano")
    stats = autotag("stats", "--library", library)
    assert "set by hand: 3 tags of 1 track\n" in stats.stdout
    counts = json.loads(autotag("stats", "--json", "--library", library).stdout)
    assert counts["corrected"] == {"tracks": 1, "tags": 3}
    assert {tag["tag"]: tag["tracks"] for tag in counts["tags"]}["jazz"] == 1

    autotag("write", "--from", library, "--genre")
    tags = read_tags(song)
    assert tags.get("GENRE")[0] == "Jazz", "the likeliest there is"
    assert "jazz=1.0000" in tags.get("AUTOTAG")
    assert "0 new, 0 changed" in autotag("scan", library.parent / "music", "--library", library).stderr

    autotag("scan", library.parent / "music", "--library", library, "--force")
    moved = song.with_name("moved.wav")
    song.rename(moved)
    autotag("scan", library.parent / "music", "--library", library)
    assert found("jazz") == [str(moved)]

    run = autotag("correct", moved, "--undo", "jazz", "--library", library)
    assert run.stdout == f"{moved}: has female vocal; has not piano\n"
    assert found("jazz") == []
    autotag("correct", moved, "--undo", "--library", library)
    assert autotag("correct", moved, "--library", library).stdout == f"{moved}: no tag is set by hand\n"


def test_what_was_set_by_hand_counts_for_files_that_are_tagged_now(autotag: Run, library: Path) -> None:
    pytest.importorskip("mutagen", reason="mutagen, which writes tags, is not installed")
    song, other = (library.parent / "music" / f"{number}.wav" for number in (0, 1))
    autotag("correct", song, "jazz", "-strings", "--library", library)
    write = ("write", song, other, "--genre", "--hop", "x10")
    run = autotag(*write, "--library", library)
    assert run.stderr.startswith(f"1 file has tags set by hand in {library}, which count.\n")
    assert read_tags(song).get("GENRE")[0] == "Jazz"
    assert "jazz=1.0000" in read_tags(song).get("AUTOTAG")
    assert "Jazz" not in read_tags(other).get("GENRE")
    earlier = autotag("write", song, other, "--from", library, "--genre", "--dry-run")
    assert earlier.stderr == "0 written, 2 unchanged, 0 failed (nothing: --dry-run)\n", "both write the same"

    users = library.parent / "data" / "autotag"
    users.mkdir(parents=True)
    shutil.copy(library, users / "library.sqlite")
    home = {"XDG_DATA_HOME": str(users.parent), "LOCALAPPDATA": str(users.parent)}
    if sys.platform != "darwin":
        assert "0 written, 2 unchanged" in autotag(*write, **home).stderr, (
            "nobody need name the user's library"
        )
    assert " GENRE    Jazz" in autotag(*write, XDG_DATA_HOME=str(library.parent / "none")).stdout
    for options, message in (
        (["--library", "none.sqlite"], "none.sqlite: there is no library yet."),
        (["--library", library, "--undo"], "Leave out --library."),
        (["--library", library, "--from", library], "Leave out --library."),
    ):
        run = autotag("write", song, *options)
        assert (run.returncode, run.stdout) == (2, "")
        assert message in run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_song_may_be_spelled_as_one_likes(library: Path) -> None:
    music = library.parent / "music"
    (library.parent / "link").symlink_to(music)
    song = shutil.move(music / "0.wav", music / "-0.wav")
    command = [sys.executable, "-m", "autotag"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for folder, name in (
        (music, "-0.wav"),
        (library.parent, "music/-0.wav"),
        (library.parent, "link/-0.wav"),
    ):
        scan = [*command, "scan", str(music), "--library", str(library)]
        subprocess.run(scan, capture_output=True, env=environment)
        run = subprocess.run(
            [*command, "correct", name, "-piano", "--library", str(library)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert (run.stdout, run.stderr) == (f"{song}: has not piano\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0.wav", "pian"], "has no tag 'pian'. Did you mean 'piano' or 'indian'?"),
        (["0.wav", "piano", "zydeco"], "has no tag 'zydeco'. 'autotag stats' lists its tags."),
        (["bad.wav", "piano"], "bad.wav: could not be tagged, and has no tags to correct."),
        (["9.wav", "piano"], "9.wav'. Run 'autotag scan' on its folder."),
        (["0.wav", "piano", "--library", "none.sqlite"], "none.sqlite: there is no library yet."),
    ],
)
def test_what_cannot_be_corrected(autotag: Run, library: Path, arguments: list[str], message: str) -> None:
    song = library.parent / "music" / arguments[0]
    run = autotag("correct", "--library", library, song, *arguments[1:])
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr
    assert "piano" not in autotag("correct", library.parent / "music/0.wav", "--library", library).stdout
