"""The page of one file, and the command that writes and serves pages."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import pytest

from autotag.browse import kept
from autotag.browse.asked import Asked
from autotag.browse.songs import Songs
from autotag.errors import LibraryError
from autotag.library.database import Library
from tests.autotag.browse.conftest import SCRIPT
from tests.autotag.browse.test_page import STATUS, set_to
from tests.autotag.library.made import model_of, rows, track
from tests.autotag.views.test_views import without
from tests.browser import Browser
from tests.conftest import AWKWARD, ROOT, Run

FOUND = "source.rows(query(), 0, 1000).then(found => found.rows.map(row => row.name))"


@pytest.fixture
def page(browser: Browser, autotag: Run, library: Path) -> Iterator[Browser]:
    """The browser, with a page of one file open."""
    out = library.with_name("music.html")
    run = autotag("browse", library, "-o", out)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", f"7 songs -> {out}\n")
    browser.look(1200, dark=False)
    browser.open(out)
    yield browser
    assert browser.requests == [out.as_uri()]
    assert browser.problems == []


def test_it_is_one_file_that_finds_what_find_does(page: Browser, library: Path) -> None:
    text = library.with_name("music.html").read_text("utf-8")
    assert str(library.parent) not in text, "a page goes to others"
    assert len(page.get(FOUND)) == 7
    with Library(library) as opened:
        songs = Songs(opened)
        for words in (
            "piano",
            "piano -loud",
            "female vocal",
            "-woman",
            '"piano or rock"',
            "piano or rock",
            "piano>0.8",
            "0.6<piano<0.8",
            "loud<0.5",
            "path:she",
            "duration>0:04",
            "-vocals",
            "wav -harp",
        ):
            set_to(page, "words", words)
            found = songs.find(Asked(words))
            names = [row["name"] for row in songs.rows(found.ids.tolist())]
            assert page.get(FOUND) == names, words


def test_it_shows_a_song_and_has_neither_sound_nor_changes(page: Browser) -> None:
    page.type("harp")
    page.wait(f"{STATUS} == '3 songs'")
    page.press("ArrowDown")
    page.press("Enter")
    page.wait("document.querySelector('#song h2') != null")
    assert page.get("document.querySelector('#song h2').textContent").startswith("it's <b onclick")
    assert page.get("document.querySelectorAll('.row button, .tag button, .add, #alike').length") == 0
    shown = "getComputedStyle(document.querySelector('{}')).display"
    assert page.get(shown.format("#save")) == page.get(shown.format("#player")) == "none"
    assert page.get("document.title") == "library"
    page.press("Escape")
    set_to(page, "words", "zydeco>0.4")
    page.wait(f"{STATUS} == \"'zydeco' is no tag.\"")
    set_to(page, "words", "")
    set_to(page, "sort", "longest")
    assert page.get(FOUND)[-2:] == ["piano.wav", "loud piano.wav"]
    assert page.get("document.querySelectorAll('script').length") == 2, f"no script of {AWKWARD} and {SCRIPT}"


def test_more_songs_than_a_file_can_show_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 2)
    model = model_of()
    with Library(tmp_path / "library.sqlite", model) as library:
        with pytest.raises(LibraryError, match="0 songs"):
            kept.kept(Songs(library), "music")
        for number in range(3):
            library.write(track(f"/m/{number}.mp3", model))
        with pytest.raises(LibraryError, match="has 3 songs, and a page of one file holds 1 to 2"):
            kept.kept(Songs(library), "music")


def test_a_file_that_was_there_stays_where_there_is_no_library(autotag: Run, tmp_path: Path) -> None:
    out = tmp_path / "music.html"
    out.write_text("before")
    run = autotag("browse", tmp_path / "none.sqlite", "-o", out)
    assert (run.returncode, run.stdout) == (2, "")
    assert "none.sqlite: there is no library yet. 'autotag scan FOLDER' makes one." in run.stderr
    assert out.read_text() == "before"
    assert "Leave this out" in autotag("browse", "-o", out, "--port", 9).stderr


def test_a_library_of_another_version_and_a_port_in_use_are_said(autotag: Run, library: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = autotag("browse", library, "--port", port)
        assert (run.returncode, run.stdout) == (2, "")
        assert f"error: Port {port} of this machine cannot be used: Address already in use." in run.stderr
        assert "Name another one with --port" in run.stderr
    with closing(sqlite3.connect(library)) as database, database:
        database.execute("UPDATE facts SET value = '9' WHERE fact = 'schema'")
    run = autotag("browse", library)
    assert (run.returncode, run.stdout) == (2, "")
    assert "a library of version 9, where this autotag reads 1 and 2. Update autotag" in run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_it_prints_its_address_and_serves_until_it_is_interrupted(library: Path) -> None:
    command = [sys.executable, "-m", "autotag", "browse", str(library)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command,
        text=True,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as served:
        assert served.stdout
        address = served.stdout.readline().strip()
        with urlopen(f"{address}rows?words=piano") as answer:
            assert json.load(answer)["total"] == 2
        served.send_signal(signal.SIGINT)
        out, err = served.communicate(timeout=30)
    assert (served.returncode, out) == (0, "")
    assert err == "Open this address in a browser of this machine. Ctrl-C ends it.\n"
    assert rows(library, "SELECT count(*) FROM tracks") == [(7,)]


def test_a_server_needs_a_package_and_a_file_does_not(library: Path) -> None:
    run = without("werkzeug", "browse", library)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "error: browse needs the package werkzeug: pip install werkzeug\n"
    assert without("werkzeug", "browse", library, "-o", library.with_name("m.html")).returncode == 0
