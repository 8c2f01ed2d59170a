"""Which format bytes are: what decoders are told, and what a message calls it."""

import re
from typing import NamedTuple

from autotag.audio import flac, mpeg, ogg, streams
from autotag.audio.again import FIRST_BYTES
from autotag.audio.content import Content

FAR = mpeg.FAR
"""Bytes within which the sound must begin."""


class Format(NamedTuple):
    """A format by its first bytes, ffmpeg's name for what reads it, and ours.

    Attributes:
        magic: bytes and the offset where they stand, all of which it has.
    """

    magic: tuple[tuple[int, bytes], ...]
    demuxer: str
    name: str


def _begins(magics: tuple[bytes, ...], demuxer: str, name: str, offset: int = 0) -> tuple[Format, ...]:
    return tuple(Format(((offset, magic),), demuxer, name) for magic in magics)


OGG = Format(((0, b"OggS"),), "ogg", "Ogg")
FLAC = Format(((0, b"fLaC"),), "flac", "FLAC")
MP3 = Format((), "mp3", "MP3")
AAC = Format((), "aac", "AAC")
_MPEG_4 = "MPEG-4 audio (AAC or ALAC)"

STREAMS = {
    "mpegts": "an MPEG transport stream",
    "mpeg": "an MPEG film",
    "dts": "DTS",
    "ac3": "AC-3",
    "eac3": "E-AC-3",
    "loas": "AAC in LATM",
}
"""What may begin anywhere."""

FORMATS = (
    OGG,
    FLAC,
    *_begins((b"AVI ",), "avi", "AVI", 8),
    *_begins((b"XWMA",), "xwma", "xWMA", 8),
    *_begins((b"RIFF", b"RIFX", b"RF64", b"BW64"), "wav", "WAV"),
    *_begins((b"riff\x2e\x91\xcf\x11",), "w64", "Wave64"),
    *_begins((b"FORM",), "aiff", "AIFF"),
    *_begins((b"FRM8",), "iff", "DSDIFF"),
    *_begins((b"caff",), "caf", "CAF"),
    *_begins((b".snd", b"dns."), "au", "AU"),
    *_begins((b"ftyp",), "mov", _MPEG_4, 4),
    *(
        Format(((0, b"\0"), (4, box)), "mov", _MPEG_4)
        for box in (b"moov", b"mdat", b"wide", b"free", b"skip")
    ),
    *_begins((b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",), "asf", "Windows Media Audio"),
    *_begins((b"\x1a\x45\xdf\xa3",), "matroska", "Matroska or WebM"),
    *_begins((b"\x0b\x77", b"\x77\x0b"), "ac3", "AC-3"),
    *_begins(streams.DTS, "dts", "DTS"),
    *_begins((b"wvpk",), "wv", "WavPack"),
    *_begins((b"MAC ",), "ape", "Monkey's Audio"),
    *_begins((b"TTA1", b"TTA2"), "tta", "TTA"),
    *_begins((b"tBaK",), "tak", "TAK"),
    *_begins((b"MPCK",), "mpc8", "Musepack"),
    *_begins((b"MP+",), "mpc", "Musepack"),
    *_begins((b"DSD ",), "dsf", "DSF"),
    *_begins((b"ajkg",), "shn", "Shorten"),
    *_begins((b"#!AMR",), "amr", "AMR"),
    *_begins((b".RMF",), "rm", "RealAudio"),
    *_begins((b"FLV\x01",), "flv", "Flash video"),
    *_begins((b"EA3\x01", b"ea3\x03"), "oma", "ATRAC"),
    *_begins((b"nut/multimedia container\0",), "nut", "NUT"),
    *_begins((b".SoX",), "sox", "SoX's own format"),
    *_begins((streams.IEC_61937,), "spdif", "an IEC 61937 bitstream"),
)
"""What is given to ffmpeg, by the first bytes: left to guess, it would also follow lists of other files."""


_BEGINNINGS = re.compile(
    b"|".join(
        (
            *(pattern.pattern for _, pattern in FIRST_BYTES.values()),
            rb"RI(?:FF|FX).{4}WAVE|(?:RF|BW)64.{4}WAVE|FORM.{4}AIF[FC]|fLaC[\x00\x80]\x00\x00\x22|OggS\x00\x02",
            rb"\x00\x00\x00.ftyp(?:M4|mp4|iso|qt  |3g)|wvpk.{4}[\x02-\x10]\x04",
        )
    ),
    re.S,
)
"""How files begin that may have something before them: lines of a server, a line break, a damaged tag."""


def recognised(content: Content, start: int, head: bytes) -> tuple[Format, int] | None:
    """The format of what starts so, and where it starts: a stream of frames may start with half of one."""
    frames = ((mpeg.mp3_length, MP3), (mpeg.adts_length, AAC))
    for length, found in frames:
        if length(head[:6]) and mpeg.sync(content, start, start + 1, length) is not None:
            return found, start
    if (kind := _begins_so(head)) is not None:
        return kind, start
    places = [
        (at, found)
        for length, found in frames
        if (at := mpeg.sync(content, start, min(content.size, start + FAR), length)) is not None
    ]
    data = content.read(start, FAR)
    if later := _BEGINNINGS.search(data):
        kind = _begins_so(later[0])
        assert kind
        places.append((start + later.start(), kind))
    if places:
        at, kind = min(places, key=lambda place: place[0])
        return kind, at
    for page in re.finditer(rb"OggS\x00[\x00\x01\x04\x05]", data):
        if ogg.page(content, start + page.start()):
            return OGG, start + page.start()
    if (frame := flac.without_header(data)) is not None:
        return FLAC, start + frame[0]
    if (stream := streams.found_in(data)) is not None:
        demuxer, at = stream
        return Format((), demuxer, STREAMS[demuxer]), start + at
    return None


def _begins_so(head: bytes) -> Format | None:
    for found in FORMATS:
        if all(head.startswith(magic, offset) for offset, magic in found.magic):
            return found
    return None
