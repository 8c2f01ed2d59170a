"""Which format bytes are: what decoders are told, and what a message calls it."""

from typing import NamedTuple

from autotag.audio import mpeg, streams
from autotag.audio.content import Content


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
    *_begins((b"OggS",), "ogg", "Ogg"),
    *_begins((b"fLaC",), "flac", "FLAC"),
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


def recognised(content: Content, start: int, head: bytes) -> tuple[Format, int] | None:
    """The format of what starts so, and where it starts: a stream of frames may start with half of one."""
    frames = ((mpeg.mp3_length, MP3), (mpeg.adts_length, AAC))
    for length, found in frames:
        if length(head[:6]) and mpeg.sync(content, start, start + 1, length) is not None:
            return found, start
    for found in FORMATS:
        if all(head.startswith(magic, offset) for offset, magic in found.magic):
            return found, start
    for length, found in frames:
        at = mpeg.sync(content, start, min(content.size, start + mpeg.FAR), length)
        if at is not None:
            return found, at
    if (stream := streams.found_in(content.read(start, mpeg.FAR))) is not None:
        demuxer, at = stream
        return Format((), demuxer, STREAMS[demuxer]), start + at
    return None
