"""Who may have what over HTTP."""

import http.client
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import Run


def ask(
    address: str, name: str, method: str = "GET", body: Any = None, **headers: str
) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Status, content and headers of an answer; the name is sent as it stands."""
    url = urlsplit(address)
    assert url.hostname and url.port
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    sent = None if body is None else json.dumps(body)
    kind = {} if body is None else {"Content-Type": "application/json"}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, name if name.startswith("/") else url.path + name, sent, kind | given)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer.headers


def get(address: str, name: str) -> Any:
    status, content, _ = ask(address, name)
    assert status == 200, content
    return json.loads(content)


def ids(address: str) -> dict[str, int]:
    return {row["name"]: row["id"] for row in get(address, "rows")["rows"]}


def test_only_who_has_the_token_and_comes_from_here_is_answered(address: str) -> None:
    token = urlsplit(address).path.strip("/")
    assert len(token) >= 32
    assert ask(address, "")[0] == 200
    port = urlsplit(address).port
    assert ask(address, "rows", Origin=f"http://127.0.0.1:{port}", Sec_Fetch_Site="same-origin")[0] == 200
    for name in ("/", f"/{token}", f"/{token[:-1]}/", f"/{token}x/rows", "/rows", f"/{token.lower()}/"):
        status, content, _ = ask(address, name)
        assert (status, b"song" in content) == (404, False), name
    for headers in (
        {"Host": f"music.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": f"127.0.0.1:{port}.music.example"},
        {"Origin": "http://music.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{int(port or 0) + 1}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        for method, name in (("GET", ""), ("GET", "rows"), ("GET", "sound?id=1"), ("POST", "correct")):
            status, content, _ = ask(address, name, method, {} if method == "POST" else None, **headers)
            assert (status, b"piano" in content) == (403, False), (headers, name)


def test_nothing_but_the_songs_of_the_library_is_readable(address: str, library: Path) -> None:
    secret = library.parent / "secret.txt"
    secret.write_text("secret")
    for name in (
        "../library.sqlite",
        "..%2flibrary.sqlite",
        "%2e%2e/secret.txt",
        f"sound?id={secret}",
        f"sound?path={secret}",
        "sound/../../secret.txt",
        "sound?id=../secret.txt",
        "sound?id=0",
        "sound?id=-1",
        "sound?id=99999999999999999999",
        "page.py",
        "/etc/passwd",
        f"/{secret}",
    ):
        status, content, _ = ask(address, name)
        assert status in (400, 404), name
        assert b"secret" not in content and b"SQLite" not in content
    assert ask(address, "rows", "DELETE")[0] == 404
    assert ask(address, "correct")[0] == 404, "what changes something is no link"


def test_headers_keep_the_page_to_itself(address: str) -> None:
    for name in ("", "rows", "page.js", "sound?id=1", "nothing"):
        headers = ask(address, name)[2]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Access-Control-Allow-Origin"] is None


def test_a_sound_is_sent_whole_and_in_parts(address: str, library: Path) -> None:
    track = ids(address)["rock.wav"]
    whole = (library.parent / "music" / "b" / "rock.wav").read_bytes()
    status, content, headers = ask(address, f"sound?id={track}")
    assert (status, content) == (200, whole)
    assert re.match("audio/(x-)?wav", headers["Content-Type"])
    status, content, headers = ask(address, f"sound?id={track}", Range="bytes=1000-1999")
    assert (status, content) == (206, whole[1000:2000])
    assert headers["Content-Range"] == f"bytes 1000-1999/{len(whole)}"
    assert ask(address, f"sound?id={track}", Range="bytes=-10")[1] == whole[-10:]
    assert ask(address, f"sound?id={track}", Range=f"bytes={len(whole)}-")[0] == 416


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_is_no_file_any_more_is_gone_and_does_not_hang(address: str, library: Path) -> None:
    track, song = ids(address)["rock.wav"], library.parent / "music" / "b" / "rock.wav"
    song.unlink()
    assert ask(address, f"sound?id={track}")[0] == 410
    os.mkfifo(song)
    assert ask(address, f"sound?id={track}")[0] == 410


def test_a_playlist_holds_what_was_found_but_names_that_would_break_it(address: str) -> None:
    status, content, headers = ask(address, "playlist.m3u8?words=harp&sort=longest")
    lines = [line for line in content.decode().splitlines() if not line.startswith("#")]
    assert status == 200
    assert headers["X-Left-Out"] == "2", "a line break, and a name that is not UTF-8"
    assert len(lines) == 1 and "script" in lines[0]
    assert ask(address, "playlist.m3u8?words=piano>7")[0] == 400


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"id": 1, "tag": "zydeco", "has": True}, 400, "no tag 'zydeco'"),
        ({"id": 1, "tag": "piano", "has": "yes"}, 400, "has is true, false or null"),
        ({"id": 999, "tag": "piano", "has": True}, 404, "no such song"),
        ({"id": "x", "tag": "piano", "has": True}, 400, "id is not a number"),
        ([], 400, "Send an object"),
        ({"id": 1, "tag": "x" * 20000, "has": True}, 413, ""),
    ],
)
def test_what_cannot_be_corrected(address: str, body: Any, status: int, message: str) -> None:
    answer = ask(address, "correct", "POST", body)
    assert answer[0] == status
    assert message in json.loads(answer[1])["error"]


def test_a_correction_by_any_name_is_that_of_the_meaning(address: str, autotag: Run, library: Path) -> None:
    track = ids(address)["piano.wav"]
    status, content, _ = ask(address, "correct", "POST", {"id": track, "tag": "Woman", "has": True})
    assert status == 200 and json.loads(content)["said"] == {"female vocal": True}
    found = autotag("find", "female vocal", "piano", "--paths", "--library", library).stdout
    assert found == f"{library.parent / 'music' / 'a' / 'piano.wav'}\n"
