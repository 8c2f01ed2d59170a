"""Playlists and lists of paths."""

import io
import os
import sys
from pathlib import Path

import pytest

from autotag.audio.lists import listed
from autotag.outputs.playlist import m3u, write_paths


def test_a_playlist_is_read_back_as_it_was() -> None:
    tracks = [("/m/a.mp3", 60.4), ("/m/#b é.mp3", 1.0), ("/m/c\nd.mp3", 2.0), ("/m/e\x1b[2J.mp3", 3.0)]
    text, left_out = m3u(tracks)
    assert text == "#EXTM3U\n#EXTINF:60,a\n/m/a.mp3\n#EXTINF:1,#b é\n/m/#b é.mp3\n"
    assert left_out == ["/m/c\nd.mp3", "/m/e\x1b[2J.mp3"]
    assert listed(text.encode(), Path("/m")) == [Path("/m/a.mp3"), Path("/m/#b é.mp3")]


def test_relative_paths_are_no_comments_and_no_addresses(tmp_path: Path) -> None:
    names = ["#1.mp3", "https:", " a.mp3", "b/c.mp3"]
    text, _ = m3u([(str(tmp_path / name), 1.0) for name in names], tmp_path)
    entries = [line for line in text.splitlines() if not line.startswith("#")]
    assert [(tmp_path / entry).resolve() for entry in entries] == [
        tmp_path.resolve() / name for name in names
    ]
    assert all(entry.startswith(("." + os.sep, "b")) for entry in entries)
    text, _ = m3u([(str(tmp_path / "b.mp3"), 1.0)], tmp_path / "lists")
    assert text.splitlines()[-1] == str(Path("..", "b.mp3"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_paths_are_the_bytes_that_the_file_system_knows() -> None:
    out = io.BytesIO()
    paths = [os.fsdecode(b"/m/caf\xe9.mp3"), "/m/a\nb.mp3"]
    assert write_paths(paths, out) == ["/m/a\nb.mp3"]
    assert out.getvalue() == b"/m/caf\xe9.mp3\n"
    out = io.BytesIO()
    assert write_paths(paths, out, nul=True) == []
    assert out.getvalue() == b"/m/caf\xe9.mp3\0/m/a\nb.mp3\0"
