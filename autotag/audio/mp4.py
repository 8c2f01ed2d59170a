"""Boxes of MPEG-4 files: where files were joined, and whether the sound is encrypted."""

import re
import struct
from collections.abc import Iterator

from autotag.audio.content import Content

MOST = 1 << 26
"""Bytes of a box that are looked at."""

_PROTECTED = re.compile(rb"stsd.{8,12}?.{4}(drms|enca|aavd)", re.S)
"""The table of how samples are coded, whose first entry names encryption: Apple's, the standard's,
Audible's."""


def boxes(content: Content, start: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and stop of each box at the top."""
    at = start
    for _ in range(100_000):
        head = content.read(at, 16)
        if len(head) < 8:
            return
        size = struct.unpack(">I", head[:4])[0]
        if size == 1 and len(head) == 16:
            size = struct.unpack(">Q", head[8:])[0]
        stop = content.size if size == 0 else min(content.size, at + size)
        if stop < at + 8:
            return
        yield head[4:8], at, stop
        at = stop


def starts(content: Content, start: int) -> list[int]:
    """Where files begin, one behind the other: each with a box "ftyp" of its own and sound in the one
    before.
    """
    found = [start]
    sound = False
    for name, at, _ in boxes(content, start):
        if name == b"ftyp" and sound:
            found.append(at)
            sound = False
        sound = sound or name == b"mdat"
    return found


def is_protected(content: Content, start: int) -> bool:
    """Whether its sound is encrypted."""
    for name, at, stop in boxes(content, start):
        if name == b"moov" and _PROTECTED.search(content.read(at, min(MOST, stop - at))):
            return True
    return False
