"""FLACs whose header is missing, or says wrongly, or not, how long they are, and FLACs that were joined.

Each frame says which of all it is, so the last one tells how many samples there are.
"""

import re
from functools import cache
from typing import NamedTuple

from autotag.audio.content import Content

START = b"fLaC\0\0\0\x22"
"""A FLAC begins so: its first block is STREAMINFO, of 34 bytes."""

END = 1 << 18
"""Bytes within which the last frame must begin: it has at most some 100,000, and tags may stand behind it."""

_RATES = (None, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000, *[None] * 4)
_BITS = (None, 8, 12, None, 16, 20, 24, 32)
"""By the numbers that a frame has for them, Hz and bits; None where it leaves them to the header."""


def starts(content: Content, start: int) -> list[int]:
    """Where FLACs begin, one behind the other. All of them are read for that."""
    return [start, *content.find(START, start + 1, content.size)]


def is_followed(content: Content, start: int, left: int) -> bool:
    """Whether another FLAC stands in the bytes that a decoder of the first one left, or read ahead."""
    return (
        next(content.find(START, max(start + 1, content.size - left - END), content.size), None) is not None
    )


def stated(content: Content, start: int) -> int:
    """Samples that the header says there are; 0 if it does not say it."""
    header = content.read(start, 26)
    return int.from_bytes(header[21:26], "big") & 0xFFFFFFFFF if len(header) == 26 else 0


def counted(content: Content, start: int, stop: int, info: bytes = b"") -> int | None:
    """Samples that there are, by the last frame that follows on another one; None if there is none.

    Args:
        info: its first 26 bytes, where they do not stand at the start.
    """
    info = info or content.read(start, 26)
    begin = max(start + 42, stop - END)
    data = content.read(begin, stop - begin)
    ends: dict[int, int] = {}  # of what look like frames further behind, by where they begin
    at = len(data)
    while (at := data.rfind(b"\xff", 0, at)) >= 0:
        if (frame := _frame(data[at : at + 17], int.from_bytes(info[10:12], "big"))) is not None:
            first, behind = frame
            if behind in ends:
                return ends[behind]
            ends.setdefault(first, behind)
    return ends.get(0)


def header(old: bytes, samples: int) -> bytes:
    """The first 26 bytes, saying that there are so many samples, and what is behind them."""
    total = bytes([old[21] & 0xF0 | samples >> 32 & 15]) + (samples & 0xFFFFFFFF).to_bytes(4, "big")
    return old[:21] + total + old[26:]


def without_header(data: bytes) -> tuple[int, int, bytes] | None:
    """Where the first of two frames in a row is, its first sample, and a header; None if there are none."""
    found: dict[int, tuple[int, _Head]] = {}  # by the sample behind it
    for at in (match.start() for match in re.finditer(rb"\xff[\xf8\xf9]", data)):
        head = _head(data[at : at + 17])
        if head is None or None in (head.samplerate, head.bits):
            continue
        before = found.get(head.first(head.size))
        if before is not None and before[1][2:] == head[2:]:
            place, (_, size, _, samplerate, channels, bits) = before
            assert samplerate and bits
            facts = samplerate << 44 | channels - 1 << 41 | bits - 1 << 36
            info = 2 * size.to_bytes(2, "big") + bytes(6) + facts.to_bytes(8, "big") + bytes(16)
            return place, before[1].first(size), b"fLaC\x80\0\0\x22" + info
        found[head.first(head.size) + head.size] = at, head
    return None


class _Head(NamedTuple):
    """The head of a frame: which it is, its samples, what is counted, and what they are like."""

    number: int
    size: int
    variable: bool
    samplerate: int | None
    channels: int
    bits: int | None

    def first(self, block: int) -> int:
        """Its first sample; `block` is how many the frames before it have."""
        return self.number if self.variable else self.number * block


def _frame(data: bytes, block: int) -> tuple[int, int] | None:
    """The first sample of a frame and the first one behind it, if one starts so.

    Args:
        block: samples of a block, as STREAMINFO says.
    """
    head = _head(data)
    return head and (head.first(block), head.first(block) + head.size)


def _head(head: bytes) -> _Head | None:
    """What a frame says of itself, if one starts so."""
    if len(head) < 17 or head[1] & 0xFE != 0xF8 or head[2] >> 4 == 0 or head[2] & 15 == 15 or head[3] & 1:
        return None
    # The number is coded like a character of UTF-8, in up to 7 bytes.
    ones = 8 - (head[4] ^ 0xFF).bit_length()
    if ones in (1, 8):
        return None
    number = head[4] & (0x7F >> ones)
    at = 5
    for _ in range(ones - 1):
        if head[at] >> 6 != 2:
            return None
        number = number << 6 | head[at] & 0x3F
        at += 1
    code, rate = head[2] >> 4, head[2] & 15
    sizes = {1: 192, **{c: 576 << c - 2 for c in range(2, 6)}, **{c: 256 << c - 8 for c in range(8, 16)}}
    if code in (6, 7):
        size = int.from_bytes(head[at : at + code - 5], "big") + 1
        at += code - 5
    else:
        size = sizes[code]
    length = {12: 1, 13: 2, 14: 2}.get(rate, 0)
    stated = int.from_bytes(head[at : at + length], "big") * {12: 1000, 14: 10}.get(rate, 1)
    at += length
    if at >= len(head) or _crc(head[:at]) != head[at]:
        return None
    channels = head[3] >> 4
    return _Head(
        number,
        size,
        bool(head[1] & 1),
        stated or _RATES[rate],
        2 if channels > 7 else channels + 1,
        _BITS[head[3] >> 1 & 7],
    )


def _crc(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _crc_table()[crc ^ byte]
    return crc


@cache
def _crc_table() -> list[int]:
    """The CRC of each byte, by the polynomial x^8 + x^2 + x + 1."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value << 1 ^ (0x107 if value & 0x80 else 0)
        table.append(value)
    return table
