"""What a music file is, by its bytes and not by its name, and the container of its tags."""

import importlib.util
import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from autotag.audio.content import Content
from autotag.audio.formats import AAC, MP3, recognised
from autotag.audio.tags import sound as before_sound
from autotag.errors import ExtraMissing, TagsUnreadable, TagsUnwritable, UnreadableAudio
from autotag.outputs.chunks import Chunked
from autotag.outputs.containers import (
    COMMENT,
    GENRE,
    SHARED,
    Damaged,
    TagContainer,
    Unwritable,
    Values,
    is_blank,
    part,
)
from autotag.outputs.id3 import Id3, size_of_tag, v1_of
from autotag.outputs.mp4 import Mp4
from autotag.outputs.ogg import Ogg
from autotag.outputs.vorbis import Flac

FORMATS = "MP3, AIFF, WAV, FLAC, Ogg and MP4"

MOST_TAGS = 64
"""ID3 tags in front of one file; some programs put one before another."""

UNKNOWN = "nothing that autotag knows"

OTHERS = (
    (b"RF64", "a WAV of over 4 GiB (RF64)"),
    (b"BW64", "a WAV of over 4 GiB (BW64)"),
    (b"RIFF", "a RIFF that is no WAV"),
    (b"FORM", "an IFF that is no AIFF"),
    (b"MThd", "MIDI"),
    (b"%PDF", "a PDF"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)
"""First bytes and name of what is no sound, or one that `autotag.audio.formats` calls by another name."""


def read_tags(path: Path) -> TagContainer:
    """The tags of a file.

    Raises:
        UnreadableAudio: the operating system will not let us read it.
        TagsUnreadable: its format is not one that tags are written into, or it is damaged.
        TagsUnwritable: tags would be lost in it.
        ExtraMissing: mutagen is not installed.
    """
    if importlib.util.find_spec("mutagen") is None:
        raise ExtraMissing("mutagen, which knows the tags in files, is not installed: pip install mutagen")
    try:
        with path.open("rb") as file:
            return _container(file, os.fstat(file.fileno()).st_size)
    except Unwritable as error:
        raise TagsUnwritable(f"{path}: tags cannot be written: {error}") from error
    except Damaged as error:
        name = f"named {path.suffix}" if path.suffix else "named without an ending"
        message = (
            f"{path}: {error} ({name}). Tags are written into {FORMATS} only, and only into whole files."
        )
        raise TagsUnreadable(message) from error
    except (ArithmeticError, LookupError, RecursionError, ValueError, struct.error) as error:
        raise TagsUnreadable(f"{path}: its tags are damaged: {error}") from error
    except OSError as error:
        raise UnreadableAudio(f"{path}: cannot be read: {error.strerror or error}") from error


def _container(file: BinaryIO, size: int) -> TagContainer:
    tags, start = _id3_in_front(file, size)
    head = part(file, start, min(64, size - start))
    end = part(file, max(start, size - 131), min(131, size - start))
    found: TagContainer
    if head[:4] == b"fLaC":
        found = Flac(file, start)
    elif head[:4] == b"OggS":
        found = Ogg(file, start)
    elif head[:4] + head[8:12] in (b"RIFFWAVE", b"FORMAIFF", b"FORMAIFC"):
        found = Chunked(file, start, size)
    elif head[4:8] == b"ftyp" and not tags:
        found = Mp4(file, size)
    elif (what := _name(file, start, head)) == MP3.name:
        found = Id3(tags[0] if tags else b"", v1=v1_of(end))
        tags = tags[1:]
    else:
        raise Damaged(f"its bytes are {what}" if size else "it is empty")
    for field, others in _elsewhere(file, tags, end).items():
        values = (*found.elsewhere.get(field, ()), *others)
        if values := tuple(dict.fromkeys(value for value in values if not is_blank(value))):
            found.elsewhere[field] = values
    return found


def _id3_in_front(file: BinaryIO, size: int) -> tuple[list[bytes], int]:
    """The ID3 tags that a file begins with, and where they end."""
    tags: list[bytes] = []
    start = 0
    while length := size_of_tag(part(file, start, min(10, size - start))):
        if len(tags) == MOST_TAGS:
            raise Damaged(f"more than {MOST_TAGS} ID3 tags stand in front of its sound")
        tags.append(part(file, start, length))
        start += length
    return tags, start


def _name(file: BinaryIO, start: int, head: bytes) -> str:
    """What a file is that begins so behind its ID3 tags, as `autotag tag` hears it."""
    if not head:
        return "none"
    if name := next((name for sign, name in OTHERS if head.startswith(sign)), ""):
        return name
    file.seek(start)
    with Content(file) as content:
        sound, first = before_sound(content)
        heard = recognised(content, sound, first)
    if heard is not None:
        kind, at = heard
        if kind is AAC:
            return "AAC without a container"
        if kind is MP3 or not start + at:
            return kind.name
        return f"{kind.name} behind {'an ID3 tag' if not at else f'{start + at} other bytes'}"
    if head.isascii() and head.decode().isprintable():
        return "text"
    return MP3.name if _is_free_mp3(file, start) else UNKNOWN


def _is_free_mp3(file: BinaryIO, start: int) -> bool:
    """Whether it is an MP3 in free format, of which no frame says how long it is."""
    from mutagen.mp3 import MPEGInfo

    try:
        MPEGInfo(file, offset=start)
    except Exception:  # of a file that is none, the parser raises what comes
        return False
    return True


def _elsewhere(file: BinaryIO, tags: Sequence[bytes], end: bytes) -> dict[str, list[str]]:
    """Values of the fields in tags that are not the container's: other ID3, APEv2 and ID3v1."""
    from mutagen.apev2 import APEv2

    others, ape = [], {}
    for tag in tags:
        with suppress(Damaged):
            others.append(Id3(tag))
    with suppress(Exception):  # most files have none, and of a damaged one the parser raises what comes
        ape = {key.upper(): str(value).split("\0") for key, value in APEv2(fileobj=file).items()}
    v1 = v1_of(end)
    return {
        field: [
            *(value for other in others for value in other.get(field)),
            *ape.get(field, ()),
            *_of_v1(v1, field),
        ]
        for field in SHARED
    }


def _of_v1(data: bytes, field: str) -> Values:
    from mutagen.id3 import TCON, ParseID3v1

    if field == COMMENT:
        return tuple(str((ParseID3v1(data) or {}).get("COMM", "")).splitlines()[:1])
    number = data[-1] if data and field == GENRE else 255
    return (TCON.GENRES[number],) if number < len(TCON.GENRES) else ()
