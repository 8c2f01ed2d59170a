"""The files that one file consists of: people join them, recorders break off, disks damage the middle."""

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import NamedTuple

from autotag.audio import again, chunks, flac, mp4, mpeg, ogg, tags
from autotag.audio.content import Content
from autotag.audio.formats import FAR, MP3, STREAMS, Format

JUNK = 1 << 13
"""Bytes behind the sound that are passed over without a word."""

MOST = 1000
"""Parts of one file; what is behind them belongs to the last one."""

BY_FRAMES = ("ape", "tak", "tta")
"""Formats, by ffmpeg's names, of which decoders take zeros behind the last frame for another one."""

UNSTATED = (*STREAMS, "aac", "amr", "nut")
"""Formats that do not say how long they are: zeros at their end are what was never written."""

LIE = 100
"""A header that announces so many times the sound that is there is wrong, and the file not cut."""


class Part(NamedTuple):
    """Bytes that are a whole for a decoder.

    Attributes:
        start, stop: offsets.
        prefix: bytes to read before those at `start`.
        missing: frames that a header announces, or damage took, as a share of those with them.
        damaged: whether bytes before or behind this part were lost.
        guessed: whether decoders only guess how long it is.
        headless: whether its beginning is lost, so that no place in it can be found by its time.
        lacks: what is lost, without which nothing can be decoded; "" if nothing.
    """

    start: int
    stop: int
    prefix: bytes = b""
    missing: float = 0.0
    damaged: bool = False
    guessed: bool = False
    headless: bool = False
    lacks: str = ""


def parts(content: Content, start: int, found: Format | None) -> list[Part]:
    """The parts of a content whose sound begins at an offset; of a FLAC that seems to be one, this one."""
    starts = [start]
    demuxer = "" if found is None else found.demuxer
    if found is MP3:
        return list(_mp3(content, start)) or [Part(start, content.size)]
    if demuxer in ("wav", "aiff", "au"):
        sounds = (chunks.au_sounds if demuxer == "au" else chunks.sounds)(content, start)
        return [Part(s.start, s.stop, s.prefix, s.missing) for s in sounds] or [Part(start, content.size)]
    if demuxer == "flac" and content.read(start, 4) != flac.START[:4]:
        return _headless_flac(content, start)
    if demuxer == "flac" and flac.stated(content, start) != flac.counted(content, start, content.size):
        return flac_parts(content, start)
    if demuxer == "ogg":
        return _ogg(content, start)
    if demuxer == "mov":
        return _mp4(content, start)
    if demuxer in again.FIRST_BYTES:
        starts = list(islice(again.starts(content, start, demuxer), MOST))
    stop = content.size
    if demuxer in BY_FRAMES:
        stop -= tags.zeros(content)
    bounds = zip(starts, [*starts[1:], stop], strict=True)
    if demuxer in ("w64", "caf"):
        return [Part(*ends, missing=again.missing(content, *ends, demuxer)) for ends in bounds]
    first, *others = (Part(*ends) for ends in bounds)
    if demuxer == "wv" and not again.is_first(content, start, demuxer):
        first = first._replace(damaged=True)
    if demuxer == "avi":
        announced = 8 + int.from_bytes(content.read(start + 4, 4), "little")
        first = first._replace(missing=max(0.0, 1 - (stop - start) / announced))
    if demuxer in UNSTATED:
        first = first._replace(missing=tags.zeros(content) / (stop - start))
    return [first, *others]


def flac_parts(content: Content, start: int) -> list[Part]:
    """FLACs that were joined, each with a true header. All of them are read for that."""
    starts = flac.starts(content, start)
    return [_flac(content, *ends) for ends in zip(starts, [*starts[1:], content.size], strict=True)]


def _flac(content: Content, start: int, stop: int) -> Part:
    stated, counted = flac.stated(content, start), flac.counted(content, start, stop)
    if counted is None or counted == stated:
        return Part(start, stop)
    missing = 1 - counted / stated if counted < stated < LIE * counted else 0.0
    return Part(start + 26, stop, flac.header(content.read(start, 26), counted), missing)


def _headless_flac(content: Content, start: int) -> list[Part]:
    """A FLAC that begins with a frame."""
    found = flac.without_header(content.read(start, FAR))
    assert found is not None, "which is how its format was recognised"
    at, first, head = found
    counted = flac.counted(content, start + at, content.size, head[:26]) or first
    samples = max(0, counted - first)
    share = first / max(1, counted)
    return [Part(start + at, content.size, flac.header(head, samples), share, damaged=True, headless=True)]


def _ogg(content: Content, start: int) -> list[Part]:
    """Streams that follow each other, of which the first may have lost its beginning."""
    starts = list(islice(ogg.starts(content, start), MOST))
    prefix, share = b"", 0.0
    if starts[:1] != [start]:
        prefix, share = ogg.opus_head(content, start)
        starts = [start, *starts] if prefix else starts
    if not starts:
        return [Part(start, content.size, lacks="its beginning, which says how to decode the rest")]
    bounds = zip(starts, [*starts[1:], content.size], strict=True)
    first, *others = (_ogg_stream(content, *ends) for ends in bounds)
    if prefix:
        first = first._replace(prefix=prefix, missing=share, damaged=True, headless=True)
    return [first, *others]


def _ogg_stream(content: Content, start: int, limit: int) -> Part:
    """A stream up to its last page that is whole, with what is lost between that and the limit."""
    stop, cut = ogg.end(content, start, limit)
    end = limit
    if not cut and limit == content.size:
        end = tags.end(content)
        if not ogg.is_last(content, start, stop):
            end += tags.zeros(content)
    lost = end - stop if cut or end - stop > JUNK else 0
    return Part(start, stop, missing=lost / max(1, end - start), damaged=lost > 0)


def _mp4(content: Content, start: int) -> list[Part]:
    """Files that follow each other, but for those that broke off before what says how to decode them."""
    bounds = mp4.files(content, start)
    if not bounds:
        return [Part(start, content.size, lacks="its index: it broke off, or is damaged")]
    lost = content.size - start - sum(stop - begin for begin, stop in bounds)
    *others, last = (Part(*ends) for ends in bounds[:MOST])
    return [*others, last._replace(missing=max(0, lost) / content.size, damaged=lost > JUNK)]


def _mp3(content: Content, start: int) -> Iterator[Part]:
    song: list[mpeg.Run] = []
    stop = tags.end(content)
    for run in mpeg.runs(content, start, stop):
        if not run.frames:
            continue
        if song and (run.info or not _goes_on(content, song[-1], run)):
            yield from _mp3_song(content, song, song[-1].stop)
            song = []
        song.append(run)
    if song:
        yield from _mp3_song(content, song, stop)


def _goes_on(content: Content, run: mpeg.Run, after: mpeg.Run) -> bool:
    """Whether a run is the same song as the one before, behind damage."""
    same = mpeg.samplerate(run.header) == mpeg.samplerate(after.header) and run.header[1] == after.header[1]
    return same and run.stop < after.start and content.read(run.stop, 3) not in (b"ID3", b"TAG")


def _mp3_song(content: Content, song: list[mpeg.Run], stop: int) -> Iterator[Part]:
    """One MP3, in as many parts as damage left; what is behind it, up to `stop`, is lost too."""
    first, frames = song[0], sum(run.frames for run in song)
    announced, size = mpeg.announced(content.read(first.start, 60)) if first.info else (None, None)
    lost = sum(after.start - before.stop for before, after in pairwise(song))
    whole = song[-1].stop - first.start
    if announced is None or announced > LIE * frames or (size is not None and not lost and size <= whole):
        unwritten = tags.zeros(content) if announced is None and not lost else 0
        announced = frames + round(frames * (lost + unwritten) / max(1, whole - lost))
    gone = max(0, announced - frames) if abs(announced - frames) > 2 else 0
    if (behind := stop - song[-1].stop) > JUNK:
        gone += round(frames * behind / max(1, whole - lost))
        lost += behind
    for run in song:
        frame = content.read(run.start, run.info) if run.info else b""
        stated, stated_size = mpeg.announced(frame)
        size = run.stop - run.start
        honest = stated is not None and abs(stated - run.frames) <= 2
        honest = honest and abs((stated_size or size) - size) <= size // 100
        share = gone / (gone + run.frames) if run is song[-1] else 0.0
        if run.header[1] >> 1 & 3 != 1:  # layers 1 and 2 do not announce: decoders go by the bit rate
            yield Part(run.start, run.stop, b"", share, lost > 0, guessed=True)
        elif honest:
            yield Part(run.start, run.stop, b"", share, lost > 0)
        else:
            yield Part(run.start + run.info, run.stop, mpeg.announcement(run, frame), share, lost > 0)
