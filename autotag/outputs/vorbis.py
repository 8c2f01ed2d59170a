"""Vorbis comments, comment by comment, and where they stand in a FLAC."""

import struct
from collections.abc import Sequence
from typing import BinaryIO, ClassVar

from autotag.outputs.containers import (
    BEFORE,
    COMMENT,
    FIELDS,
    MOST_ITEMS,
    Damaged,
    Patch,
    TagContainer,
    Unwritable,
    Values,
    part,
)

VENDOR = b"autotag"
"""Who made a list of comments where there was none."""


class Vorbis(TagContainer):
    """A list of comments, whatever it stands in."""

    KEYS: ClassVar = {field: (field,) for field in (*FIELDS, BEFORE)} | {COMMENT: (COMMENT, "DESCRIPTION")}

    def __init__(self, data: bytes, made: str = "") -> None:
        reader = _Reader(data)
        self.vendor = reader.text()
        count = reader.number()
        if count > MOST_ITEMS:
            raise Damaged(f"its list has more than {MOST_ITEMS:,} comments")
        items = [reader.text() for _ in range(count)]
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
