"""Vorbis comments, in FLAC and in Ogg, comment by comment."""

import struct
import zlib
from collections.abc import Sequence
from itertools import islice
from typing import BinaryIO, ClassVar, NamedTuple

from autotag.outputs.containers import (
    AUTOTAG,
    BEFORE,
    GENRE,
    MOOD,
    Damaged,
    Patch,
    TagContainer,
    Unwritable,
    Values,
    part,
)

VENDOR = b"autotag"
"""Who made a list of comments where there was none."""

FLAC = b"\x7fFLAC"

CODECS = {
    b"\x01vorbis": b"\x03vorbis",
    b"OpusHead": b"OpusTags",
    FLAC: b"",
    b"Speex   ": b"",
}
"""What the first packet of a stream begins with, and what its packet of comments does."""


class Vorbis(TagContainer):
    """A list of comments, whatever it stands in."""

    KEYS: ClassVar = {GENRE: (GENRE,), MOOD: (MOOD,), AUTOTAG: (AUTOTAG,), BEFORE: (BEFORE,)}

    def __init__(self, data: bytes, made: str = "") -> None:
        reader = _Reader(data)
        self.vendor = reader.text()
        items = [reader.text() for _ in range(reader.number())]
        self._rest = data[reader.at :]
        super().__init__("Vorbis comments", items, made)

    def comments(self) -> bytes:
        """The list as it is to be."""
        count = struct.pack("<I", len(self.items))
        return _text(self.vendor) + count + b"".join(map(_text, self.items)) + self._rest

    def key(self, item: bytes) -> str:
        name, sign, _ = item.partition(b"=")
        return name.decode("utf-8", "replace").upper() if sign else ""

    def values(self, item: bytes) -> Values:
        return (item.partition(b"=")[2].decode("utf-8", "replace"),)

    def encode(self, field: str, values: Sequence[str]) -> list[bytes]:
        return [f"{field}={value}".encode("utf-8", "replace") for value in values]

    def is_item(self, data: bytes) -> bool:
        return b"=" in data


class Flac(Vorbis):
    """The block of comments in a FLAC, or one to be made behind the first block."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        blocks, at, last = [], start + 4, False
        while not last:
            head = part(file, at, 4)
            end = at + 4 + int.from_bytes(head[1:], "big")
            blocks.append((head[0], at, end))
            at, last = end, bool(head[0] & 0x80)
            if len(blocks) > 10_000:
                raise Damaged("it has more than 10,000 blocks of metadata")
        if blocks[0][0] & 0x7F:
            raise Damaged("its first block is not the one that describes the sound")
        found = next((block for block in blocks if block[0] & 0x7F == 4), None)
        if found:
            self._kind, self._start, self._end = found
            super().__init__(part(file, self._start + 4, self._end - self._start - 4))
            self._previous = blocks[blocks.index(found) - 1]
        else:
            self._kind, self._start, self._end = 4 | blocks[0][0] & 0x80, blocks[0][2], blocks[0][2]
            super().__init__(_text(VENDOR) + bytes(4), "block")
            self._previous = blocks[0]

    def drop(self, made: str) -> None:
        if not self.items and self.vendor == VENDOR and not self._rest:
            self.dropped = made

    def patches(self) -> list[Patch]:
        is_last = self._kind & 0x80
        if (self.made or self.dropped) and not self.items:
            if self.made or not is_last:
                return [Patch(self._start, self._end, b"")]
            head = bytes([self._previous[0] | 0x80])
            return [Patch(self._previous[1], self._previous[1] + 1, head), Patch(self._start, self._end, b"")]
        data = self.comments()
        if len(data) >= 1 << 24:
            raise Unwritable("its block of comments would be larger than a block can be")
        new = Patch(self._start, self._end, bytes([self._kind]) + len(data).to_bytes(3, "big") + data)
        if self.made and is_last:
            return [Patch(self._previous[1], self._previous[1] + 1, bytes([self._previous[0] & 0x7F])), new]
        return [new]


class _Page(NamedTuple):
    start: int
    head: bytes
    lacing: bytes
    data: bytes

    @property
    def end(self) -> int:
        return self.start + 27 + len(self.lacing) + len(self.data)

    def patch(self, lacing: bytes, data: bytes) -> Patch:
        """The page with other content, and with its checksum."""
        whole = self.head[:22] + bytes(4) + bytes([len(lacing)]) + lacing + data
        crc = _crc(whole) if (lacing, data) != (self.lacing, self.data) else self.head[22:26]
        return Patch(self.start, self.end, whole[:22] + crc + whole[26:])


class Ogg(Vorbis):
    """The second packet of the first stream of sound in an Ogg: Vorbis, Opus, FLAC or Speex.

    The pages stay as many as they are, and so does how many segments each has, except for the last one of
    the packet, which takes up what is more or less.
    """

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._pages, codec = _header(file, start)
        lacing = b"".join(page.lacing for page in self._pages)
        segments = next(i for i, size in enumerate(lacing, 1) if size < 255)
        size = sum(lacing[:segments])
        data = b"".join(page.data for page in self._pages)
        packet, self._behind, self._lacing = data[:size], data[size:], lacing[segments:]
        self._flac = codec == FLAC
        ahead = 4 if self._flac else len(CODECS[codec])
        self._prefix = packet[:ahead]
        if not packet.startswith(CODECS[codec]) or (self._flac and packet[0] & 0x7F != 4):
            raise Damaged("its second packet holds no comments")
        super().__init__(packet[ahead:])

    def drop(self, made: str) -> None:
        pass  # an Ogg always has comments

    def patches(self) -> list[Patch]:
        data = self.comments()
        prefix = self._prefix[:1] + len(data).to_bytes(3, "big") if self._flac else self._prefix
        data = prefix + data
        lacing = iter(b"\xff" * (len(data) // 255) + bytes([len(data) % 255]) + self._lacing)
        content, found = data + self._behind, []
        for page in self._pages:
            is_last = page is self._pages[-1]
            some = bytes(lacing if is_last else islice(lacing, len(page.lacing)))
            if len(some) > 255 or (is_last and len(some) <= len(self._lacing)):
                raise Unwritable("the pages of its comments have no room for more")
            found.append(page.patch(some, content[: sum(some)]))
            content = content[sum(some) :]
        return found


def _header(file: BinaryIO, start: int) -> tuple[list[_Page], bytes]:
    """The pages that hold the comments of the first stream of sound, and what that stream begins with."""
    serial, found, codec, at = b"", [], b"", start
    for _ in range(100_000):
        page = _page(file, at)
        at = page.end
        if page.head[5] & 2:  # the first page of a stream
            sign = next((sign for sign in CODECS if page.data.startswith(sign)), None)
            if sign and not serial:
                serial, codec = page.head[14:18], sign
        elif not serial:
            raise Damaged("it holds no Vorbis, Opus, FLAC or Speex")
        elif page.head[14:18] == serial:
            found.append(page)
            if any(size < 255 for size in page.lacing):
                return found, codec
    raise Damaged("its comments do not end")


def _page(file: BinaryIO, at: int) -> _Page:
    head = part(file, at, 27)
    if head[:5] != b"OggS\0":
        raise Damaged("its pages do not follow one another")
    lacing = part(file, at + 27, head[26])
    return _Page(at, head, lacing, part(file, at + 27 + head[26], sum(lacing)))


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _crc(page: bytes) -> bytes:
    """Ogg's checksum: that of zlib with all bits in the other order, and neither start nor end inverted."""
    crc = ~zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) & 0xFFFFFFFF
    return crc.to_bytes(4, "big").translate(_MIRRORED)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def number(self) -> int:
        self.at += 4
        if self.at > len(self._data):
            raise Damaged("its list of comments breaks off")
        return int.from_bytes(self._data[self.at - 4 : self.at], "little")

    def text(self) -> bytes:
        size = self.number()
        self.at += size
        if self.at > len(self._data):
            raise Damaged("its list of comments breaks off")
        return self._data[self.at - size : self.at]


def _text(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data
