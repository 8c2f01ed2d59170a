"""A hash of a file's own audio, which an edit of its file tags leaves alone.

What another program wrote into a file changes its size and time, and not how it sounds: by this hash a scan
knows. Where a container is not known here, or damaged, the hash is of the whole file.
"""

import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Literal

from autotag.result import Outcome
from autotag.system.files import size_and_time

BLOCK = 1 << 20
"""Bytes that are read at once."""

MOST_PIECES = 1_000_000
"""Pieces of a file that are looked at, whatever it says of itself."""

Span = tuple[int, int]
"""The first byte of a piece of a file, and the one after it."""

ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")

Order = Literal["little", "big"]

CHUNKS: dict[bytes, Order] = {b"RIFF": "little", b"RF64": "little", b"FORM": "big"}
"""How a file of chunks begins, and the order of the bytes in its numbers."""

AUDIO_CHUNKS = (b"fmt ", b"data", b"ds64", b"COMM", b"SSND")


def sound_of(outcome: Outcome) -> bytes | None:
    """The hash of the file of an outcome; None if it failed, or is not there, or is not as it was then."""
    if not outcome.ok or outcome.path is None or outcome.size is None:
        return None
    path = Path(outcome.path)
    if size_and_time(path) != (outcome.size, outcome.modified):
        return None
    return sound_hash(path)


def sound_hash(path: Path) -> bytes | None:
    """The hash of a file's own audio, 17 bytes; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            spans, kind = _spans(file, size)
            found = blake2b(digest_size=16)
            for start, end in spans:
                for block in _blocks(file, start, end):
                    found.update(block)
            return kind + found.digest()
    except (OSError, ValueError):
        return None


def _spans(file: BinaryIO, size: int) -> tuple[list[Span], bytes]:
    """The pieces of a file that are audio, and a letter for how they were found."""
    start, end = _between_tags(file, size)
    head = _at(file, start, 12)
    if head[:4] == b"fLaC":
        return list(_flac(file, start, end)), b"f"
    if head[:4] in CHUNKS and head[8:12] in (b"WAVE", b"AIFF", b"AIFC"):
        order = CHUNKS[head[:4]]
        found = [
            (at, stop) for name, at, stop in _chunks(file, start + 12, end, order) if name in AUDIO_CHUNKS
        ]
        return found or [(start, end)], b"c"
    if head[4:8] == b"ftyp":
        found = [(at, stop) for name, at, stop in _boxes(file, start, end) if name == b"mdat"]
        return found or [(start, end)], b"m"
    if head[:4] == b"OggS":
        return list(_ogg(file, start, end)) or [(start, end)], b"o"
    if head == bytes.fromhex("3026b2758e66cf11a6d900aa"):
        found = [(at, stop) for name, at, stop in _objects(file, start, end) if name == ASF_DATA]
        return found or [(start, end)], b"w"
    return [(start, end)], b"s"


def _between_tags(file: BinaryIO, size: int) -> Span:
    """What lies between the tags before (ID3v2) and after the audio of a file (APE, Lyrics3, ID3v1)."""
    start, end = 0, size
    for _ in range(100):
        head = _at(file, start, 10)
        if head[:3] != b"ID3" or len(head) < 10 or any(byte & 0x80 for byte in head[6:10]):
            break
        length = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        start = min(size, start + 10 + length + (10 if head[5] & 0x10 else 0))
    for _ in range(100):
        if _at(file, end - 128, 3) == b"TAG" and end - 128 >= start:
            end -= 128
            continue
        foot = _at(file, end - 32, 32)
        if foot[:8] == b"APETAGEX" and end - 32 >= start:
            length = int.from_bytes(foot[12:16], "little") + (32 if foot[23] & 0x80 else 0)
            end = max(start, end - length)
            continue
        foot = _at(file, end - 15, 15)
        if foot[6:] == b"LYRICS200" and foot[:6].isdigit():
            end = max(start, end - int(foot[:6]) - 15)
            continue
        break
    return start, end


def _flac(file: BinaryIO, start: int, end: int) -> Iterator[Span]:
    """The encoder's own hash of the samples; without one, all frames."""
    at = start + 4
    for _ in range(MOST_PIECES):
        head = _at(file, at, 4)
        if len(head) < 4:
            break
        length = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F == 0:
            # Rate, channels, bits and number of samples, then the MD5.
            if any(_at(file, at + 4 + 18, 16)):
                yield at + 4 + 10, at + 4 + 34
                return
            yield at + 4 + 10, at + 4 + 18
        at += 4 + length
        if head[0] & 0x80:
            break
    yield min(at, end), end


def _chunks(file: BinaryIO, at: int, end: int, order: Order) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of what chunks of RIFF or IFF hold."""
    for _ in range(MOST_PIECES):
        head = _at(file, at, 8)
        if at >= end or len(head) < 8:
            return
        length = int.from_bytes(head[4:], order)
        if head[:4] == b"data" and length in (0, 0xFFFFFFFF):
            length = end - at - 8  # it goes on to the end: the length stands elsewhere, or was never written
        yield head[:4], at + 8, min(end, at + 8 + length)
        at += 8 + length + length % 2


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of what the boxes of an MP4 file hold."""
    for _ in range(MOST_PIECES):
        head = _at(file, at, 16)
        if at >= end or len(head) < 8:
            return
        length, skip = int.from_bytes(head[:4], "big"), 8
        if length == 1 and len(head) == 16:
            length, skip = int.from_bytes(head[8:], "big"), 16
        if length == 0:
            length = end - at
        if length < skip:
            return
        yield head[4:8], at + skip, min(end, at + length)
        at += length


def _objects(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of what the objects of an ASF file hold."""
    for _ in range(MOST_PIECES):
        head = _at(file, at, 24)
        length = int.from_bytes(head[16:], "little")
        if at >= end or length < 24:
            return
        yield head[:16], at + 24, min(end, at + length)
        at += length


def _ogg(file: BinaryIO, at: int, end: int) -> Iterator[Span]:
    """What the pages hold that come after the headers, whose position in samples is 0 or not given."""
    headers = True
    for _ in range(MOST_PIECES):
        head = _at(file, at, 27)
        if len(head) < 27 or head[:4] != b"OggS":
            break
        sizes = _at(file, at + 27, head[26])
        body = at + 27 + len(sizes)
        position = int.from_bytes(head[6:14], "little", signed=True)
        headers = headers and position <= 0
        at = body + sum(sizes)
        if not headers:
            yield body, at
    else:
        return
    if at < end:
        yield at, end


def _at(file: BinaryIO, at: int, length: int) -> bytes:
    """Bytes of a file, as far as they are there."""
    if not 0 <= at < 1 << 40:
        return b""
    file.seek(at)
    return file.read(length)


def _blocks(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    left = end - start
    while left > 0 and (block := file.read(min(BLOCK, left))):
        left -= len(block)
        yield block
