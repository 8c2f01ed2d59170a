"""Files that were joined in formats whose first bytes cannot stand elsewhere by chance."""

import re
import struct
from collections.abc import Iterator

from autotag.audio.content import Content

_ASF = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"
_W64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_FIRST_OF_SEVERAL = b"".join(re.escape(bytes([flags])) for flags in range(256) if flags & 8)

FIRST_BYTES = {
    "asf": (_ASF, re.compile(re.escape(_ASF))),
    "w64": (_W64, re.compile(re.escape(_W64))),
    "caf": (b"caff", re.compile(rb"caff\0\x01\0\0desc")),
    "flv": (b"FLV\x01", re.compile(rb"FLV\x01[\x01\x04\x05]\0\0\0\x09\0{4}")),
    "matroska": (b"\x1a\x45\xdf\xa3", re.compile(rb"\x1a\x45\xdf\xa3.{1,40}(matroska|webm)", re.S)),
    "tta": (b"TTA1", re.compile(rb"TTA1[\x01\x02]\0[\x01-\x10]\0[\x08\x10\x18]\0")),
    "ape": (b"MAC ", re.compile(rb"MAC ..\0\0\x34\0\0\0", re.S)),
    # A block of samples that is number 0, and the first of those that make up its channels.
    "wv": (
        b"wvpk",
        re.compile(rb"wvpk.{4}[\x02-\x10]\x04.{6}\0{4}(?!\0{4}).{4}.[" + _FIRST_OF_SEVERAL + b"]", re.S),
    ),
}
"""By ffmpeg's name: what a file begins with, and a pattern of more than four bytes of it."""


def starts(content: Content, start: int, demuxer: str) -> Iterator[int]:
    """Where files of one of these formats begin, the first of which does at `start`."""
    magic, _ = FIRST_BYTES[demuxer]
    yield start
    for at in content.find(magic, start + 1, content.size):
        if is_first(content, at, demuxer):
            yield at


def is_first(content: Content, at: int, demuxer: str) -> bool:
    """Whether a file of one of these formats begins there, and does not go on."""
    return FIRST_BYTES[demuxer][1].match(content.read(at, 64)) is not None


def missing(content: Content, start: int, stop: int, demuxer: str) -> float:
    """The share of its samples that a Wave64 or CAF announces and that are not there, 0..1."""
    at = start + {"w64": 40, "caf": 8}[demuxer]
    for _ in range(1000):
        if demuxer == "w64":
            head = content.read(at, 24)
            name, size, length = head[:16], int.from_bytes(head[16:], "little") - 24, 24
            following = at + 24 + size + -size % 8
        else:
            head = content.read(at, 12)
            name, size, length = head[:4], struct.unpack(">q", head[4:].rjust(8, b"\0"))[0], 12
            following = at + 12 + size
        if name in (_W64_DATA, b"data"):
            there = stop - at - length
            return 1 - there / size if size > there > 0 else 0.0
        if size <= 0 or following >= stop:
            break
        at = following
    return 0.0
