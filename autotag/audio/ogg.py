"""Pages of an Ogg: where streams begin, where the last one ends, and a head for an Opus that lost its own."""

import struct
import zlib
from collections.abc import Iterator

from autotag.audio.content import PIECE, Content

START = b"OggS\0\x02"
"""The first page of a stream begins so."""

LONGEST = 27 + 255 + 255 * 255
"""Bytes of a page."""

AGREE = 3
"""Pages in a row that are no coincidence."""

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def checksum(page: bytes) -> bytes:
    """The checksum of a page in whose place for it zeros stand."""
    # Ogg's CRC-32 is that of zlib with the bits of each byte in the other order, and no inversion.
    crc = ~zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) & 0xFFFFFFFF
    return crc.to_bytes(4, "big").translate(_MIRRORED)


def page(content: Content, at: int) -> bytes:
    """The page that starts there, b"" if none does that is whole."""
    data = content.read(at, LONGEST)
    size = _size(data)
    if data[:5] != b"OggS\0" or not 0 < size <= len(data):
        return b""
    return data[:size] if checksum(data[:22] + bytes(4) + data[26:size]) == data[22:26] else b""


def starts(content: Content, start: int) -> Iterator[int]:
    """Where streams begin that follow each other; streams side by side begin with pages in a row."""
    expected = -1
    for at in content.find(START, start, content.size):
        if at != expected:
            yield at
        expected = _next_page(content, at)


def streams(content: Content, start: int) -> int:
    """How many streams side by side an Ogg begins with."""
    count = 0
    while start >= 0 and content.read(start, len(START)) == START:
        count += 1
        start = _next_page(content, start)
    return count


def end(content: Content, start: int, limit: int) -> tuple[int, bool]:
    """Where the last page before the limit ends that is whole, and whether a part of another one follows."""
    stop = limit
    while stop > start:
        begin = max(start, stop - PIECE)
        data = content.read(begin, min(PIECE + 3, limit - begin))
        if (found := data.rfind(b"OggS\0")) >= 0:
            whole = len(page(content, begin + found))
            return begin + found + whole, not whole
        stop = begin
    return limit, False


def is_last(content: Content, start: int, stop: int) -> bool:
    """Whether the page that ends there says that it is the last one of its stream."""
    return _last(content, start, stop)[5:6] > b"\3"


def opus_head(content: Content, start: int) -> tuple[bytes, float]:
    """The two pages that an Opus lacks of which a later page stands there, and the share of it that is lost.

    A packet of Opus says how long it is, and a page where in the sound it ends: where both agree it is one.
    How many channels there are the packets say too.

    Returns:
        b"" and 0 if it is no Opus.
    """
    first = page(content, start)
    before, at = first, start + len(first)
    stereo = False
    for _ in range(AGREE):
        now = page(content, at)
        packets = _packets(now)
        # The last page may end within a packet's samples, and in others the first packet has begun before.
        says_less = not packets or now[5] & 5
        if not now or (not says_less and sum(map(_samples, packets)) != _place(now) - _place(before)):
            return b"", 0.0
        stereo = stereo or any(packet[0] & 4 for packet in packets if packet)
        before, at = now, at + len(now)
    head = struct.pack("<8sBBHIhB", b"OpusHead", 1, 1 + stereo, 0, 48000, 0, 0)
    tags = struct.pack("<8sII", b"OpusTags", 0, 0)
    pages = _made(2, first[14:18], 0, head) + _made(0, first[14:18], 1, tags)
    total = _place(_last(content, start, end(content, start, content.size)[0]))
    lost = _place(first) - sum(map(_samples, _packets(first)))
    return pages, lost / total if 0 < lost < total else 0.0


def _last(content: Content, start: int, stop: int) -> bytes:
    """The page that ends there."""
    begin = max(start, stop - LONGEST)
    data = content.read(begin, stop - begin)
    return data[max(0, data.rfind(b"OggS\0")) :]


def _place(page: bytes) -> int:
    """The sample behind the last packet that ends in a page."""
    return int.from_bytes(page[6:14], "little", signed=True)


def _packets(page: bytes) -> list[bytes]:
    """The packets that end in a page, as far as they stand in it."""
    packets, at = [b""], 27 + sum(page[26:27])
    for size in page[27:at]:
        packets[-1] += page[at : at + size]
        at += size
        if size < 255:
            packets.append(b"")
    return packets[:-1]


def _samples(packet: bytes) -> int:
    """Samples of a packet of Opus at 48 kHz."""
    if not packet:
        return 0
    kind = packet[0] >> 3
    if kind < 12:
        frame = (480, 960, 1920, 2880)[kind & 3]
    elif kind < 16:
        frame = 480 << (kind & 1)
    else:
        frame = 120 << (kind & 3)
    count = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[packet[0] & 3]
    return frame * count


def _made(flags: int, serial: bytes, number: int, packet: bytes) -> bytes:
    """A page of one short packet."""
    head = b"OggS\0" + bytes([flags]) + bytes(8) + serial + struct.pack("<I", number)
    rest = bytes([1, len(packet)]) + packet
    return head + checksum(head + bytes(4) + rest) + rest


def _next_page(content: Content, at: int) -> int:
    """Where the page ends that starts there; -1 if its head breaks off."""
    size = _size(content.read(at, 27 + 255))
    return at + size if size else -1


def _size(head: bytes) -> int:
    """Bytes of the page that starts so; 0 if its head breaks off."""
    sizes = head[27 : 27 + head[26]] if len(head) > 26 else b""
    return 27 + len(sizes) + sum(sizes) if sizes and len(sizes) == head[26] else 0
