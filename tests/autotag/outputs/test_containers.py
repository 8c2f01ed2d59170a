"""Every byte that is no business of autotag's stays, and --undo gives the very file back."""

import io
import random
import re
import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile

from autotag.errors import AudioError, TagsUnwritable
from autotag.outputs.containers import AUTOTAG, GENRE, MOOD, patched
from autotag.outputs.fields import FieldRequest
from autotag.outputs.filetags import undo_tags, write_tags
from autotag.outputs.kinds import read_tags
from autotag.result import Tag
from tests.conftest import SONG, encode, music

mutagen = pytest.importorskip("mutagen", reason="mutagen, which writes tags, is not installed")
FLAC = pytest.importorskip("mutagen.flac").FLAC
OggPage = pytest.importorskip("mutagen.ogg").OggPage
MP4 = pytest.importorskip("mutagen.mp4").MP4

SHORT = FieldRequest(genres=0, moods=0).fields([Tag("rock", 0.9), Tag("quiet", 0.8)])
LONG = FieldRequest(genres=0).fields(
    [Tag(f"tag number {n} of the many", 0.9) for n in range(400)] + [Tag("jazz", 0.6)]
)
MP3 = SONG.read_bytes()[:40_000]


def stays(path: Path) -> None:
    """Write short and long tags, over a person's too, and take them back."""
    before = path.read_bytes()
    others = read_tags(path).others()
    for wanted in (SHORT, LONG, SHORT):
        write_tags(path, wanted, force=True)
        found = read_tags(path)
        assert {field: found.get(field) for field in wanted} == wanted
        assert found.others() == others
        assert path.read_bytes() != before
    undo_tags(path)
    assert path.read_bytes() == before
    write_tags(path, SHORT)
    undo_tags(path)
    assert path.read_bytes() == before


def number(size: int, bits: int = 7) -> bytes:
    return bytes(size >> bits * place & (1 << bits) - 1 for place in (3, 2, 1, 0))


def frame(name: bytes, data: bytes, flags: bytes = b"\0\0", bits: int = 7) -> bytes:
    return name + number(len(data), bits) + flags + data


def id3(body: bytes, version: int = 4, flags: int = 0, footer: bool = False) -> bytes:
    head = bytes([version, 0, flags | 0x10 * footer]) + number(len(body))
    return b"ID3" + head + body + (b"3DI" + head) * footer


TITLE = frame(b"TIT2", b"\3A song\0")
GROUPED = frame(b"TCON", b"\7\3Ska", b"\0\x40")
PICTURE = frame(b"APIC", b"\0image/png\0\3\0" + bytes(range(256)) * 3, bits=8)
UTF_16 = frame(b"TALB", b"\1\xff\xfea\0l\0b\0", bits=8)

ID3 = {
    "nothing": b"",
    "padding": id3(TITLE + bytes(1000)),
    "two comments of one name": id3(frame(b"COMM", b"\3engd\0a") + TITLE + frame(b"COMM", b"\3engd\0b")),
    "an encoding that is none": id3(frame(b"TPE1", b"\7somebody") + TITLE),
    "a picture cut short": id3(TITLE + frame(b"APIC", b"\0image/png")),
    "text that is not UTF-8": id3(frame(b"TPE1", b"\3caf\xe9 noir\0")),
    "frames that nobody knows": id3(frame(b"XYZ9", b"hello") + TITLE + frame(b"QQQQ", b"")),
    "genres between others": id3(frame(b"TCON", b"\3Ska") + TITLE + frame(b"TCON", b"\0(17)\0") + bytes(9)),
    "moods in both frames": id3(frame(b"TXXX", b"\3mood\0Sad") + TITLE + frame(b"TMOO", b"\1\xff\xfeS\0")),
    "a genre in a group": id3(GROUPED + TITLE),
    "a genre that is encrypted": id3(frame(b"TCON", b"\1\2\3", b"\0\4") + TITLE),
    "a footer": id3(TITLE, footer=True),
    "an extended header": id3(b"\0\0\0\6\1\0" + TITLE, flags=0x40),
    "an extended header of 2.3": id3(b"\0\0\0\6\0\0\0\0\0\5" + UTF_16 + bytes(5), 3, 0x40),
    "junk behind the frames": id3(TITLE + b"\0\0junk of some program\xff\0"),
    "version 2.3": id3(UTF_16 + PICTURE + bytes(50), 3),
    "version 2.3 without syncs": id3((PICTURE + UTF_16).replace(b"\xff", b"\xff\0") + bytes(50), 3, 0x80),
    "version 2.3 without few syncs": id3(PICTURE.replace(b"\xff\0", b"\xff\0\0") + bytes(50), 3, 0x80),
    "version 2.2": id3(b"TT2\0\0\4\0abcTCO\0\0\5\0(13)PIC\0\0\3abc" + bytes(30), 2),
    "sizes as iTunes wrote them": id3(PICTURE + TITLE + bytes(50)),
    "two tags": id3(TITLE) + id3(frame(b"TALB", b"\3Other") + bytes(20)),
    "an empty tag": id3(b""),
}


@pytest.mark.parametrize("tag", ID3)
@pytest.mark.parametrize("end", [b"", b"TAG" + b"Title".ljust(124, b"\0") + b"\x11"], ids=["", "ID3v1"])
def test_mp3(tmp_path: Path, tag: str, end: bytes) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(ID3[tag] + MP3 + end)
    stays(path)
    write_tags(path, SHORT, force=True)
    assert mutagen.id3.ID3(path)["TXXX:AUTOTAG"].text == list(SHORT[AUTOTAG]), "others read it"


def vorbis(*comments: bytes, vendor: bytes = b"test", rest: bytes = b"") -> bytes:
    counted = (struct.pack("<I", len(text)) + text for text in comments)
    return (
        struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(comments)) + b"".join(counted) + rest
    )


COMMENTS = {
    "none": vorbis(),
    "not UTF-8": vorbis(b"TITLE=A song", b"ARTIST=caf\xe9 noir"),
    "no sign": vorbis(b"a note without a sign", b"TITLE=A song", b""),
    "no name": vorbis(b"=x", b"="),
    "a bad name": vorbis(b"K\xe9Y=1", b"gen re=Ska"),
    "genres between others": vorbis(b"genre=Ska", b"TITLE=x", b"GENRE=", b"Mood=Sad", b"A=b", b"GENRE=Dub"),
    "twice the same": vorbis(b"TITLE=x", b"TITLE=x", b"title=X"),
    "an odd vendor": vorbis(b"TITLE=x", vendor=b"\xff\0\xfe"),
    "bytes behind": vorbis(b"TITLE=x", rest=b"\0\1more"),
}


def flac(blocks: Iterable[tuple[int, bytes]]) -> bytes:
    """The sound of a FLAC behind other blocks of metadata."""
    buffer = io.BytesIO()
    soundfile.write(buffer, music(0.5, 22050), 22050, format="FLAC")
    whole = buffer.getvalue()
    at, last = 4, False
    while not last:
        last, at = bool(whole[at] & 0x80), at + 4 + int.from_bytes(whole[at + 1 : at + 4], "big")
    blocks = [(0, whole[8:42]), *blocks]
    headers = [
        bytes([kind | 0x80 * (i == len(blocks))]) + len(data).to_bytes(3, "big") + data
        for i, (kind, data) in enumerate(blocks, 1)
    ]
    return b"fLaC" + b"".join(headers) + whole[at:]


@pytest.mark.parametrize("comments", COMMENTS)
@pytest.mark.parametrize("front", [b"", id3(TITLE + bytes(99))], ids=["", "behind ID3"])
def test_flac(tmp_path: Path, comments: str, front: bytes) -> None:
    path = tmp_path / "song.flac"
    path.write_bytes(front + flac([(2, b"appldata"), (4, COMMENTS[comments]), (1, bytes(2000))]))
    stays(path)
    write_tags(path, SHORT, force=True)
    if comments != "bytes behind":  # which others refuse
        assert FLAC(path)["AUTOTAG"] == list(SHORT[AUTOTAG])
        assert soundfile.info(path).frames == 11025


@pytest.mark.parametrize("blocks", [[], [(1, bytes(100))], [(4, COMMENTS["no sign"])], [(2, b"abcd")] * 3])
def test_flac_with_few_blocks(tmp_path: Path, blocks: list[tuple[int, bytes]]) -> None:
    path = tmp_path / "song.flac"
    path.write_bytes(flac(blocks))
    stays(path)
    write_tags(path, SHORT)
    assert FLAC(path)["AUTOTAG"] == list(SHORT[AUTOTAG])


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("size", [0, 300, 5000, 64_000, 200_000])
def test_ogg_with_a_packet_of_comments_over_several_pages(tmp_path: Path, subtype: str, size: int) -> None:
    path = tmp_path / "song.ogg"
    soundfile.write(path, music(1, 48000), 48000, format="OGG", subtype=subtype)
    file = mutagen.File(path)
    file["cover"] = ["x" * size]
    file["genre"], file["title"] = ["Ska"], ["Título"]
    file.save()
    stays(path)
    write_tags(path, SHORT)
    assert mutagen.File(path)["autotag"] == list(SHORT[AUTOTAG])
    assert soundfile.info(path).frames == 48000


def ogg_page(old: Any, sequence: int, position: int, lacing: bytes, data: bytes, more: bool) -> bytes:
    """A page of a stream, with its checksum."""
    head = struct.pack("<4sBBqIII", b"OggS", 0, more, position, old.serial, sequence, 0)
    whole = head + bytes([len(lacing)]) + lacing + data
    crc = 0
    for byte in whole:
        crc ^= byte << 24
        for _ in range(8):
            crc = crc << 1 ^ (0x104C11DB7 if crc & 1 << 31 else 0)
    return whole[:22] + struct.pack("<I", crc) + whole[26:]


def with_full_pages(path: Path, comment: bytes) -> None:
    """Put a comment into an Ogg whose pages are as large as can be, as libogg writes them."""
    with path.open("rb") as file:
        pages = [OggPage(file)]
        while file.tell() < path.stat().st_size:
            pages.append(OggPage(file))
    behind = next(i for i, page in enumerate(pages) if page.position > 0)
    packets = OggPage.to_packets(pages[1:behind])
    prefix = 7 if packets[0].startswith(b"\x03vorbis") else 8
    packets[0] = packets[0][:prefix] + vorbis(comment, b"genre=Ska", rest=b"\1" * (prefix == 7))
    lacing = b"".join(b"\xff" * (len(data) // 255) + bytes([len(data) % 255]) for data in packets)
    data, found = b"".join(packets), [pages[0].write()]
    for at in range(0, len(lacing), 255):
        some = lacing[at : at + 255]
        position = 0 if min(some) < 255 else -1
        more = at > 0 and lacing[at - 1] == 255
        found.append(ogg_page(pages[0], len(found), position, some, data[: sum(some)], more))
        data = data[sum(some) :]
    for page in pages[behind:]:
        page.sequence = len(found)
        found.append(page.write())
    path.write_bytes(b"".join(found))


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("size", [*range(60_000, 65_000, 600), *range(64_900, 65_100, 20), 130_000])
def test_ogg_with_pages_that_have_no_room(tmp_path: Path, subtype: str, size: int) -> None:
    path = tmp_path / "song.ogg"
    soundfile.write(path, music(1, 48000), 48000, format="OGG", subtype=subtype)
    with_full_pages(path, b"METADATA_BLOCK_PICTURE=" + b"x" * size)
    assert soundfile.info(path).frames == 48000
    before = soundfile.read(path)[0]
    stays(path)
    for wanted in (SHORT, LONG):
        write_tags(path, wanted, force=True)
        assert mutagen.File(path)["autotag"] == list(wanted[AUTOTAG])
        assert np.array_equal(soundfile.read(path)[0], before)
    write_tags(path, LONG, force=True)
    with path.open("rb") as file:
        pages = []
        while file.tell() < path.stat().st_size:
            pages.append(OggPage(file))
    assert [page.sequence for page in pages] == list(range(len(pages)))


def ffmpeg(path: Path, *arguments: str) -> Path:
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("there is no ffmpeg on the PATH")
    source = path.with_name("source.wav")
    soundfile.write(source, music(2, 44100), 44100)
    command = [program, "-nostdin", "-v", "error", "-i", str(source), *arguments, str(path)]
    run = subprocess.run(command, capture_output=True, text=True)
    source.unlink()
    if run.returncode:
        pytest.skip(f"this ffmpeg cannot make it: {run.stderr[:100]}")
    return path


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("a.m4a", ["-metadata", "genre=Ska", "-metadata", "title=x"]),
        ("a.m4a", ["-movflags", "+faststart"]),
        ("a.m4a", ["-movflags", "+faststart", "-map_metadata", "-1", "-fflags", "+bitexact"]),
        ("a.mp4", ["-movflags", "+frag_keyframe+empty_moov"]),
        ("a.oga", ["-c:a", "flac", "-metadata", "genre=Ska"]),
        ("a.opus", ["-c:a", "libopus"]),
        ("a.spx", ["-c:a", "libspeex", "-ar", "16000"]),
        ("a.mp3", ["-id3v2_version", "3", "-write_id3v1", "1", "-metadata", "title=Ünder"]),
        ("a.wav", ["-metadata", "title=x", "-write_id3v2", "1"]),
        ("a.wav", ["-c:a", "pcm_u8", "-t", "0.99999"]),
        ("a.aiff", ["-write_id3v2", "1", "-metadata", "title=x"]),
    ],
    ids=str,
)
def test_what_another_program_has_made(tmp_path: Path, name: str, arguments: list[str]) -> None:
    path = ffmpeg(tmp_path / name, *arguments)
    program = shutil.which("ffmpeg")
    sound = [str(program), "-v", "error", "-i", str(path), "-f", "md5", "-"]
    before = subprocess.run(sound, capture_output=True, check=True).stdout
    stays(path)
    write_tags(path, LONG, force=True)
    assert subprocess.run(sound, capture_output=True, check=True).stdout == before


@pytest.mark.parametrize("made", ["ilst", "meta", "udta"])
@pytest.mark.parametrize("place", ["in front", "behind"])
def test_mp4_without_a_place_for_tags(tmp_path: Path, made: str, place: str) -> None:
    options = {} if place == "behind" else {"movflags": "faststart"}
    path = encode(tmp_path / "a.m4a", music(2, 44100), 44100, "aac", **options)
    before = path.read_bytes()
    first = before.index(b"udta") - 4
    size = int.from_bytes(before[first : first + 4], "big")
    meta = before[first + 8 :]
    handler = meta[:12] + meta[12 : 12 + int.from_bytes(meta[12:16], "big")]
    keep = {"udta": b"", "meta": struct.pack(">I", 8) + b"udta"}
    keep["ilst"] = struct.pack(">I4sI4s", len(handler) + 8, b"udta", len(handler), b"meta") + handler[8:]
    moov = before.index(b"moov") - 4
    whole = int.from_bytes(before[moov : moov + 4], "big") - size + len(keep[made])
    # The places of sound are wrong now where it stands behind, which is all the same here.
    path.write_bytes(
        before[:moov]
        + struct.pack(">I", whole)
        + before[moov + 4 : first]
        + keep[made]
        + before[first + size :]
    )
    assert read_tags(path).made == made
    stays(path)
    write_tags(path, SHORT)
    assert MP4(path)["----:com.autotag:AUTOTAG"] == [value.encode() for value in SHORT[AUTOTAG]]


def test_mp4_with_a_genre_by_number_and_moods_of_others(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.m4a", music(2, 44100), 44100, "aac")
    file = MP4(path)
    file["----:org.somebody:Mood"] = [b"Calm"]
    file.save()
    data = path.read_bytes()
    number = struct.pack(">I4sI4sIIH", 26, b"gnre", 18, b"data", 0, 0, 18)
    at = data.index(b"ilst") + 4
    container = read_tags(path)
    container.items.insert(0, number)
    with path.open("rb") as file:
        data = b"".join(patched(file, container.patches()))
    assert data[at : at + 26] == number
    path.write_bytes(data)
    found = read_tags(path)
    assert (found.get(GENRE), found.get(MOOD)) == (("Rock",), ("Calm",))
    assert [change.field for change in write_tags(path, SHORT).changes] == [AUTOTAG]
    undo_tags(path)
    stays(path)


def chunks(kind: str, *parts: tuple[bytes, bytes], padded: bool = True) -> bytes:
    """A WAV or AIFF of chunks, the last one with the byte that makes it even or without."""
    order: Literal["little", "big"] = "little" if kind == "WAVE" else "big"
    found = [name + len(data).to_bytes(4, order) + data + bytes(len(data) % 2) for name, data in parts]
    body = kind.encode() + b"".join(found)
    body = body if padded or not len(parts[-1][1]) % 2 else body[:-1]
    return (b"RIFF" if kind == "WAVE" else b"FORM") + len(body).to_bytes(4, order) + body


HEAD = {
    "WAVE": (b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)),
    "AIFF": (b"COMM", struct.pack(">hIh", 1, 7999, 8) + b"@\x0b\xfa\0\0\0\0\0\0\0"),
}
SOUND = {
    "WAVE": (b"data", bytes(range(250)) * 31 + b"odd"),
    "AIFF": (b"SSND", bytes(range(250)) * 31 + b"odd"),
}


@pytest.mark.parametrize("kind", HEAD)
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("behind", [b"", b"junk behind it"], ids=["", "junk"])
@pytest.mark.parametrize("where", ["none", "first", "last", "empty"])
def test_chunks(tmp_path: Path, kind: str, padded: bool, behind: bytes, where: str) -> None:
    name = b"ID3 " if kind == "AIFF" else b"id3 "
    tag = (name, id3(TITLE + frame(b"TCON", b"\3Ska") + bytes(11)) if where != "empty" else b"")
    parts = [HEAD[kind], (b"odd ", b"12345"), SOUND[kind]]
    if where != "none":
        parts.insert(1 if where == "first" else 3, tag)
    path = tmp_path / "song"
    path.write_bytes(chunks(kind, *parts, padded=padded) + behind)
    if where == "last" and not padded:
        before = path.read_bytes()
        with pytest.raises(TagsUnwritable, match="taken back to the last byte"):
            write_tags(path, SHORT)
        assert path.read_bytes() == before
    else:
        stays(path)


def test_what_cannot_be_taken_back_is_refused_and_left_alone(tmp_path: Path) -> None:
    for name, data in {
        "checksum.mp3": id3(b"\0\0\0\x0a\x80\0\0\0\0\0\0\0\0\0" + UTF_16, 3, 0x40) + MP3,
        "compressed.mp3": id3(b"TT2\0\0\4\0abc", 2, 0x40) + MP3,
        "version.mp3": id3(TITLE, 9) + MP3,
        "syncs.mp3": id3(frame(b"TPE1", b"\0a\xff\0b\xff\xff", bits=8), 3, 0x80) + MP3,
        "large.flac": flac([(4, vorbis(b"A=" + bytes(2**24 - 100)))]),
        "cut.flac": flac([(4, vorbis(b"A=b")[:-2])]),
        "broke-off.wav": b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(20) + b"data" + bytes(4) + bytes(800),
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(AudioError, match=re.escape(name)) as found:
            write_tags(path, SHORT)
        assert ".tmp" not in str(found.value)
        assert path.read_bytes() == data
    assert not list(tmp_path.glob(".autotag-*"))


def test_a_checksum_that_is_wrong_is_no_business_of_autotags(tmp_path: Path) -> None:
    path = tmp_path / "song.ogg"
    soundfile.write(path, music(1, 44100), 44100)
    data = bytearray(path.read_bytes())
    data[data.index(b"OggS", 4) + 22] ^= 1  # of the page that would be changed, and could not be changed back
    path.write_bytes(data)
    with pytest.raises(TagsUnwritable, match="taken back to the last byte"):
        write_tags(path, SHORT)
    assert path.read_bytes() == data


def test_random_frames_comments_and_sizes(tmp_path: Path) -> None:
    rng = random.Random(0)
    some = np.random.default_rng(0)
    for turn in range(60):
        path = tmp_path / f"{turn}.{'mp3' if turn % 2 else 'flac'}"
        pieces = [some.bytes(rng.choice((0, 1, 5, 127, 128, 300, 2000))) for _ in range(rng.randrange(8))]
        if turn % 2:
            names = [rng.choice((b"TIT2", b"TCON", b"TXXX", b"PRIV", b"TMOO", b"GEOB")) for _ in pieces]
            frames = [frame(name, data) for name, data in zip(names, pieces, strict=True)]
            path.write_bytes(id3(b"".join(frames) + bytes(rng.choice((0, 1, 500)))) + MP3)
        else:
            names = [rng.choice((b"", b"A=", b"GENRE=", b"mood=", b"=", b"\xff=")) for _ in pieces]
            texts = [name + data for name, data in zip(names, pieces, strict=True)]
            path.write_bytes(flac([(4, vorbis(*texts)), (1, bytes(rng.choice((0, 4096))))]))
        stays(path)
