"""Frames of MP3 and of AAC as a stream (ADTS): where they are, found by their headers, without decoding.

A header says how long its frame is, so a file of a minute is walked through in a millisecond. What is no
frame shows: tags, damage, and where another file was joined on.
"""

import re
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from autotag.audio.content import PIECE, Content
from autotag.audio.streams import CHAIN

FAR = 1 << 17
"""Bytes within which the first whole frame must start."""

Length = Callable[[bytes], int]
"""Bytes of a frame by the first 6 of its header; 0 if they are none."""


class Run(NamedTuple):
    """Frames of one kind in a row, without a gap: frames[start:stop].

    Attributes:
        start, stop: offsets.
        frames: how many, without one that announces the others and one that breaks off.
        header: the first 4 bytes of the first frame.
        info: length of a first frame that announces the others ("Xing" or "Info"); 0 if there is none.
    """

    start: int
    stop: int
    frames: int
    header: bytes
    info: int


_KBITS = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_KBITS_LOW = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def mp3_length(header: bytes) -> int:
    """Bytes of a frame of MPEG audio, layer 1, 2 or 3; 0 of one in free format, which does not say it."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or rate == 3 or bitrate in (0, 15):
        return 0
    kbits = (_KBITS if version == 3 else _KBITS_LOW)[layer][bitrate]
    padding = header[2] >> 1 & 1
    if layer == 1:
        return 4 * (12000 * kbits // samplerate(header) + padding)
    return samples(header) // 8 * 1000 * kbits // samplerate(header) + padding


def samplerate(header: bytes) -> int:
    """Hz of an MP3 frame."""
    return (44100, 48000, 32000)[header[2] >> 2 & 3] >> {3: 0, 2: 1, 0: 2}[header[1] >> 3 & 3]


def samples(header: bytes) -> int:
    """Samples per channel of an MP3 frame."""
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    if layer == 1:
        return 384
    return 1152 if layer == 2 or version == 3 else 576


def adts_length(header: bytes) -> int:
    """Bytes of a frame of AAC in ADTS."""
    if len(header) < 6 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length > 7 else 0


def _kind(header: bytes) -> tuple[int, int, bool]:
    """What frames of one stream share: version and layer, sample rate, and whether they are mono (MP3)."""
    return header[1] & 0x1E, header[2] & 0x0C, header[3] >> 6 == 3


def sync(content: Content, start: int, stop: int, length: Length = mp3_length) -> int | None:
    """Where the first of some frames in a row starts; fewer than `CHAIN` are enough at the very end."""
    at = start
    while at < stop:
        data = content.read(at, min(PIECE, content.size - at))
        for found in re.finditer(rb"\xff[\xe0-\xff]", data):
            if at + found.start() >= stop:
                return None
            if _chained(content, at + found.start(), length):
                return at + found.start()
        at += max(1, len(data) - 1)
        if len(data) < 2:
            return None
    return None


def _chained(content: Content, at: int, length: Length) -> bool:
    first = header = content.read(at, 6)
    for count in range(CHAIN):
        if not (size := length(header)) or _kind(header)[:2] != _kind(first)[:2]:
            return False
        at += size
        if at >= content.size:
            return at == content.size and count > 0
        header = content.read(at, 6)
    return bool(length(header))


def runs(content: Content, start: int, stop: int) -> Iterator[Run]:
    """The runs of MP3 frames between two offsets."""
    at: int | None = start
    while at is not None and at < stop:
        if content.read(at, 3) == b"ID3":
            at += max(1, id3_length(content.read(at, 10)))
            continue
        found = sync(content, at, stop)
        if found is None:
            return
        run = _run(content, found, stop)
        yield run
        at = run.stop


def id3_length(head: bytes) -> int:
    """Bytes of an ID3v2 tag that starts so, with its header and footer; 0 if it is none."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return size + (20 if head[5] & 0x10 else 10)


def _run(content: Content, start: int, stop: int) -> Run:
    header = content.read(start, 4)
    kind = _kind(header)
    lengths: dict[bytes, int] = {}
    quiet = bytes(4)
    at = start
    count = info = 0
    on = True
    while on and at + 4 <= stop:
        data = content.read(at, min(PIECE, stop - at))
        end = len(data) - 3
        here = 0
        while here < end:
            code = data[here : here + 4]
            length = lengths.get(code)
            if length is None:
                lengths[code] = length = mp3_length(code) if _kind(code) == kind else 0
            # A frame that announces others has no sound, so its side information is zeros.
            if not length or (
                data[here + 4 : here + 8] == quiet and count and _announces(content, at + here)
            ):
                on = False
                break
            count += 1
            here += length
        at += here
        on = on and here > 0
    count -= at > stop
    if _announces(content, start):
        info = mp3_length(header)
    return Run(start, min(at, stop), count - (info > 0), header, info)


def _announces(content: Content, at: int) -> bool:
    return announced_at(content.read(at, 44)) > 0


def announced_at(frame: bytes) -> int:
    """Where in a frame the fields stand that announce how many frames follow, or 0."""
    if len(frame) < 4:
        return 0
    for offset in (_side(frame) + 4, _side(frame) + 6):
        if frame[offset : offset + 4] in (b"Xing", b"Info"):
            return offset + 4
    return 0


def _side(header: bytes) -> int:
    """Bytes of side information of a frame of layer 3."""
    mono = header[3] >> 6 == 3
    return (17 if mono else 32) if header[1] >> 3 & 3 == 3 else (9 if mono else 17)


def announced(frame: bytes) -> tuple[int | None, int | None]:
    """Frames and bytes that a frame announces."""
    at = announced_at(frame)
    if not at or len(frame) < at + 12:
        return None, None
    flags, one, two = struct.unpack_from(">III", frame, at)
    return (one if flags & 1 else None), ((two if flags & 1 else one) if flags & 2 else None)


def announcement(run: Run, frame: bytes) -> bytes:
    """A frame that announces what there is: a run's own, corrected, or a new one."""
    stated = announced(frame)
    size = run.stop - run.start
    if run.info and None not in stated:
        at = announced_at(frame)
        return frame[: at + 4] + struct.pack(">II", run.frames, size) + frame[at + 12 :]
    header, side = run.header, _side(run.header)
    for bitrate in range(1, 15):
        new = bytes((0xFF, header[1] | 1, bitrate << 4 | header[2] & 0x0C, header[3]))
        if mp3_length(new) >= side + 20:
            break
    # The length of the frame is known only now, and counts too.
    body = bytes(side) + b"Info" + struct.pack(">III", 3, run.frames, size - run.info + mp3_length(new))
    return (new + body).ljust(mp3_length(new), b"\0")
