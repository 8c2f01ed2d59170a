"""Outcomes as plain values and back."""

import json
import os
from typing import Any

import pytest

from autotag.result import FIELDS, Failure, Result, Tag, from_dict, from_row, to_row

GOOD = Result(
    "a.wav",
    "vgg-12k-48-x2-db",
    "ab" * 32,
    29.125,
    1,
    (Tag("rock", 0.5), Tag("slow", 0.25)),
    {"decode": 1.5, "mel": 0.5, "model": 2.0},
    ("damaged: 29.1 of 30.0 s could be decoded",),
    excerpt=29.125,
    size=5,
    modified=10**18,
)
BAD = Failure("a.wav", "NotAudio", "a.wav: no audio", 7, -8)


@pytest.mark.parametrize("outcome", [GOOD, BAD])
def test_an_outcome_comes_back_from_json_and_from_a_row(outcome: Result | Failure) -> None:
    assert from_dict(json.loads(json.dumps(outcome.to_dict()))) == outcome
    row = to_row(outcome)
    assert set(row) <= set(FIELDS)
    assert from_row(row | dict.fromkeys(FIELDS.keys() - row.keys())) == outcome


def test_a_name_that_is_not_utf_8_is_text_and_comes_back_by_its_bytes() -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    found = Failure(name, "NotAudio", f"{name}: no audio").to_dict()
    assert found["path"] == r"caf\xe9.wav"
    assert found["error"]["message"] == r"caf\xe9.wav: no audio"
    json.dumps(found, ensure_ascii=False).encode()
    assert from_dict(found).path == name
    assert "path_bytes" not in Failure(r"caf\xe9.wav", "NotAudio", "").to_dict()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": 7}, "its 'path' is 7"),
        ({"ok": "yes"}, "its 'ok' is 'yes'"),
        ({"ok": None}, "it has no 'ok'"),
        ({"model": None}, "it has no 'model'"),
        ({"size": -1}, "its 'size' is -1"),
        ({"size": True}, "its 'size' is True"),
        ({"modified": 1 << 70}, "its 'modified' is"),
        ({"duration": float("nan")}, "its 'duration' is nan"),
        ({"tags": "rock"}, "its 'tags' is 'rock'"),
        ({"tags": [{"tag": "rock", "score": 7}]}, "one of its 'tags' is"),
        ({"tags": [{"tag": "rock", "score": float("nan")}]}, "one of its 'tags' is"),
        ({"ms": 5}, "its 'ms' is 5"),
        ({"path_bytes": "%"}, "its 'path_bytes' is '%'"),
    ],
)
def test_a_value_that_cannot_be_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_dict(GOOD.to_dict() | changes)
    with pytest.raises(ValueError, match="not an object"):
        from_dict([])
