"""ID3v2 in a chunk of a WAV or AIFF, and genre and comment in a WAV's own list of facts."""

from collections.abc import Sequence
from typing import BinaryIO, Literal, NamedTuple

from autotag.outputs.containers import COMMENT, GENRE, Damaged, Patch, TagContainer, Unwritable, Values, part
from autotag.outputs.id3 import Id3, size_of_tag

FACTS = {b"IGNR": GENRE, b"ICMT": COMMENT}
"""Fields, by their names in a WAV's list of facts."""


class _Chunk(NamedTuple):
    name: bytes
    start: int
    size: int
    end: int  # with the byte that makes it even, where there is one


class Chunked(TagContainer):
    """The chunk with ID3v2 in a WAV or AIFF, or one to be made at the end."""

    KEYS = Id3.KEYS

    def __init__(self, file: BinaryIO, start: int, bytes_in_file: int) -> None:
        head = part(file, start, 12)
        self._order: Literal["little", "big"] = "little" if head[:4] == b"RIFF" else "big"
        self._start, self._size = start, int.from_bytes(head[4:8], self._order)
        self._end = start + 8 + self._size
        chunks = list(_chunks(file, start + 12, self._end, bytes_in_file, self._order))
        found = next((chunk for chunk in chunks if chunk.name.lower() == b"id3 "), None)
        self._chunk = found
        data = part(file, found.start + 8, found.size) if found else b""
        size = size_of_tag(data[:10])
        if size > len(data) or (data and not size):
            raise Damaged("its ID3 chunk holds no whole ID3 tag")
        self._id3, self._behind = Id3(data[:size]), data[size:]
        made = "chunk" if not found else "tag" if not data else ""
        # A last chunk of an odd size may lack its byte: it is needed only where another follows.
        self._pad = b"\0" if not found and (self._end - start) % 2 else b""
        super().__init__(self._id3.format, [], made + " and pad" * bool(self._pad))
        self.items = self._id3.items
        if self._order == "little":
            self.elsewhere |= _facts(file, chunks)

    def patches(self) -> list[Patch]:
        self._id3.items = self.items
        data = self._id3.tag() + self._behind
        if self._chunk is None:
            if not data:
                return []
            name = b"id3 " if self._order == "little" else b"ID3 "
            start = end = self._end
        else:
            name, (start, end) = self._chunk.name, (self._chunk.start, self._chunk.end)
        new = name + len(data).to_bytes(4, self._order) + data + bytes(len(data) % 2)
        if self.dropped.startswith("chunk") and not data:
            new = b""
            start -= self.dropped.endswith("pad") and end == self._end
        new = self._pad + new
        size = self._size + len(new) - (end - start)
        if size >= 1 << 32:
            raise Unwritable("it would be larger than 4 GiB, which such a file cannot be")
        return [
            Patch(self._start + 4, self._start + 8, size.to_bytes(4, self._order)),
            Patch(start, end, new),
        ]

    def drop(self, made: str) -> None:
        self._id3.items = self.items
        self._id3.drop(made)
        if not self._id3.tag():
            self.dropped = made

    def key(self, item: bytes) -> str:
        return self._id3.key(item)

    def values(self, item: bytes) -> Values:
        return self._id3.values(item)

    def encode(self, field: str, values: Sequence[str]) -> list[bytes]:
        return self._id3.encode(field, values)

    def is_item(self, data: bytes) -> bool:
        return self._id3.is_item(data)


def _chunks(
    file: BinaryIO, at: int, end: int, bytes_in_file: int, order: Literal["little", "big"]
) -> list[_Chunk]:
    if end > bytes_in_file:
        raise Unwritable("its header announces more than the file holds. Convert it first")
    if end < at:
        raise Unwritable("its header says that it is empty, as where a recorder broke off. Convert it first")
    found: list[_Chunk] = []
    while at < end:
        head = part(file, at, 8)
        size = int.from_bytes(head[4:], order)
        behind = at + 8 + size
        if behind > end or len(found) > 10_000:
            raise Unwritable("its chunks do not fit into it. Convert it first")
        found.append(_Chunk(head[:4], at, size, min(behind + size % 2, end)))
        at = found[-1].end
    return found


def _facts(file: BinaryIO, chunks: list[_Chunk]) -> dict[str, Values]:
    """The fields in the lists of facts of a WAV."""
    found: dict[str, Values] = {}
    for chunk in chunks:
        if chunk.name == b"LIST" and 4 < chunk.size < 1 << 20:
            data = part(file, chunk.start + 8, chunk.size)
            at = 4 if data[:4] == b"INFO" else len(data)
            while at + 8 <= len(data):
                size = int.from_bytes(data[at + 4 : at + 8], "little")
                field = FACTS.get(data[at : at + 4].upper())
                text = data[at + 8 : at + 8 + size].decode("utf-8", "replace").strip("\0 ")
                if field and text:
                    found[field] = (*found.get(field, ()), text)
                at += 8 + size + size % 2
    return found
