"""What people see of a song: its tags by what they are about, the likely ones first in sight."""

import io
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from autotag.outputs.stream import write_table
from autotag.request import LIKELY, TagRequest
from autotag.result import Result, Tag
from autotag.tagger import Tagger
from tests.conftest import ROOT, SONG

SMALL = "vgg-12k-48-x10-db"
TAGS = (
    Tag("guitar", 0.91),
    Tag("folk", 0.62),
    Tag("sad", 0.5),
    Tag("slow", 0.4999),
    Tag("violin", 0.3),
    Tag("zydeco", 0.2),
    Tag("jazz", 0.1),
)
RESULT = Result("song.mp3", "a model", "", 61.5, 2, TAGS, {"decode": 10.0, "model": 20.4})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(result: Result, stream: io.StringIO) -> list[str]:
    write_table([result], stream)
    return stream.getvalue().splitlines()


def test_tags_stand_by_what_they_are_about_and_their_score() -> None:
    heading, *lines = shown(RESULT, io.StringIO())
    assert heading == "song.mp3  61.5 s  a model  30 ms"
    assert [" ".join(line.replace("█", "").split()[:4]) for line in lines] == [
        "genre folk 0.62 ▋",
        "jazz 0.10",
        "mood sad 0.50 likely",
        "instrument guitar 0.91 ▎",
        "violin 0.30",
        "tempo slow 0.50",
        "other zydeco 0.20",
    ]
    assert [line.endswith(" likely") for line in lines] == [True, False, True, True, False, False, False]
    assert len({line.index(tag) for line, tag in zip(lines, ("folk", "jazz", "sad"), strict=False)}) == 1
    assert "\x1b" not in "".join(lines)


def test_only_a_calibrated_score_is_said_to_be_likely() -> None:
    """Nor is one of the tags that nobody could calibrate, for want of examples."""
    found = replace(RESULT, uncalibrated=frozenset({"guitar"}))
    _, *lines = shown(found, io.StringIO())
    assert [line.split()[-3] for line in lines if line.endswith(" likely")] == ["0.62", "0.50"]
    none = replace(RESULT, uncalibrated=frozenset(tag for tag, _ in RESULT.tags))
    assert max(score for _, score in none.tags) >= LIKELY
    assert "likely" not in "".join(shown(none, io.StringIO()))
    both = Tagger(SMALL).scores(SONG)
    left_out = both.result(TagRequest()).uncalibrated
    assert {"happy", "sad"} <= left_out
    assert not {"guitar", "vocals", "female vocal"} & left_out


def test_without_a_tag_it_says_so() -> None:
    assert shown(Result("a", "m", "", 1.0, 1, (), {}), io.StringIO())[1:] == [" no tag"]


def test_on_a_terminal_what_is_not_likely_is_faint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    _, *lines = shown(RESULT, Terminal())
    faint = ["\x1b[2m" in line for line in lines]
    assert faint == [not line.endswith(" likely") for line in lines]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in "".join(shown(RESULT, Terminal()))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_the_command_is_faint_on_a_terminal_alone() -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "autotag", str(SONG), "--model", SMALL]
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(command, stdout=theirs, cwd=ROOT, env=environment):
        os.close(theirs)
        screen = b""
        try:
            while part := os.read(ours, 65536):
                screen += part
        except OSError:  # the other side is closed
            pass
    os.close(ours)
    piped = subprocess.run(command, capture_output=True, cwd=ROOT, env=environment, check=True).stdout
    assert b"\x1b[2m" in screen
    assert b"\x1b" not in piped
    assert b" guitar " in piped
