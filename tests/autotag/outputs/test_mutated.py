"""Damaged music files: each is written and taken back to the last byte, or refused and left alone."""

import os
import random
import struct
import time
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from autotag.outputs.fields import FieldRequest
from autotag.outputs.filetags import attempt
from autotag.result import Failure, Tag
from tests.conftest import encode, music

mutagen = pytest.importorskip("mutagen", reason="mutagen, which writes tags, is not installed")
id3 = pytest.importorskip("mutagen.id3")

MUTATED = int(os.environ.get("MUTATED", 300))
"""`MUTATED=10000 pytest tests/autotag/outputs/test_mutated.py` tries more."""

ALL = FieldRequest(genres=0, moods=0).fields([Tag("rock", 0.8), Tag("quiet", 0.6)])


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
            counts[outcome.error] += 1
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


def chain(name: bytes, depth: int) -> bytes:
    """An atom in an atom in an atom."""
    return b"".join(struct.pack(">I4s", 8 * (depth - level), name) for level in range(depth))


def test_files_made_to_keep_autotag_busy(tmp_path: Path) -> None:
    comments = struct.pack("<II", 0, 4_000_000) + bytes(16_000_000)
    flac = b"fLaC" + bytes([0, 0, 0, 34]) + bytes(34) + b"\x84" + len(comments).to_bytes(3, "big") + comments
    frames = b"TIT2" + bytes(6)
    size = bytes(len(frames) * 500_000 >> shift & 127 for shift in (21, 14, 7, 0))
    deep = chain(b"moov", 1) + chain(b"trak", 20_000)
    deep = struct.pack(">I", len(deep)) + deep[4:]
    wide = b"".join(struct.pack(">I4s", 8, b"free") for _ in range(300_000))
    busy = {
        "comments.flac": flac,
        "frames.mp3": b"ID3\4\0\0" + size + frames * 500_000,
        "tags.mp3": b"ID3\4\0\0\0\0\0\0" * 500_000,
        "deep.m4a": b"\0\0\0\x0cftypM4A " + deep,
        "wide.m4a": b"\0\0\0\x0cftypM4A " + wide,
        "chunks.wav": b"RIFF" + struct.pack("<I", 4 + 8 * 300_000) + b"WAVE" + b"junk\0\0\0\0" * 300_000,
        "zeros.mp3": bytes(30_000_000),
        "syncs.mp3": b"\xff\xfb" * 5_000_000,
    }
    for name, data in busy.items():
        path = tmp_path / name
        path.write_bytes(data)
        started = time.perf_counter()
        outcome = attempt(path, ALL)
        assert isinstance(outcome, Failure), name
        assert outcome.error in ("TagsUnreadable", "TagsUnwritable"), name
        assert time.perf_counter() - started < 5, name
        assert path.read_bytes() == data, name
