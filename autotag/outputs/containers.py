"""The tags of a music file as the very bytes they are, and our fields among them.

A container splits its file into items (ID3 frames, Vorbis comments, MP4 atoms) and the rest, and changes the
file by patches: items of ours are added behind the others and taken away again, every other byte stays. No
padding is used up, so that what is taken away leaves the file as it was.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, ClassVar, NamedTuple

AUTOTAG = "AUTOTAG"
"""Tags and scores, `guitar=0.3151`."""

BEFORE = "AUTOTAG_BEFORE"
"""What the other fields held before, and hold now: one JSON object."""

GENRE = "GENRE"
MOOD = "MOOD"
COMMENT, GROUPING, KEYWORDS, STYLE = PLAIN = "COMMENT", "GROUPING", "KEYWORDS", "STYLE"
"""Fields of players, of which one may hold the tags without scores."""

SHARED = GENRE, MOOD, *PLAIN
"""Fields that people write as well: what they wrote stays."""

FIELDS = AUTOTAG, *SHARED
"""What autotag writes, besides what it needs to take that back."""

Values = tuple[str, ...]

Removed = list[tuple[int, bytes]]
"""Items that were taken away: where each stood among all items, and its bytes."""

MOST_ITEMS = 100_000
"""Frames, comments or atoms in a file: more are no tags."""

_UNSEEN = "\0\u200b\u2060\ufeff" + "".join(filter(str.isspace, map(chr, range(0x3001))))

BLOCK = 1 << 20
"""Bytes that are copied at a time."""


class Damaged(ValueError):
    """What stands in the file is not what its format allows; the message says what, without the path."""


class Unwritable(Damaged):
    """The file can be read, but tags would be lost in it, or it would be no such file any more."""


class Patch(NamedTuple):
    """New bytes in place of those from `start` to `end` of a file."""

    start: int
    end: int
    data: bytes


class TagContainer:
    """The tags of one file.

    Attributes:
        format: what items are bytes of, such as `"ID3v2.3"`.
        made: what has to be made for tags, as the file has no place for them; empty if it has.
        dropped: the place for tags that autotag once made and that is to go again; empty if none.
        items: each frame, comment or atom as it stands in the file, in its order.
        elsewhere: values of `SHARED` fields in places that autotag does not write, such as an APEv2 tag.
    """

    KEYS: ClassVar[dict[str, tuple[str, ...]]]
    """The keys by which a field is known; a subclass writes the first that fits."""

    def __init__(self, format: str, items: Iterable[bytes], made: str = "") -> None:  # noqa: A002
        self.format = format
        self.items = list(items)
        self.made = made
        self.dropped = ""
        self.elsewhere: dict[str, Values] = {}

    def key(self, item: bytes) -> str:
        """The name of an item, in capitals; empty for one that has none."""
        raise NotImplementedError

    def values(self, item: bytes) -> Values:
        """The text of an item; what cannot be decoded is replaced."""
        raise NotImplementedError

    def encode(self, field: str, values: Sequence[str]) -> list[bytes]:
        """Values of a field as items."""
        raise NotImplementedError

    def is_item(self, data: bytes) -> bool:
        """Whether bytes are exactly one item."""
        raise NotImplementedError

    def drop(self, made: str) -> None:
        """Remove the place for tags that autotag once made, if nothing of others stands in it."""
        raise NotImplementedError

    def to_make(self) -> str:
        """What these items need in the file that it had not before autotag wrote; empty for nothing."""
        return self.made or self.dropped

    def patches(self) -> list[Patch]:
        """What to change in the file for it to hold these items, in the order of its bytes."""
        raise NotImplementedError

    def field(self, item: bytes) -> str | None:
        """The field that an item is of; None if it is no business of autotag's."""
        key = self.key(item)
        return next((field for field, keys in self.KEYS.items() if key in keys), None)

    def get(self, field: str) -> Values:
        """The values of a field; blank ones are none."""
        found = (v for item in self.items if self.field(item) == field for v in self.values(item))
        return tuple(dict.fromkeys(value for value in found if not is_blank(value)))

    def take(self, *fields: str) -> dict[str, Removed]:
        """Take the items of fields away; their places are those among all items."""
        removed: dict[str, Removed] = {field: [] for field in fields}
        for index, item in enumerate(self.items):
            if (field := self.field(item)) in removed:
                removed[str(field)].append((index, item))
        self.items = [item for item in self.items if self.field(item) not in fields]
        return removed

    def put(self, field: str, values: Sequence[str]) -> None:
        """Add values behind all other items."""
        self.items += self.encode(field, values)

    def restore(self, removed: Removed) -> None:
        """Put items back where they stood."""
        for index, item in sorted(removed):
            self.items.insert(index, item)

    def others(self) -> list[bytes]:
        """The items that are no business of autotag's."""
        return [item for item in self.items if self.field(item) is None]


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen."""
    return not text.strip(_UNSEEN)


def part(file: BinaryIO, start: int, length: int) -> bytes:
    """Bytes of a file, all of them.

    Raises:
        Damaged: the file ends before.
    """
    file.seek(start)
    data = file.read(max(0, length))
    if len(data) != length:
        raise Damaged("it breaks off")
    return data


def patched(file: BinaryIO, patches: Iterable[Patch]) -> Iterator[bytes]:
    """The bytes of a file with patches in their places."""
    at = 0
    for start, end, data in sorted(patches):
        yield from _span(file, at, start)
        yield data
        at = end
    yield from _span(file, at, os.fstat(file.fileno()).st_size)


def _span(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    while start < end and (data := file.read(min(BLOCK, end - start))):
        start += len(data)
        yield data
