"""The hash of a file's own audio: an edit of file tags leaves it, another sound does not."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from autotag.library.scan import scan
from autotag.library.sound import sound_hash
from tests.autotag.library.made import HOUR, SMALL, rows, write_song
from tests.conftest import SONG, encode, music

mutagen = pytest.importorskip("mutagen", reason="mutagen, with which the tests edit tags, is not installed")

KINDS = ("mp3", "flac", "ogg", "opus", "wav", "aiff", "m4a", "wma", "aac")


def make(path: Path, seed: int = 0) -> Path:
    samples = music(3, 44100 if path.suffix != ".opus" else 48000, seed)
    if path.suffix in (".m4a", ".wma", ".aac"):
        codec = {"m4a": "aac", "wma": "wmav2", "aac": "aac"}[path.suffix[1:]]
        return encode(path, samples, 44100, codec)
    if path.suffix == ".opus":
        soundfile.write(path, samples, 48000, format="OGG", subtype="OPUS")
    else:
        soundfile.write(path, samples, 44100)
    return path


def edit(path: Path, words: str) -> None:
    """Write tags as other programs do, with a picture's worth of bytes."""
    from mutagen import id3

    if path.suffix in (".mp3", ".aac", ".wav", ".aiff"):
        frames = [id3.TIT2(encoding=3, text=words), id3.PRIV(owner="test", data=words.encode())]
        if path.suffix in (".mp3", ".aac"):
            try:
                tags = id3.ID3(path)
            except id3.ID3NoHeaderError:
                tags = id3.ID3()
            for frame in frames:
                tags.add(frame)
            tags.save(path, v1=2)
            return
        file = mutagen.File(path)
        if file.tags is None:
            file.add_tags()
        for frame in frames:
            file.tags.add(frame)
        file.save()
        return
    file = mutagen.File(path)
    key = {".m4a": "\xa9nam", ".wma": "Title"}.get(path.suffix, "title")
    file[key] = words
    file.save()


@pytest.mark.parametrize("kind", KINDS)
def test_tags_do_not_change_it_and_sound_does(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path / f"a.{kind}")
    before, size = sound_hash(path), path.stat().st_size
    assert before is not None
    edit(path, "a name")
    assert sound_hash(path) == before
    edit(path, "words " * 30_000)
    assert path.stat().st_size > size + 100_000
    assert sound_hash(path) == before
    edit(path, "short")
    assert sound_hash(path) == before
    assert sound_hash(make(tmp_path / f"b.{kind}", 1)) != before


@pytest.mark.parametrize("kind", KINDS)
def test_every_byte_of_sound_counts(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path / f"a.{kind}")
    edit(path, "a name")
    whole, before = path.read_bytes(), sound_hash(path)
    if kind == "flac":  # whose own hash of the samples stands for them
        return
    middle = len(whole) * 3 // 4 if kind != "m4a" else len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    assert sound_hash(path) != before


def test_damaged_and_odd_files_have_one_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    heads = [
        b"fLaC",
        b"RIFF\0\0\0\0WAVE",
        b"FORM\0\0\0\0AIFF",
        b"\0\0\0\x20ftypM4A ",
        b"OggS",
        b"ID3\4\0\0\x7f\x7f\x7f\x7f",
    ]
    heads += [bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), b"", b"APETAGEX", b"TAG"]
    for number, head in enumerate(heads):
        for length in (0, 1, 40, 5000):
            path = tmp_path / f"{number}-{length}"
            path.write_bytes(head + rng.bytes(length))
            assert sound_hash(path) is not None
            assert sound_hash(path) == sound_hash(path)
    assert sound_hash(tmp_path / "none") is None


def test_what_another_program_wrote_into_files_tags_nothing_again(tmp_path: Path) -> None:
    folder, library = tmp_path / "music", tmp_path / "library.sqlite"
    folder.mkdir()
    shutil.copy(SONG, folder / "a.mp3")
    make(folder / "b.flac")
    write_song(folder / "c.wav")
    scan(folder, library, SMALL, jobs=1)
    before = rows(library, "SELECT id, path, outputs, sound FROM tracks")
    for name in ("a.mp3", "b.flac"):
        edit(folder / name, "words " * 1000)
    os.utime(folder / "c.wav", ns=(0, HOUR))
    found = scan(folder, library)
    assert (found.changed, found.unchanged) == (0, 3)
    assert rows(library, "SELECT id, path, outputs, sound FROM tracks") == before
    kept = dict(rows(library, "SELECT path, size FROM tracks"))
    assert kept == {str(path): path.stat().st_size for path in folder.iterdir()}
    write_song(folder / "c.wav", 5)
    assert scan(folder, library).changed == 1
