"""A file is what its bytes are, and a person's genre and mood stay wherever they stand."""

import shutil
import struct
from pathlib import Path

import pytest
import soundfile

from autotag.audio.decode import decode
from autotag.errors import TagsUnreadable
from autotag.outputs.containers import AUTOTAG, GENRE, MOOD
from autotag.outputs.fields import FieldRequest
from autotag.outputs.filetags import Change, undo_tags, write_tags
from autotag.outputs.kinds import read_tags
from autotag.result import Tag
from tests.conftest import SONG, encode, music

mutagen = pytest.importorskip("mutagen", reason="mutagen, which writes tags, is not installed")
id3 = pytest.importorskip("mutagen.id3")
apev2 = pytest.importorskip("mutagen.apev2")

ALL = FieldRequest(genres=0, moods=0).fields([Tag("rock", 0.8), Tag("quiet", 0.6)])
ENDINGS = ("mp3", "wav", "aiff", "flac", "ogg", "opus", "m4a", "wma", "txt", "")


def make(folder: Path, suffix: str) -> Path:
    path = folder / f"made.{suffix}"
    if suffix in ("m4a", "wma", "aac", "mka"):
        return encode(path, music(1, 44100), 44100, "wmav2" if suffix == "wma" else "aac")
    format, subtype = ("OGG", "OPUS") if suffix == "opus" else (suffix.upper(), None)  # noqa: A001
    soundfile.write(path, music(1, 48000), 48000, format=format, subtype=subtype)
    return path


@pytest.mark.parametrize("content", ENDINGS[:7])
def test_tagging_and_writing_go_by_the_bytes(tmp_path: Path, content: str) -> None:
    made = make(tmp_path, content)
    before = made.read_bytes()
    for ending in ENDINGS:
        path = tmp_path / (f"song.{ending}" if ending else "song")
        path.write_bytes(before)
        assert len(decode(path, 12000)) > 11000
        write_tags(path, ALL)
        assert read_tags(path).get(AUTOTAG) == ALL[AUTOTAG]
        assert len(decode(path, 12000)) > 11000
        undo_tags(path)
        assert path.read_bytes() == before


def test_a_refusal_says_what_the_file_is_and_how_it_is_named(tmp_path: Path) -> None:
    wav, flac, m4a = (make(tmp_path, suffix).read_bytes() for suffix in ("wav", "flac", "m4a"))
    mpeg_4, tag = "its bytes are MPEG-4 audio (AAC or ALAC) behind", b"ID3\4\0\0\0\0\0\x64" + bytes(100)
    for name, data, said in (
        ("a.mp3", make(tmp_path, "wma").read_bytes(), "its bytes are Windows Media Audio (named .mp3)"),
        ("b.m4a", make(tmp_path, "aac").read_bytes(), "its bytes are AAC without a container (named .m4a)"),
        ("c.flac", make(tmp_path, "mka").read_bytes(), "its bytes are Matroska or WebM (named .flac)"),
        ("d", b"Lyrics, not music. " * 10, "its bytes are text (named without an ending)"),
        ("e.ogg", b"", "it is empty (named .ogg)"),
        ("f.wav", b"\x89PNG\r\n\x1a\n" + bytes(100), "its bytes are a picture (named .wav)"),
        ("g.mp3", bytes(100_000), "its bytes are nothing that autotag knows (named .mp3)"),
        ("i.flac", bytes(512) + flac, "its bytes are FLAC behind 512 other bytes (named .flac)"),
        ("j.m4a", tag + m4a, f"{mpeg_4} an ID3 tag (named .m4a)"),
        ("k.m4a", bytes(99) + m4a, f"{mpeg_4} 99 other bytes (named .m4a)"),
        ("h.wav", b"RF64" + wav[4:], "its bytes are a WAV of over 4 GiB (RF64) (named .wav)"),
        (
            "i.mp3",
            b"ID3\4\0\0\0\0\0\0" * 100,
            "more than 64 ID3 tags stand in front of its sound (named .mp3)",
        ),
        ("j.mp3", b"ID3\4\0\0\0\0\x10\0" + bytes(99), "it breaks off (named .mp3)"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(TagsUnreadable) as raised:
            write_tags(path, ALL)
        assert str(raised.value).startswith(f"{path}: {said}. Tags are written into MP3, AIFF, WAV, ")
        assert path.read_bytes() == data


def test_an_mp3_behind_other_bytes_is_one_for_both(tmp_path: Path) -> None:
    whole = make(tmp_path, "mp3").read_bytes()
    for before in (b"Ripped by somebody. " * 20, bytes(700), whole[-700:-1]):
        path = tmp_path / "song.mp3"
        path.write_bytes(before + whole)
        heard = decode(path, 12000)
        write_tags(path, ALL)
        assert path.read_bytes().endswith(before + whole)
        assert len(decode(path, 12000)) == len(heard)
        undo_tags(path)
        assert path.read_bytes() == before + whole


def ape(path: Path, **values: str | list[str]) -> None:
    found = apev2.APEv2()
    found.update(values)
    found.save(path)


def person(folder: Path, where: str) -> Path:
    """A song with the genre Ska, the mood Calm or both in some place."""
    path = make(folder, {"riff": "wav", "mp4": "m4a", "vorbis": "ogg"}.get(where.split()[0], "mp3"))
    if where == "APEv2":
        ape(path, Genre="Ska", MOOD=["Calm"])
    elif where == "APEv2 before ID3v1":
        ape(path, genre="Ska", mood="Calm")
        path.write_bytes(path.read_bytes() + b"TAG" + bytes(124) + b"\xff")
    elif where == "ID3v1 beside ID3v2":
        tags = id3.ID3()
        tags.add(id3.TIT2(encoding=3, text="Title"))
        tags.save(path, v1=0)
        path.write_bytes(path.read_bytes() + b"TAG" + bytes(124) + b"\x15")
    elif where.startswith("TXXX"):
        tags = id3.ID3()
        tags.add(id3.TXXX(encoding=1, desc="mOOd", text="Calm"))
        tags.add(id3.TXXX(encoding=1, desc="Genre", text="Ska"))
        tags.save(path, v2_version=int(where[-1]))
    elif where == "TMOO in 2.3":
        tags = id3.ID3()
        tags.add(id3.TMOO(encoding=1, text="Calm"))
        tags.add(id3.TCON(encoding=1, text="Ska"))
        tags.save(path, v2_version=3)
    elif where == "riff INFO":
        data = path.read_bytes()
        facts = b"INFOIGNR" + struct.pack("<I", 4) + b"Ska\0"
        data += b"LIST" + struct.pack("<I", len(facts)) + facts
        path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    elif where == "mp4 freeform":
        file = mutagen.File(path)
        file["----:com.apple.iTunes:mood"], file["----:org.any:Genre"] = [b"Calm"], [b"Ska"]
        file.save()
    elif where == "vorbis":
        file = mutagen.File(path)
        file["gEnre"], file["mOOd"] = ["Ska"], ["Calm"]
        file.save()
    return path


PLACES = (
    *("APEv2", "APEv2 before ID3v1", "ID3v1 beside ID3v2", "TXXX 2.3", "TXXX 2.4", "TMOO in 2.3"),
    *("riff INFO", "mp4 freeform", "vorbis"),
)


@pytest.mark.parametrize("where", PLACES)
def test_a_person_s_genre_and_mood_stay_wherever_they_stand(tmp_path: Path, where: str) -> None:
    path = person(tmp_path, where)
    before = path.read_bytes()
    one_field = where in ("riff INFO", "ID3v1 beside ID3v2")
    written = write_tags(path, ALL)
    kept = (Change(GENRE, ("Ska",), ("Rock",)), Change(MOOD, ("Calm",), ("Quiet",)))
    assert written.kept == (kept[:1] if one_field else kept)
    assert [change.field for change in written.changes] == [AUTOTAG, MOOD][: 1 + one_field]
    again = write_tags(path, ALL, force=True)
    assert again.kept == ()
    assert read_tags(path).get(GENRE) == ("Rock",)
    assert read_tags(path).get(MOOD) == ("Quiet",)
    foreign = where.startswith(("APE", "ID3v1", "riff"))
    said = [warning for warning in again.warnings if "its genre in another kind of tag stays: Ska" in warning]
    assert len(said) == foreign
    undo_tags(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "m4a", "wav"])
@pytest.mark.parametrize("blank", ["", " \t", "\u00a0\u3000", "\u200b"])
def test_what_is_blank_is_no_genre(tmp_path: Path, suffix: str, blank: str) -> None:
    path = make(tmp_path, suffix)
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if suffix in ("mp3", "wav"):
        file.tags.add(id3.TCON(encoding=3, text=[blank]))
        file.tags.add(id3.TXXX(encoding=3, desc="MOOD", text=[blank]))
    else:
        file["\xa9gen" if suffix == "m4a" else "genre"] = [blank]
        file["----:com.apple.iTunes:MOOD" if suffix == "m4a" else "mood"] = (
            [blank.encode()] if suffix == "m4a" else [blank]
        )
    file.save()
    if suffix == "mp3":
        ape(path, Genre=blank or "\0")
    before = path.read_bytes()
    written = write_tags(path, ALL)
    assert written.kept == ()
    assert [(change.field, change.old) for change in written.changes] == [
        (AUTOTAG, ()),
        (GENRE, ()),
        (MOOD, ()),
    ]
    assert read_tags(path).get(GENRE) == ("Rock",)
    undo_tags(path)
    assert path.read_bytes() == before


def test_a_genre_in_the_id3_before_a_flac_stays(tmp_path: Path) -> None:
    path = make(tmp_path, "flac")
    tags = id3.ID3()
    tags.add(id3.TCON(encoding=3, text="Ska"))
    tags.save(tmp_path / "tag")
    path.write_bytes((tmp_path / "tag").read_bytes() + path.read_bytes())
    before = path.read_bytes()
    assert write_tags(path, ALL).kept == (Change(GENRE, ("Ska",), ("Rock",)),)
    undo_tags(path)
    assert path.read_bytes() == before


def test_an_id3v1_with_a_number_that_is_no_genre(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    shutil.copy(SONG, path)
    id3.ID3(path).save(path) if mutagen.File(path).tags else None
    path.write_bytes(path.read_bytes() + b"TAG" + b"Title".ljust(124, b"\0") + b"\xf0")
    assert GENRE in [change.field for change in write_tags(path, ALL, force=True).changes]
    undo_tags(path)
