"""Of a file of results nothing is believed that no run prints."""

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from autotag.errors import SinkError
from autotag.library.keep import read_outcomes
from tests.conftest import SONG, Run

MODEL = "vgg-12k-48-x10-db"


def row(**more: Any) -> dict[str, Any]:
    return {"path": "a.mp3", "ok": True, "model": MODEL, "tags": [{"tag": "rock", "score": 0.5}], **more}


def tag(**more: Any) -> dict[str, Any]:
    return row(tags=[{"tag": "rock", "score": 0.5, **more}])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_utf_8_goes_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "tags.jsonl"
    name = b"caf\xe9.mp3"
    path.write_text(json.dumps(row(path="caf\\xe9.mp3", path_bytes=base64.b64encode(name).decode())) + "\n")
    assert [os.fsencode(outcome.path or "") for outcome in read_outcomes(path)] == [name]


NOT_ROWS = [
    "[]",
    '{"path": "c.mp3", "ok": tr',
    "[" * 100_000,
    '{"path": ' + "9" * 10_000 + "}",
    *(json.dumps(row(path=path)) for path in ("", "a\0.mp3", "a\ud800.mp3", ["a"], 7)),
    json.dumps(row(path="song.mp3", path_bytes=base64.b64encode(b"/etc/passwd").decode())),
    *(json.dumps(row(path_bytes=text)) for text in ("AA==", "", "no base64!", "é", ["a"])),
    *(json.dumps(row(ok=ok)) for ok in ("no", 1, None, ["no"])),
    *(json.dumps(row(model=model)) for model in (["x"], "x\x1b[2J", "", "x" * 201)),
    *(json.dumps(row(tags=tags)) for tags in ({"rock": 1}, ["rock"], None, [None], [7])),
    *(json.dumps(row(modified=modified)) for modified in ("2020", True, 1.5, 1 << 70)),
    *(json.dumps(row(size=size)) for size in (1.5, -1, "1", True)),
    *(
        json.dumps(tag(score=score))
        for score in (7, -0.5, float("nan"), float("inf"), "0.5", None, True, [0.5], 10**400)
    ),
    *(
        json.dumps(tag(tag=name))
        for name in ({"rock": 1}, None, "", " ", "rock\n", "rock\x1b[2J", "rock\0", "rock\u202e", "x" * 201)
    ),
    *(
        json.dumps({"path": "a.mp3", "ok": False, "error": error})
        for error in ("x", {"kind": 1, "message": "x"}, {"kind": "\x1b", "message": "x"}, {"kind": "x"})
    ),
]


@pytest.mark.parametrize("line", NOT_ROWS, ids=lambda line: line[:60])
def test_a_line_that_no_run_prints_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "tags.jsonl"
    path.write_text(f"{json.dumps(row())}\n{line}\n")
    with pytest.raises(SinkError, match=r"line 2 \(byte \d+\) is not a result") as raised:
        list(read_outcomes(path))
    assert str(raised.value).endswith("Repair or delete the line, or name another file.")
    assert len(str(raised.value)) < len(str(path)) + 250


def test_the_command_refuses_it_before_any_file_is_written(autotag: Run, tmp_path: Path) -> None:
    song = tmp_path / "a.mp3"
    song.write_bytes(SONG.read_bytes())
    lines = [row(path=str(song)), tag(score=7)]
    (tmp_path / "tags.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = autotag("write", "--from", tmp_path / "tags.jsonl")
    assert run.returncode == 2
    assert "is not a result" in run.stderr
    assert "Traceback" not in run.stderr
    assert song.read_bytes() == SONG.read_bytes()
