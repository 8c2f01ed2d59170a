"""WAV and AIFF whose headers say wrongly, or not, how long the sound is: where it is, and a true header.

The length of a chunk is a number of 32 bits. It wraps round at 4 GiB, and stays 0, or as large as it can be,
where a recorder stopped before it knew. What follows the sound tells: another chunk, or the end of the file.
"""

import re
import struct
from typing import NamedTuple

import numpy as np

from autotag.audio import tags
from autotag.audio.content import Content
from autotag.audio.mpeg import sync

WRAP = 1 << 32

UNKNOWN = (0xFFFFF000, 0x7FFFF000)
"""A length from here to the next multiple of 2 GiB stands for one that was not known."""


FORMS = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM")
"""What a file begins with."""

AFTER = (
    b"LIST",
    b"id3 ",
    b"ID3 ",
    b"bext",
    b"cue ",
    b"smpl",
    b"JUNK",
    b"PAD ",
    b"_PMX",
    b"iXML",
    b"axml",
    b"PEAK",
)
"""Chunks that stand behind the samples often, and may break off."""


LOUDEST = 100.0
"""A peak over this is not a loud song (full scale is 1) but integers in a float file, or garbage."""


class Sound(NamedTuple):
    """One file within a file.

    Attributes:
        start, stop: offsets of what a decoder is to read.
        prefix: a header to read instead of what stands before `start`; b"" if that is true.
        missing: share of the sound that the header announces and that is not there, 0..1.
    """

    start: int
    stop: int
    prefix: bytes
    missing: float


class _Chunk(NamedTuple):
    name: bytes
    start: int  # of its content
    size: int  # as it says


def sounds(content: Content, start: int) -> list[Sound]:
    """The files of a WAV or AIFF, one behind the other as they may be; [] if this is neither."""
    found: list[Sound] = []
    at: int | None = start
    while at is not None and len(found) < 1000:
        sound, at = _sound(content, at)
        if sound is not None:
            found.append(sound)
    return found


def _sound(content: Content, start: int) -> tuple[Sound | None, int | None]:
    """The file that starts there, and where the next one does."""
    head = content.read(start, 12)
    form, kind = head[:4], head[8:]
    if form not in FORMS or kind not in (b"WAVE", b"AIFF", b"AIFC"):
        return None, None
    large: int | None = None
    at = start + 12
    before: list[_Chunk] = []
    while len(before) < 1000 and (chunk := _chunk(content, at, _order(form))) is not None:
        if chunk.name == b"ds64" and len(sizes := content.read(chunk.start, 16)) == 16:
            large = struct.unpack("<8xQ", sizes)[0]
        if chunk.name in (b"data", b"SSND"):
            said = large if large and chunk.size in (0, WRAP - 1) else chunk.size
            return _with_data(content, start, form, before, chunk, said)
        before.append(chunk)
        at = chunk.start + chunk.size + chunk.size % 2
    return Sound(start, content.size, b"", 0), None


def au_sounds(content: Content, start: int) -> list[Sound]:
    """The files of an AU, which has no chunks but a header and then sound, also where it says it has less."""
    found = []
    at: int | None = start
    while at is not None:
        head = content.read(at, 24)
        if len(head) < 24 or head[:4] != b".snd":
            break
        offset, said = struct.unpack(">II", head[4:12])
        there = content.size - at - offset
        following = at + offset + said
        following_is_one = 0 < said < there and content.read(following, 4) == b".snd"
        stop = following if following_is_one else content.size
        missing = 1 - there / said if there < said < WRAP - 1 else 0.0
        found.append(Sound(at + 12, stop, head[:8] + b"\xff\xff\xff\xff", max(0.0, min(missing, 0.99))))
        at = following if following_is_one else None
    return found


def _chunk(content: Content, at: int, order: str) -> _Chunk | None:
    head = content.read(at, 8)
    if len(head) < 8 or not re.fullmatch(rb"[ -~]{4}|[\xa9-][ -~]{3}", head[:4]):
        return None
    return _Chunk(head[:4], at + 8, struct.unpack(order + "I", head[4:])[0])


def _with_data(
    content: Content, start: int, form: bytes, before: list[_Chunk], data: _Chunk, said: int
) -> tuple[Sound, int | None]:
    """The file whose chunk of samples that is, and says to have so many bytes."""
    order = _order(form)
    there = content.size - data.start
    real = _real_size(content, data.start, said, order)
    if 0 < said < real == there and not _are_floats(content, before, data.start + said, order):
        real = said
    unknown = any(low <= said < low + 0x1000 for low in UNKNOWN) or said > WRAP * 1024
    missing = 0.0 if unknown or said <= there else 1 - there / said
    following = _following(content, data.start + real, order)
    if real == said and form != b"BW64":
        return Sound(start, content.size if following is None else following, b"", missing), following
    kept = [c for c in before if c.name in (b"fmt ", b"fact", b"COMM", b"FVER") and c.size < 1 << 16]
    chunks = [(c.name, content.read(c.start, c.size)) for c in kept]
    header = _header(form, content.read(start + 8, 4), chunks, real)
    return Sound(data.start, data.start + real, header, missing), following


def _real_size(content: Content, start: int, said: int, order: str) -> int:
    """Bytes of a chunk that says it has so many."""
    there = content.size - start
    for wrapped in range(there // WRAP, -1, -1):
        if (size := said + wrapped * WRAP) <= there and _ends(content, start + size, order):
            return size
    # What is behind may be sound too, of a header that was written early. Zeros are none.
    return said if content.size - tags.zeros(content) <= start + said < content.size and said else there


def _ends(content: Content, at: int, order: str) -> bool:
    """Whether a chunk may end there: with the file, before other chunks, tags, zeros or another file."""
    for place in {at + at % 2, at}:
        if place in (content.size, content.size + 1):
            return True
        after = content.read(place, 10)
        if after.startswith((b"ID3", b"TAG", b"APETAGEX")) or sync(content, place, place + 1) is not None:
            return True
        if content.read(tags.passed(content, place), 4) in FORMS:
            return True
        count = 0
        while (chunk := _chunk(content, place, order)) is not None and count < 100:
            if chunk.name in AFTER:
                return True
            place = chunk.start + chunk.size + chunk.size % 2
            count += 1
        if count and content.size <= place <= content.size + 1:
            return True
    return content.size - at < 16 and not content.read(at, 16).strip(b"\0")


def _are_floats(content: Content, before: list[_Chunk], at: int, order: str) -> bool:
    """Whether samples may go on there: of floats it can be told."""
    chunk = next((chunk for chunk in before if chunk.name == b"fmt "), None)
    head = content.read(chunk.start, 26).ljust(26, b"\0") if chunk else bytes(26)
    kind, _, _, _, _, bits, _, _, _, sub = struct.unpack(order + "HHIIHHHHIH", head)
    if 3 not in (kind, sub if kind == 0xFFFE else 0) or bits not in (32, 64):
        return True
    data = content.read(at, 1 << 12)
    with np.errstate(invalid="ignore"):
        samples = np.frombuffer(data[: len(data) - len(data) % 8], f"{order}f{bits // 8}")
        return bool(np.all(np.abs(samples) <= LOUDEST))


def _following(content: Content, at: int, order: str) -> int | None:
    """Where another file starts, at once or behind some more chunks."""
    for _ in range(100):
        if content.read(behind := tags.passed(content, at), 4) in FORMS:
            return behind
        at += at % 2
        if (chunk := _chunk(content, at, order)) is None:
            return None
        at = chunk.start + chunk.size
    return None


def _header(form: bytes, kind: bytes, chunks: list[tuple[bytes, bytes]], size: int) -> bytes:
    """A header of so many bytes of sound, in the format that can say so."""
    if form == b"FORM":
        chunks = [(name, _true_frames(body, size) if name == b"COMM" else body) for name, body in chunks]
    order = _order(form)
    name = b"SSND" if form == b"FORM" else b"data"
    kept = b"".join(
        n + struct.pack(order + "I", len(body)) + body + bytes(len(body) % 2) for n, body in chunks
    )
    whole = 4 + len(kept) + 8 + size
    if whole < WRAP or order == ">":  # for which there is no format of 64 bits
        form = b"RIFF" if order == "<" else form
        sizes = [struct.pack(order + "I", min(length, WRAP - 1)) for length in (whole, size)]
        return form + sizes[0] + kind + kept + name + sizes[1]
    large = b"ds64" + struct.pack("<IQQQI", 28, whole + 36, size, 0, 0)
    return b"RF64\xff\xff\xff\xff" + kind + large + kept + name + b"\xff\xff\xff\xff"


def _true_frames(common: bytes, size: int) -> bytes:
    """An AIFF's chunk COMM with as many frames as there are."""
    channels, _, bits = struct.unpack_from(">HIH", common)
    frames = max(0, size - 8) // max(1, channels * ((bits + 7) // 8))
    return common[:2] + struct.pack(">I", min(frames, WRAP - 1)) + common[6:]


def _order(form: bytes) -> str:
    return ">" if form in (b"RIFX", b"FORM") else "<"
