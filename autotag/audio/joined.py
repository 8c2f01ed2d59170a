"""A file as the parts it consists of, one after the other, in the rate and the layout of the first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from autotag.audio import mp4, tags
from autotag.audio.content import Content
from autotag.audio.flac import is_followed
from autotag.audio.formats import Format, recognised
from autotag.audio.mel import Array
from autotag.audio.parts import JUNK, Part, flac_parts, parts
from autotag.audio.source import PartSource, Source, conformed
from autotag.errors import EmptyAudio, NotAudio

MUTE = 20
"""Parts in a row without sound behind which nothing is looked for."""

KNOWN = "WAV, FLAC, MP3, OGG, Opus, AIFF or MPEG-4 audio"


def opened(content: Content) -> Source:
    """The sound of a content.

    Raises:
        EmptyAudio, NotAudio, UnreadableAudio
    """
    if isinstance(content.known, Found):
        return Joined(content, content.known)
    start, head = tags.sound(content)
    found = recognised(content, start, head)
    content.check()
    if not content.size:
        raise EmptyAudio(f"{content.name}: the file is empty (0 bytes)")
    if found is None:
        return _unknown(content, start)
    kind, start = found
    if kind.demuxer == "mov" and mp4.is_protected(content, start):
        raise NotAudio(
            f"{content.name}: {kind.name} that is protected (encrypted). Give a copy without protection."
        )
    consists_of = parts(content, start, kind)
    searched = kind.demuxer != "flac" or len(consists_of) > 1 or consists_of[0].prefix != b""
    content.known = Found(kind, consists_of, searched)
    return Joined(content, content.known)


def _unknown(content: Content, start: int) -> Source:
    """What only libsndfile may know."""
    try:
        return PartSource(content, Part(start, content.size), None)
    except NotAudio as error:
        what = f"not {KNOWN}, or damaged (it starts with {content.read(0, 12)!r})"
        raise NotAudio(f"{content.name}: {what}. Convert it, for example with ffmpeg.") from error


@dataclass
class Found:
    """What a content consists of, as far as is known.

    Attributes:
        searched: whether all of a FLAC was searched for others that it is followed by.
    """

    kind: Format
    parts: list[Part]
    searched: bool


class Joined:
    """A `Source` of parts, of which the first can be decoded.

    Raises:
        NotAudio, UnreadableAudio
    """

    left = 0

    def __init__(self, content: Content, found: Found) -> None:
        self._content = content
        self._found = found
        self._parts = found.parts
        self._kind = found.kind
        self._first: PartSource | None = PartSource(content, found.parts[0], found.kind)
        self.samplerate, self.channels = self._first.samplerate, self._first.channels
        self.lossless = self._first.lossless
        self.announced = self._first.announced
        self.problem = ""
        self.warnings = self._first.warnings

    @property
    def frames(self) -> int | None:
        """The frames of all parts; None where one does not know. Then `announced` is of all parts too."""
        if not self._found.searched:
            self._search()
        total = announced = 0
        for part in self._parts:
            try:
                with self._opened(part) as source:
                    if source.frames is None:
                        return None
                    total += round(source.frames * self.samplerate / source.samplerate)
                    announced += round((source.announced or 0) * self.samplerate / source.samplerate)
                    self.problem = self.problem or source.problem
            except NotAudio:
                return None
        self.announced = announced
        return total

    def blocks(self, start: int = 0) -> Iterator[Array]:
        self.problem = "bytes are damaged" if any(part.damaged for part in self._parts) else ""
        announced: list[float] = []
        before = at = 0  # frames, and bytes, of the parts so far
        index = mute = 0
        while index < len(self._parts) and mute < MUTE:  # they may grow on the way
            part = self._parts[index]
            index += 1
            try:
                source = self._opened(part)
            except NotAudio as error:
                self.problem = str(error).removeprefix(f"{self._content.name}: ")
                announced.append(before * (part.stop - part.start) / max(1, at))
                mute += 1
                continue
            with source:
                scale = self.samplerate / source.samplerate
                there = None if source.frames is None else round(source.frames * scale)
                if there is not None and before + there <= start:
                    read = there
                else:
                    read = max(0, start - before)
                    blocks = source.blocks(round(read / scale))
                    for block in conformed(blocks, source, self.samplerate, self.channels):
                        read += len(block)
                        yield block
                    self.problem = self.problem or source.problem
                    if not self._found.searched and is_followed(self._content, part.start, source.left):
                        self._search()
                    if self._kind.demuxer == "flac" and index == len(self._parts) and not source.problem:
                        lost = source.left - (self._content.size - tags.end(self._content))
                        if lost > JUNK:
                            self.problem = "what is behind it is no FLAC"
                            announced.append(read * lost / max(1, part.stop - part.start - lost))
                mute = 0 if read else mute + 1
                known = source.announced is not None or part.missing > 0
                whole = read / (1 - part.missing) if source.announced is None else source.announced * scale
                announced.append(whole)
                before, at = before + read, at + part.stop - part.start
                self.announced = round(sum(announced)) if known else self.announced

    def _opened(self, part: Part) -> PartSource:
        """A part, opened; the first one has been."""
        first, self._first = self._first, None
        if first is not None and part is self._parts[0]:
            return first
        source = PartSource(self._content, part, self._kind)
        self.warnings += [warning for warning in source.warnings if warning not in self.warnings]
        return source

    def _search(self) -> None:
        """Look for FLACs behind the first one."""
        self._parts[:] = flac_parts(self._content, self._parts[0].start)
        self._found.searched = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._first is not None:
            self._first.__exit__()
