"""Tags around the sound of a file: how far they reach."""

import struct

from autotag.audio.content import PIECE, Content
from autotag.audio.mpeg import id3_length
from autotag.errors import NotAudio

MOST = 1000
"""ID3 tags in a row that are still believed to be tags."""

ZEROS = 1 << 24
"""Bytes of zeros that may stand beside a tag, as room for a longer one, or before all else."""

ROOM = 1 << 13
"""Bytes of zeros that may fill up a block of a disk behind the sound, or a tenth of a file's."""

FEW = 8
"""Fewer zeros before all else may be a part of the format."""

BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
"""Names of what an MPEG-4 file begins with, behind a length of four bytes that itself begins with zeros."""


def sound(content: Content) -> tuple[int, bytes]:
    """Where the sound begins, after ID3 tags and zeros, and the first 4 KiB of it.

    Raises:
        NotAudio: nothing but tags.
    """
    at = count = zeros = 0
    while True:
        head = content.read(at, 4096)
        here = 0
        while (length := id3_length(head[here : here + 10])) and count < MOST:
            count += 1
            here += length
        if count == MOST:
            raise NotAudio(f"{content.name}: begins with {MOST} ID3 tags or more. Remove the tags.")
        if here and at + here > content.size:  # its length is damaged: the sound is somewhere behind
            return at + 10, content.read(at + 10, 4096)
        if here:
            at += here
        elif head[4:8] not in BOXES and (length := _zeros(head)) >= (1 if count else FEW) and zeros < ZEROS:
            at, zeros = at + length, zeros + length
            own = next((own for own in range(1, 5) if content.read(at - own + 4, 4) in BOXES), 0)
            at -= own
        else:
            return at, head


def _zeros(data: bytes) -> int:
    """How many zeros it begins with."""
    return len(data) - len(data.lstrip(b"\0"))


def passed(content: Content, at: int) -> int:
    """What is behind the tags and zeros that stand there between two files."""
    for _ in range(MOST):
        head = content.read(at, 4096)
        if head[:3] == b"TAG":
            at += 128
        elif length := id3_length(head) or _zeros(head):
            at += length
        else:
            break
    return at


def end(content: Content) -> int:
    """Where the sound ends, before tags (ID3v1, APEv2, Lyrics3) and zeros."""
    stop = content.size
    for _ in range(10):
        tail = content.read(max(0, stop - 128), min(128, stop))
        if tail[:3] == b"TAG" and len(tail) == 128:
            length = 128
        elif tail[-32:-24] == b"APETAGEX":
            size, _, flags = struct.unpack("<III", tail[-20:-8])
            length = size + (32 if flags >> 31 else 0)
        elif tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
            length = int(tail[-15:-9]) + 15
        else:
            length = len(tail) - len(tail.rstrip(b"\0"))
            while length and length % 128 == 0 and length < min(stop, ZEROS):
                more = content.read(max(0, stop - length - 128), min(128, stop - length))
                length += len(more) - len(more.rstrip(b"\0"))
                if more.rstrip(b"\0"):
                    break
        if not 0 < length <= stop:
            break
        stop -= length
    return stop


def zeros(content: Content) -> int:
    """How many zeros a file ends with, if they are more than fill up a block: a download that broke off."""
    at = content.size
    while at > 0:
        begin = max(0, at - PIECE)
        data = content.read(begin, at - begin)
        at -= len(data) - len(kept := data.rstrip(b"\0"))
        if kept or not data:
            break
    count = content.size - at
    return count if count > max(ROOM, min(ROOM << 3, content.size // 10)) else 0
