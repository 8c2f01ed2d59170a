"""ID3v2 in front of an MP3, frame by frame: versions 2.2, 2.3 and 2.4 stay what they are, a new tag is 2.4.

Versions before 2.4 have no repeated values: there too they are written one after the other with a null
between, as many taggers read and write them, and a player that goes by its letter shows the first.
"""

import re
import zlib
from collections.abc import Sequence
from typing import ClassVar

from autotag.outputs.containers import (
    AUTOTAG,
    BEFORE,
    COMMENT,
    GENRE,
    GROUPING,
    KEYWORDS,
    MOOD,
    MOST_ITEMS,
    STYLE,
    Damaged,
    Patch,
    TagContainer,
    Unwritable,
    Values,
)

OLD_NAMES = {"TCO": "TCON", "TXX": "TXXX", "COM": "COMM", "TT1": "TIT1", "GP1": "GRP1"}
"""Names of frames in version 2.2, and what they are called since."""

LANGUAGE = b"eng"
"""The language of a comment: iTunes and others look for this one only."""

MOST = 1 << 28
"""The size of a tag is a number of 28 bits."""


class Id3(TagContainer):
    """A tag in front of the sound, or one to be made there.

    Args:
        data: the whole tag, or nothing.
        start: where it stands in the file.
        v1: the ID3v1 at the end of the file, for a new tag: what reads that may no longer look at the old
            one, and must find the title there.
    """

    KEYS: ClassVar = {
        GENRE: ("TCON", "TXXX:GENRE"),
        MOOD: ("TMOO", "TXXX:MOOD"),
        COMMENT: ("COMM",),
        GROUPING: ("TIT1", "GRP1"),
        KEYWORDS: ("TXXX:KEYWORDS",),
        STYLE: ("TXXX:STYLE",),
        AUTOTAG: ("TXXX:AUTOTAG",),
        BEFORE: ("TXXX:AUTOTAG_BEFORE",),
    }

    def __init__(self, data: bytes = b"", start: int = 0, v1: bytes = b"") -> None:
        self._start, self._size = start, len(data)
        self._version, self._flags, self._extended, self._rest = 4, 0, b"", b""
        self._plain, self._every = False, False
        items: list[bytes] = []
        self._old = _of_v1(v1)
        if data:
            items = self._parse(data)
        else:
            items += self._old
        super().__init__(f"ID3v2.{self._version}", items, "" if data else "tag")
        if data and self.tag() != data:
            raise Damaged("its ID3 tag is written in a way that would not stay as it is")

    def _parse(self, data: bytes) -> list[bytes]:
        self._version, self._flags = data[3], data[5]
        if self._version not in (2, 3, 4):
            raise Damaged(f"its ID3 tag has the unknown version 2.{self._version}")
        if self._version == 2 and self._flags & 0x40:
            raise Damaged("its ID3 tag is compressed")
        body = data[10 : len(data) - 10 if self._flags & 0x10 and self._version == 4 else None]
        if self._flags & 0x80 and self._version < 4:
            self._every = _encoded(_decoded(body), every=False) != body
            body = _decoded(body)
        if self._flags & 0x40 and self._version > 2:
            size = _number(body[:4], 7) if self._version == 4 else int.from_bytes(body[:4], "big") + 4
            if size > len(body) or len(body) < 6:
                raise Damaged("its ID3 tag breaks off")
            if body[5 if self._version == 4 else 4] & (0x20 if self._version == 4 else 0x80):
                raise Damaged("its ID3 tag has a checksum, which would no longer be right")
            self._extended = body[:size]
        body = body[len(self._extended) :]
        frames, rest = _frames(body, self._version, 7)
        if self._version == 4 and rest.strip(b"\0"):
            others, behind = _frames(body, self._version, 8)  # as old versions of iTunes wrote sizes
            if not behind.strip(b"\0"):
                frames, rest, self._plain = others, behind, True
        self._rest = rest
        return frames

    def tag(self) -> bytes:
        """The tag as it is to be; nothing if it is to go."""
        if (self.made or self.dropped) and self.items == self._old and not self._rest:
            return b""
        body = self._extended + b"".join(self.items) + self._rest
        if self._flags & 0x80 and self._version < 4:
            body = _encoded(body, self._every)
        if len(body) >= MOST:
            raise Unwritable("its ID3 tag would be larger than such a tag can be")
        head = bytes([self._version, 0, self._flags]) + _digits(len(body), 7)
        return b"ID3" + head + body + (b"3DI" + head if self._flags & 0x10 and self._version == 4 else b"")

    def patches(self) -> list[Patch]:
        return [Patch(self._start, self._start + self._size, self.tag())]

    def drop(self, made: str) -> None:
        if self.items == self._old and not self._rest:
            self.dropped = made

    def key(self, item: bytes) -> str:
        name = item[: self._head[0]].decode("latin-1")
        name = OLD_NAMES.get(name, name)
        if name not in ("TXXX", "COMM"):
            return name
        description = next(iter(self._texts(item)), "").upper()
        return f"{name}:{description}" if description or name == "TXXX" else name

    def values(self, item: bytes) -> Values:
        return tuple(self._texts(item)[item[:3] in (b"TXX", b"COM") :])

    def encode(self, field: str, values: Sequence[str]) -> list[bytes]:
        name, _, description = self.KEYS[field][field == MOOD and self._version < 4].partition(":")
        texts = [description, *values] if name in ("TXXX", "COMM") else list(values)
        data = _encode(texts, self._version)
        if name == "COMM":
            data = data[:1] + LANGUAGE + data[1:]
        if self._version == 2:
            old = next(old for old, new in OLD_NAMES.items() if new == name)
            return [old.encode() + len(data).to_bytes(3, "big") + data]
        size = _digits(len(data), 7 if self._version == 4 and not self._plain else 8)
        return [name.encode() + size + b"\0\0" + data]

    def is_item(self, data: bytes) -> bool:
        return _frames(data, self._version, 8 if self._plain else 7) == ([data], b"")

    def _texts(self, item: bytes) -> list[str]:
        """The texts of a frame; of a comment and a text of one's own its description first."""
        data = self._data(item)
        return _text(data[:1] + data[4:] if item[:3] == b"COM" else data)

    @property
    def _head(self) -> tuple[int, int]:
        """Letters of a frame's name, and bytes in front of its data."""
        return (3, 6) if self._version == 2 else (4, 10)

    def _data(self, item: bytes) -> bytes:
        """What a frame holds; nothing where it is encrypted or damaged."""
        data = item[self._head[1] :]
        if self._version == 2:
            return data
        flags = item[9]
        if self._version == 3:
            packed, secret, grouped, unsynced, ahead = flags & 0x80, flags & 0x40, flags & 0x20, 0, 4
        else:
            packed, secret, grouped, unsynced = flags & 8, flags & 4, flags & 0x40, (flags & 2)
            unsynced |= self._flags & 0x80
            ahead = 4 if flags & 1 else 0
        if secret:
            return b""
        data = data[bool(grouped) + (ahead if packed or self._version == 4 else 0) :]
        try:
            data = _decoded(data) if unsynced else data
            return zlib.decompressobj().decompress(data, 1 << 20) if packed else data
        except zlib.error:
            return b""


def size_of_tag(head: bytes) -> int:
    """Bytes of the ID3v2 tag that begins with these 10; 0 if it is none."""
    if head[:3] != b"ID3" or len(head) < 10 or head[3] == 0xFF or max(head[6:10]) > 127:
        return 0
    return 10 + _number(head[6:10], 7) + (10 if head[5] & 0x10 and head[3] == 4 else 0)


def v1_of(end: bytes) -> bytes:
    """The ID3v1 at the end of a file, if any: 128 bytes, or up to 4 fewer if an old mutagen wrote it."""
    end = end[-131:]
    found = end.find(b"TAG")
    is_apev2 = end[max(0, found - 3) : found + 5] == b"APETAGEX"
    return b"" if found < 0 or is_apev2 or not 124 <= len(end) - found <= 128 else end[found:]


def _of_v1(data: bytes) -> list[bytes]:
    """The fields of an ID3v1 as frames of version 2.4."""
    from mutagen.id3 import ParseID3v1

    frames = []
    for name, frame in (ParseID3v1(data) or {}).items():
        text = _encode([str(frame)], 4)
        if name == "COMM":
            text = text[:1] + b"engID3v1 Comment\0" + text[1:]
        frames.append(name.encode() + _digits(len(text), 7) + b"\0\0" + text)
    return frames


def _frames(body: bytes, version: int, bits: int) -> tuple[list[bytes], bytes]:
    """The frames at the start of some bytes, and what stands behind them."""
    letters, head = (3, 6) if version == 2 else (4, 10)
    name = re.compile(b"[A-Z][A-Z0-9]{%d}" % (letters - 1))
    found: list[bytes] = []
    at = 0
    while name.match(body, at) and at + head <= len(body):
        digits = body[at + letters : at + (6 if version == 2 else 8)]
        if version == 4 and bits == 7 and max(digits) > 127:
            break
        size = _number(digits, bits if version == 4 else 8)
        if at + head + size > len(body):
            break
        if len(found) == MOST_ITEMS:
            raise Damaged(f"its ID3 tag has more than {MOST_ITEMS:,} frames")
        found.append(body[at : at + head + size])
        at += head + size
    return found, body[at:]


def _text(data: bytes) -> list[str]:
    """The texts of a frame that begins with its encoding."""
    if not data or data[0] > 3:
        return []
    coding = ("latin-1", "utf-16", "utf-16-be", "utf-8")[data[0]]
    text = data[1:].decode(coding, "replace").rstrip("\0")
    return [part.lstrip("\ufeff") for part in text.split("\0")]


def _encode(texts: Sequence[str], version: int) -> bytes:
    """The encoding and the texts, with a null between."""
    if version == 4:
        return b"\3" + "\0".join(texts).encode("utf-8", "replace")
    try:
        return b"\0" + "\0".join(texts).encode("latin-1")
    except UnicodeEncodeError:
        parts = [b"\xff\xfe" + text.encode("utf-16-le", "replace") for text in texts]
        return b"\1" + b"\0\0".join(parts)


def _decoded(data: bytes) -> bytes:
    """Without the nulls that keep data from looking like sound."""
    return data.replace(b"\xff\0", b"\xff")


def _encoded(data: bytes, every: bool) -> bytes:
    """With those nulls: behind every byte of ones, or where it is needed."""
    if every:
        return data.replace(b"\xff", b"\xff\0")
    return re.sub(rb"\xff(?=[\xe0-\xff\0])", b"\xff\0", data) + (b"\0" if data[-1:] == b"\xff" else b"")


def _number(digits: bytes, bits: int) -> int:
    found = 0
    for digit in digits:
        found = found << bits | digit
    return found


def _digits(number: int, bits: int) -> bytes:
    return bytes(number >> bits * place & (1 << bits) - 1 for place in (3, 2, 1, 0))
