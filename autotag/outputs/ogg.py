"""Vorbis comments in an Ogg, and the pages around them."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from autotag.audio.ogg import checksum
from autotag.outputs.containers import Damaged, Patch, Unwritable, part
from autotag.outputs.vorbis import Vorbis

FLAC = b"\x7fFLAC"

CODECS = {b"\x01vorbis": b"\x03vorbis", b"OpusHead": b"OpusTags", FLAC: b"", b"Speex   ": b""}
"""What the first packet of a stream begins with, and what its packet of comments does."""

MOST = 1 << 28
"""Bytes within which comments have to end."""

CONTINUED, FIRST, LAST = 1, 2, 4
"""Flags of a page: it begins within a packet; it is the first or the last of its stream."""

UNFINISHED = b"\xff" * 8
"""The place in the sound that a page has on which no packet ends."""


class _Page(NamedTuple):
    start: int
    head: bytes
    lacing: bytes
    data: bytes

    @property
    def end(self) -> int:
        return self.start + 27 + len(self.lacing) + len(self.data)

    @property
    def serial(self) -> bytes:
        return self.head[14:18]

    def bytes(self) -> bytes:
        """The page with its checksum."""
        whole = self.head[:22] + bytes(4) + self.head[26:27] + self.lacing + self.data
        return whole[:22] + checksum(whole) + whole[26:]


class Ogg(Vorbis):
    """The second packet of the first stream of sound in an Ogg: Vorbis, Opus, FLAC or Speex.

    How many segments each page has stays, except for the last one of the packet, which takes up what is more
    or less. Where that is more than a page can hold, pages are added, and those behind it get higher numbers.
    """

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._path = Path(file.name)
        self._pages, codec = _header(file, start)
        lacing = b"".join(page.lacing for page in self._pages)
        segments = next(i for i, size in enumerate(lacing, 1) if size < 255)
        size = sum(lacing[:segments])
        data = b"".join(page.data for page in self._pages)
        packet, self._behind, self._lacing = data[:size], data[size:], lacing[segments:]
        self._flac = codec == FLAC
        ahead = 4 if self._flac else len(CODECS[codec])
        self._prefix = packet[:ahead]
        if not packet.startswith(CODECS[codec]) or (self._flac and packet[:1] not in (b"\x04", b"\x84")):
            raise Damaged("its second packet holds no comments")
        super().__init__(packet[ahead:])
        self._added = 0  # of the pages, by an earlier write

    def drop(self, made: str) -> None:
        numbers = re.fullmatch(r"(\d{1,6})\+(\d{1,6}) pages", made)
        kept, added = map(int, numbers.groups()) if numbers else (0, 0)
        if not (kept and added and kept + added >= len(self._pages)):
            return
        with self._path.open("rb") as file:  # the comments may end before the last page that was added
            behind = _behind(file, self._pages[-1])
            more = list(islice(behind, kept + added - len(self._pages)))
        self._pages += more
        self._lacing += b"".join(page.lacing for page in more)
        self._behind += b"".join(page.data for page in more)
        self._added = added

    def to_make(self) -> str:
        kept = len(self._pages) - self._added
        added = len(self._divided()) - kept
        return f"{kept}+{added} pages" if added else ""

    def _divided(self) -> list[_Page]:
        """The pages as they are to be, numbered from the first one on."""
        data = self.comments()
        data = (self._prefix[:1] + len(data).to_bytes(3, "big") if self._flac else self._prefix) + data
        lacing = iter(b"\xff" * (len(data) // 255) + bytes([len(data) % 255]) + self._lacing)
        content = data + self._behind
        kept = self._pages[: len(self._pages) - self._added]
        pieces = [(page, bytes(islice(lacing, len(page.lacing)))) for page in kept[:-1]]
        rest = bytes(lacing)
        if len(rest) <= len(self._lacing):
            raise Unwritable("what stands behind its comments would begin on another page")
        pieces += [(kept[-1], rest[at : at + 255]) for at in range(0, len(rest), 255)]
        found: list[_Page] = []
        for page, some in pieces:
            found.append(_Page(page.start, page.head, some, content[: sum(some)]))
            content = content[sum(some) :]
        return found[: len(kept) - 1] + self._headed(found[len(kept) - 1 :])

    def _headed(self, pages: list[_Page]) -> list[_Page]:
        """The pages that take up the rest: each says whether a packet goes on or ends in it."""
        head, last = pages[0].head, self._pages[-1].head
        found = []
        for i, page in enumerate(pages):
            flags = head[5] & CONTINUED if i == 0 else CONTINUED * (pages[i - 1].lacing[-1] == 255)
            flags |= last[5] & LAST if i == len(pages) - 1 else 0
            # Of the places, only that of the last page counts: headers have no sound.
            ended = i == len(pages) - 1 or any(size < 255 for size in page.lacing)
            place = last[6:14] if ended else UNFINISHED
            number = _moved(head[18:22], i)
            length = bytes([len(page.lacing)])
            found.append(
                page._replace(
                    head=head[:5] + bytes([flags]) + place + head[14:18] + number + head[22:26] + length
                )
            )
        return found

    def patches(self) -> list[Patch]:
        pages = self._divided()
        by = len(pages) - len(self._pages)
        kept = len(self._pages) - self._added
        found = [
            Patch(old.start, old.end, new.bytes())
            for old, new in zip(self._pages[: kept - 1], pages, strict=False)
            if (old.lacing, old.data) != (new.lacing, new.data)
        ]
        old, new = self._pages[kept - 1 :], pages[kept - 1 :]
        if [(page.lacing, page.data) for page in old] == [(page.lacing, page.data) for page in new]:
            return found
        found.append(Patch(old[0].start, old[0].end, b"".join(page.bytes() for page in new)))
        found += [Patch(page.start, page.end, b"") for page in old[1:]]
        return [*found, *(self._numbered(by) if by else ())]

    def _numbered(self, by: int) -> Iterator[Patch]:
        """Other numbers for the pages behind the comments."""
        with self._path.open("rb") as file:
            for page in _behind(file, self._pages[-1]):
                number = _moved(page.head[18:22], by)
                new = page._replace(head=page.head[:18] + number + page.head[22:]).bytes()
                yield Patch(page.start + 18, page.start + 26, new[18:26])


def _behind(file: BinaryIO, last: _Page) -> Iterator[_Page]:
    """The pages of a stream behind one of its pages."""
    at, size = last.end, file.seek(0, 2)
    while at < size and not last.head[5] & LAST:
        page = _page(file, at)
        at = page.end
        if page.serial == last.serial:
            last = page
            yield page


def _header(file: BinaryIO, start: int) -> tuple[list[_Page], bytes]:
    """The pages that hold the comments of the first stream of sound, and what that stream begins with."""
    serial, found, codec, at = b"", [], b"", start
    while at - start < MOST:
        page = _page(file, at)
        at = page.end
        if page.head[5] & FIRST:
            sign = next((sign for sign in CODECS if page.data.startswith(sign)), None)
            if sign and not serial:
                serial, codec = page.serial, sign
        elif not serial:
            raise Damaged("it holds no Vorbis, Opus, FLAC or Speex")
        elif page.serial == serial:
            found.append(page)
            if any(size < 255 for size in page.lacing):
                return found, codec
    raise Damaged("its comments do not end within 256 MiB")


def _page(file: BinaryIO, at: int) -> _Page:
    head = part(file, at, 27)
    if head[:5] != b"OggS\0":
        raise Damaged("its pages do not follow one another")
    lacing = part(file, at + 27, head[26])
    return _Page(at, head, lacing, part(file, at + 27 + head[26], sum(lacing)))


def _moved(number: bytes, by: int) -> bytes:
    return (int.from_bytes(number, "little") + by & 0xFFFFFFFF).to_bytes(4, "little")
