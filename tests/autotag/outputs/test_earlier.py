"""What `write --from` takes of an earlier run, and that nothing is believed that no run prints."""

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from autotag.errors import RowsError
from autotag.outputs.earlier import Row, rows
from autotag.result import Failure, Tag
from tests.conftest import SONG, Run

MODEL = "vgg-12k-48-x10-db"


def row(**more: Any) -> dict[str, Any]:
    return {"path": "a.mp3", "ok": True, "model": MODEL, "tags": [{"tag": "rock", "score": 0.5}], **more}


def tag(**more: Any) -> dict[str, Any]:
    return row(tags=[{"tag": "rock", "score": 0.5, **more}])


def test_rows_of_an_earlier_run(tmp_path: Path) -> None:
    good = row(path="a\u2028.mp3", modified=10**18, size=5, unknown=[1])
    failed = {"path": "b.mp3", "ok": False, "error": {"kind": "NotAudio", "message": "b.mp3:\nwords"}}
    path = tmp_path / "tags.jsonl"
    lines = [json.dumps(line, ensure_ascii=False) for line in (failed, good)]
    path.write_text("\ufeff" + lines[0] + "\r\n\n" + lines[1] + "\n", "utf-8", newline="")
    assert rows(path) == [
        Failure("b.mp3", "NotAudio", "b.mp3:\nwords"),
        Row("a\u2028.mp3", MODEL, (Tag("rock", 0.5),), 10**18, size=5),
    ]
    with path.open("a") as file:
        file.write(json.dumps(row(path="b.mp3")) + "\n")
    assert [type(row) for row in rows(path)] == [Row, Row], "the last line of a file counts"
    with pytest.raises(RowsError, match="No such file"):
        rows(tmp_path / "none.jsonl")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_utf_8_goes_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "tags.jsonl"
    name = b"caf\xe9.mp3"
    path.write_text(json.dumps(row(path="caf\\xe9.mp3", path_bytes=base64.b64encode(name).decode())))
    assert [os.fsencode(row.path) for row in rows(path)] == [name]


NOT_ROWS = {
    "[]": "begins with",
    "path,ok": "begins with",
    '{"path": "c.mp3", "ok": tr': "begins with",
    "[" * 100_000: "begins with",
    '{"path": ' + "9" * 10_000 + "}": "begins with",
    json.dumps(row(path=None)): "its path None is no text",
    json.dumps(row(path="")): "its path '' is none that a file can have",
    json.dumps(row(path="a\0.mp3")): r"its path 'a\x00.mp3' is none",
    json.dumps(row(path="a\ud800.mp3")): r"its path 'a\ud800.mp3' is none",
    json.dumps(row(path="a" * 100_000)): "no text of at most 65536",
    json.dumps(row(path_bytes="AA==")): r"its path '\x00' is none",
    json.dumps(row(path_bytes="no base64!")): "begins with",
    json.dumps(row(path_bytes=["a"])): "begins with",
    json.dumps(row(ok="no")): "its ok is 'no'",
    json.dumps(row(ok=1)): "its ok is 1",
    json.dumps(row(model=["x"])): "its model ['x'] is no text",
    json.dumps(row(model="x\x1b[2J")): "its model",
    json.dumps(row(tags={"rock": 1})): "its tags are no list",
    json.dumps(row(tags=[{"tag": "rock", "score": 0}] * 1001)): "its tags are no list of at most 1000",
    json.dumps(row(tags=["rock"])): "begins with",
    json.dumps(row(modified="2020")): "its modified '2020' is no whole number",
    json.dumps(row(modified=True)): "its modified True",
    json.dumps(row(size=1.5)): "its size 1.5",
    **{
        json.dumps(tag(score=score)): "is no number from 0 to 1"
        for score in (7, -0.5, float("nan"), float("inf"), "0.5", None, True, [0.5], 10**400)
    },
    **{
        json.dumps(tag(tag=name)): "its tag"
        for name in ({"rock": 1}, None, "", " ", "rock\n", "rock\x1b[2J", "rock\0", "rock\u202e", "x" * 201)
    },
    json.dumps({"path": "a.mp3", "ok": False, "error": "x"}): "begins with",
    json.dumps({"path": "a.mp3", "ok": False, "error": {"kind": 1, "message": "x"}}): "its kind 1",
    json.dumps({"path": "a.mp3", "ok": False, "error": {"kind": "\x1b", "message": "x"}}): "its kind",
    json.dumps({"path": "a.mp3", "ok": False, "error": {"kind": "x", "message": {}}}): "its message",
}


@pytest.mark.parametrize("line", NOT_ROWS, ids=lambda line: line[:60])
def test_a_line_that_no_run_prints_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "tags.jsonl"
    path.write_text(f"{json.dumps(row())}\n{line}\n")
    with pytest.raises(RowsError) as raised:
        rows(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: line 2 is not a result of autotag --format jsonl: ")
    assert NOT_ROWS[line] in message
    assert message.endswith("Repair or delete the line, or name another file.")
    assert message.isprintable()
    assert len(message) < len(str(path)) + 250


def test_the_command_refuses_it_before_any_file_is_written(autotag: Run, tmp_path: Path) -> None:
    song = tmp_path / "a.mp3"
    song.write_bytes(SONG.read_bytes())
    lines = [row(path=str(song)), tag(score=7)]
    (tmp_path / "tags.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = autotag("write", "--from", tmp_path / "tags.jsonl")
    assert run.returncode == 2
    assert "line 2 is not a result" in run.stderr
    assert "Traceback" not in run.stderr
    assert song.read_bytes() == SONG.read_bytes()
