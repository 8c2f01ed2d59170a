"""The files that one file consists of: people join them, recorders break off, disks damage the middle."""

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import NamedTuple

from autotag.audio import again, chunks, flac, mp4, mpeg, tags
from autotag.audio.content import PIECE, Content
from autotag.audio.formats import MP3, Format

OGG_START = b"OggS\0\x02"
"""The first page of a stream in Ogg begins so."""

JUNK = 1 << 13
"""Bytes behind the sound that are passed over without a word."""

MOST = 1000
"""Parts of one file; what is behind them belongs to the last one."""

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
    """

    start: int
    stop: int
    prefix: bytes = b""
    missing: float = 0.0
    damaged: bool = False
    guessed: bool = False


def parts(content: Content, start: int, found: Format | None) -> list[Part]:
    """The parts of a content whose sound begins at an offset; of a FLAC that seems to be one, this one."""
    starts = [start]
    if found is MP3:
        return list(_mp3(content, start)) or [Part(start, content.size)]
    if found is not None and found.demuxer in ("wav", "aiff", "au"):
        sounds = (chunks.au_sounds if found.demuxer == "au" else chunks.sounds)(content, start)
        return [Part(s.start, s.stop, s.prefix, s.missing) for s in sounds] or [Part(start, content.size)]
    is_flac = found is not None and found.demuxer == "flac"
    if is_flac and flac.stated(content, start) != flac.counted(content, start, content.size):
        return flac_parts(content, start)
    if found is not None and found.demuxer == "ogg":
        starts = list(islice(_ogg_starts(content, start), MOST)) or starts
        return _with_rest(content, starts, *_ogg_end(content, starts[-1]))
    if found is not None and found.demuxer == "mov":
        starts = mp4.starts(content, start)[:MOST]
    if found is not None and found.demuxer in again.FIRST_BYTES:
        starts = list(islice(again.starts(content, start, found.demuxer), MOST))
    ends = [*starts[1:], content.size]
    if found is not None and found.demuxer in ("w64", "caf"):
        return [
            Part(begin, stop, missing=again.missing(content, begin, stop, found.demuxer))
            for begin, stop in zip(starts, ends, strict=True)
        ]
    return [Part(*bounds) for bounds in zip(starts, ends, strict=True)]


def flac_parts(content: Content, start: int) -> list[Part]:
    """FLACs that were joined, each with a true header. All of them are read for that."""
    starts = flac.starts(content, start)
    return [_flac(content, *ends) for ends in zip(starts, [*starts[1:], content.size], strict=True)]


def _flac(content: Content, start: int, stop: int) -> Part:
    stated, counted = flac.stated(content, start), flac.counted(content, start, stop)
    if counted is None or counted == stated:
        return Part(start, stop)
    missing = 1 - counted / stated if counted < stated < LIE * counted else 0.0
    return Part(start + 26, stop, flac.header(content, start, counted), missing)


def _with_rest(content: Content, starts: list[int], stop: int, cut: bool) -> list[Part]:
    """Parts, the last of which ends at `stop`, with what is lost between that and the end."""
    *parts, last = (Part(*ends) for ends in zip(starts, [*starts[1:], stop], strict=True))
    end = content.size if cut else tags.end(content)
    lost = end - stop if cut or end - stop > JUNK else 0
    return [*parts, last._replace(missing=lost / max(1, end - last.start), damaged=lost > 0)]


def _ogg_end(content: Content, start: int) -> tuple[int, bool]:
    """Where the last page ends that is whole, and whether a part of another one follows."""
    stop = content.size
    while stop > start:
        begin = max(start, stop - PIECE)
        data = content.read(begin, min(PIECE + 3, content.size - begin))
        if (found := data.rfind(b"OggS\0")) >= 0:
            whole = 0 < (following := _next_page(content, begin + found)) <= content.size
            return (following if whole else begin + found), not whole
        stop = begin
    return content.size, False


def _ogg_starts(content: Content, start: int) -> Iterator[int]:
    """Where streams begin that follow each other; streams side by side begin with pages in a row."""
    expected = -1
    for at in content.find(OGG_START, start, content.size):
        if at != expected:
            yield at
        expected = _next_page(content, at)


def ogg_streams(content: Content, start: int) -> int:
    """How many streams side by side an Ogg begins with."""
    count = 0
    while start >= 0 and content.read(start, len(OGG_START)) == OGG_START:
        count += 1
        start = _next_page(content, start)
    return count


def _next_page(content: Content, at: int) -> int:
    """Where the page ends that starts there; -1 if its head breaks off."""
    head = content.read(at, 27 + 255)
    return at + 27 + head[26] + sum(head[27 : 27 + head[26]]) if len(head) > 26 else -1


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
        announced = frames + round(frames * lost / max(1, whole - lost))
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
