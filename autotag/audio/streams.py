"""Streams that are recognised from their middle, as a recording of a broadcast begins: by several frames or
packets in a row.
"""

import re
from collections.abc import Callable

CHAIN = 3
"""Frames in a row that are no coincidence."""

_AC3_KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)

DTS = (b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\0", b"\xff\x1f\0\xe8")
"""How a frame of DTS begins, with words of 16 or 14 bits, in either order."""

IEC_61937 = b"\x72\xf8\x1f\x4e"
"""Pa and Pb, which begin a burst, as 16-bit samples."""

_MARKS = {
    "mpegts": re.compile(rb"G.{187}" * 5 + rb"|.{4}(?=" + rb"G.{191}" * 5 + rb")", re.S),
    "mpeg": re.compile(rb"\0\0\x01\xba[\x21-\x3f\x44-\x7f]"),
    "dts": re.compile(b"|".join(map(re.escape, DTS))),
}
"""By ffmpeg's name: a pattern that is no coincidence. Packets of M2TS begin with a time of four bytes."""


def ac3_length(header: bytes) -> int:
    """Bytes of a frame of AC-3 or E-AC-3 by its first 6; 0 if they are none."""
    if len(header) < 6 or header[:2] != b"\x0b\x77":
        return 0
    if 10 < header[5] >> 3 <= 16:
        return 2 * ((header[2] & 7) << 8 | header[3]) + 2
    code = header[4]
    if code >> 6 == 3 or code & 63 > 37:
        return 0
    kbits = _AC3_KBITS[(code & 63) // 2]
    return 2 * (kbits * 2, kbits * 320 // 147 + (code & 1), kbits * 3)[code >> 6]


def latm_length(header: bytes) -> int:
    """Bytes of a frame of AAC in LATM by its first 3; 0 if they are none."""
    if len(header) < 3 or header[0] != 0x56 or header[1] < 0xE0:
        return 0
    return 3 + ((header[1] & 31) << 8 | header[2])


def chained(data: bytes, sync: bytes, length: Callable[[bytes], int]) -> int | None:
    """Where the first of some frames in a row is, None if there are none."""
    at = data.find(sync)
    while at >= 0:
        if begins(data, at, length):
            return at
        at = data.find(sync, at + 1)
    return None


def begins(data: bytes, at: int, length: Callable[[bytes], int]) -> bool:
    """Whether some frames in a row begin there."""
    for _ in range(CHAIN):
        if not (size := length(data[at : at + 6])):
            return False
        at += size
    return True


def found_in(data: bytes) -> tuple[str, int] | None:
    """What the bytes are from the middle of, by ffmpeg's name, and where its first whole frame is."""
    for demuxer, pattern in _MARKS.items():
        if found := pattern.search(data):
            return demuxer, found.start()
    if (at := chained(data, b"\x0b\x77", ac3_length)) is not None:
        return "ac3" if data[at + 5] >> 3 <= 10 else "eac3", at
    if (at := chained(data, b"\x56", latm_length)) is not None:
        return "loas", at
    return None
