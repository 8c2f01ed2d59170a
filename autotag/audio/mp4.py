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
    """Name, start and stop of each box at the top; the last one may stop behind the end."""
    at = start
    for _ in range(100_000):
        head = content.read(at, 16)
        if len(head) < 8:
            return
        size = struct.unpack(">I", head[:4])[0]
        if size == 1 and len(head) == 16:
            size = struct.unpack(">Q", head[8:])[0]
        stop = content.size if size == 0 else at + size
        if stop < at + 8 or not any(head[4:8]):
            return
        yield head[4:8], at, stop
        at = stop


def files(content: Content, start: int) -> list[tuple[int, int]]:
    """Start and stop of files that follow each other and have an index, which says how sound is coded.

    Between them tags or damage may stand.
    """
    found: list[tuple[int, int]] = []
    begin: int | None = start
    while begin is not None and len(found) < 1000:
        stop, has_index, following = _file(content, begin)
        if following is None:
            following = next(_beginnings(content, stop if has_index else begin + 8), None)
        if has_index:
            found.append((begin, content.size if following is None else following))
        begin = following
    return found


def _file(content: Content, start: int) -> tuple[int, bool, int | None]:
    """Where the boxes end that are whole, whether an index is among them, and where another file follows."""
    has_index = has_sound = False
    end = start + 8
    for name, at, stop in boxes(content, start):
        if name == b"ftyp" and has_sound:
            return at, has_index, at
        whole = stop <= content.size
        has_index = has_index or (name == b"moov" and whole)
        has_sound = has_sound or name == b"mdat"
        end = stop if whole else at + 8
        if not whole:
            break
    return end, has_index, None


def _beginnings(content: Content, start: int) -> Iterator[int]:
    for at in content.find(b"ftyp", start, content.size):
        if re.match(rb"\0\0\0[\x10-\xff]ftyp[ -~]{4}", content.read(at - 4, 12), re.S):
            yield at - 4


def is_protected(content: Content, start: int) -> bool:
    """Whether its sound is encrypted."""
    for name, at, stop in boxes(content, start):
        if name == b"moov" and _PROTECTED.search(content.read(at, min(MOST, stop - at))):
            return True
    return False
