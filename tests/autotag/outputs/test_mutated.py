"""Damaged music files: each is written and taken back to the last byte, or refused and left alone."""

import os
import random
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from autotag.outputs.filetags import attempt, fields
from autotag.result import Failure, Tag
from tests.conftest import encode, music

mutagen = pytest.importorskip("mutagen", reason="mutagen, which writes tags, is not installed")
id3 = pytest.importorskip("mutagen.id3")

MUTATED = int(os.environ.get("MUTATED", 300))
"""`MUTATED=10000 pytest tests/autotag/outputs/test_mutated.py` tries more."""

ALL = fields([Tag("rock", 0.8), Tag("quiet", 0.6)], genre=True, mood=True)


def originals(folder: Path) -> dict[str, bytes]:
    """A small file of each format with a title and a genre."""
    for suffix in ("mp3", "wav", "aiff", "flac", "ogg", "opus", "m4a"):
        path = folder / f"a.{suffix}"
        if suffix == "m4a":
            encode(path, music(1, 44100), 44100, "aac")
        else:
            soundfile.write(path, music(0.3, 48000), 48000, format="OGG" if suffix == "opus" else None)
        file = mutagen.File(path)
        if file.tags is None:
            file.add_tags()
        if suffix in ("mp3", "wav", "aiff"):
            file.tags.add(id3.TIT2(encoding=3, text="Title"))
            file.tags.add(id3.TCON(encoding=3, text=["Ska"]))
        elif suffix == "m4a":
            file["\xa9nam"], file["\xa9gen"] = ["Title"], ["Ska"]
        else:
            file["title"], file["genre"] = ["Title"], ["Ska"]
        file.save()
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, most of them where tags are; or a piece lost, doubled or moved."""
    found = bytearray(data)
    ends = min(len(found), rng.choice((64, 1024, 8192)))
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(ends) if rng.random() < 0.7 else rng.randrange(len(found))
        found[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    if rng.random() < 0.3:
        start, size = rng.randrange(ends), rng.choice((1, 4, 100, 2000))
        piece = bytes(found[start : start + size])
        if rng.random() < 0.5:
            del found[start : start + size]
        at = rng.randrange(len(found) + 1)
        found[at:at] = piece * rng.randrange(2)
    if rng.random() < 0.1:
        del found[rng.randrange(len(found) + 1) :]
    return bytes(found)


def test_mutated_files(tmp_path: Path) -> None:
    rng = random.Random(0)
    (tmp_path / "originals").mkdir()
    files = originals(tmp_path / "originals")
    songs = tmp_path / "songs"
    songs.mkdir()
    counts: Counter[str] = Counter()
    for turn in range(MUTATED):
        suffix = rng.choice(sorted(files))
        data = mutated(files[suffix], rng)
        path = songs / f"{turn}{suffix}"
        path.write_bytes(data)
        outcome = attempt(path, ALL, force=True)
        if isinstance(outcome, Failure):
            counts[outcome.kind] += 1
        else:
            counts["written"] += 1
            assert path.read_bytes() != data, turn
            undone = attempt(path, {})
            assert not isinstance(undone, Failure), (turn, undone)
        assert path.read_bytes() == data, turn
        assert list(songs.iterdir()) == [path]
        path.unlink()
    assert set(counts) <= {"written", "TagsUnreadable", "TagsUnwritable"}, counts
    assert counts["written"] > MUTATED / 3, counts
