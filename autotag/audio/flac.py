"""FLACs whose header says wrongly, or not, how long they are, and FLACs that were joined.

Each frame says which of all it is, so the last one tells how many samples there are.
"""

from functools import cache

from autotag.audio.content import Content

START = b"fLaC\0\0\0\x22"
"""A FLAC begins so: its first block is STREAMINFO, of 34 bytes."""

END = 1 << 18
"""Bytes within which the last frame must begin: it has at most some 100,000, and tags may stand behind it."""


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


def counted(content: Content, start: int, stop: int) -> int | None:
    """Samples that there are, by the last frame that follows on another one; None if there is none."""
    info = content.read(start, 26)
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


def header(content: Content, start: int, samples: int) -> bytes:
    """The first 26 bytes, saying that there are so many samples."""
    old = content.read(start, 22)
    return old[:21] + bytes([old[21] & 0xF0 | samples >> 32 & 15]) + (samples & 0xFFFFFFFF).to_bytes(4, "big")


def _frame(head: bytes, block: int) -> tuple[int, int] | None:
    """The first sample of a frame and the first one behind it, if one starts so.

    Args:
        block: samples of a block, as STREAMINFO says.
    """
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
    at += {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if at >= len(head) or _crc(head[:at]) != head[at]:
        return None
    first = number if head[1] & 1 else number * block
    return first, first + size


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
