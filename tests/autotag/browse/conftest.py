"""A library of songs that are there, with scores of one's choice, and a server of its page."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from autotag.library.database import Library
from autotag.models.registry import find as named
from tests.autotag.library.made import SMALL, track, write_song
from tests.conftest import AWKWARD

SCRIPT = """"><script>document.title = 'injected'</script>.wav"""
"""A folder and a file in it."""

SCORES: dict[str, dict[str, float]] = {
    "a/loud piano.wav": {"piano": 0.9, "loud": 0.8},
    "a/piano.wav": {"piano": 0.7, "quiet": 0.55},
    "b/rock.wav": {"mtat_rock": 0.9, "msd_rock": 0.8},
    "b/she sings.wav": {"female_voice": 0.9, "msd_female_vocalists": 0.8},
    AWKWARD: {"harp": 0.9},
    SCRIPT: {"harp": 0.8},
}
ODD = b"caf\xe9.wav"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Seven songs of one to seven seconds."""
    model, music = named(SMALL), tmp_path / "music"
    with Library(tmp_path / "library.sqlite", model) as made:
        for number, (name, scores) in enumerate(SCORES.items(), 1):
            path = write_song(music / name, number, number)
            made.write(track(str(path), model, number, number, **scores))
        odd = write_song(music / "odd.wav", 7, 7)
        if sys.platform == "linux":
            odd = odd.rename(music / os.fsdecode(ODD))
        made.write(track(str(odd), model, 7, 7, harp=0.7))
    return tmp_path / "library.sqlite"


@contextmanager
def serving(library: Path) -> Iterator[str]:
    """The address of the page, while it is served."""
    pytest.importorskip("werkzeug", reason="werkzeug, which serves pages, is not installed")
    from autotag.browse.serve import server

    with Library(library) as opened:
        served, address = server(opened)
        thread = Thread(target=served.serve_forever)
        thread.start()
        try:
            yield address
        finally:
            served.shutdown()
            thread.join()
            served.server_close()


@pytest.fixture
def address(library: Path) -> Iterator[str]:
    """Of the page of the library, which is served."""
    with serving(library) as found:
        yield found
