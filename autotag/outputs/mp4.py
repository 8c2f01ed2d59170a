"""The list of atoms in an MP4 that iTunes writes, atom by atom."""

import struct
from collections.abc import Sequence
from typing import BinaryIO, ClassVar, NamedTuple

from autotag.outputs.containers import (
    AUTOTAG,
    BEFORE,
    COMMENT,
    GENRE,
    GROUPING,
    KEYWORDS,
    MOOD,
    MOST_ITEMS,
    SHARED,
    STYLE,
    Damaged,
    Patch,
    TagContainer,
    Unwritable,
    Values,
    part,
)

PLACE = b"moov", b"udta", b"meta", b"ilst"
"""Where the list stands, from the outside to the inside."""

AROUND = b"trak", b"mdia", b"minf", b"stbl", b"traf"
"""What tables of places in the file stand in."""

MOST = 1 << 28
"""Bytes of the atoms that describe the sound; they are read as a whole."""


class _Atom(NamedTuple):
    name: bytes
    start: int  # of the file, as are the next two
    body: int
    end: int
    wide: bool  # its size has 64 bits

    def resized(self, by: int) -> Patch:
        size = self.end - self.start + by
        if size >= 1 << 32 and not self.wide:
            raise Unwritable(f"its atom {self.name!r} would be larger than it can be")
        where, form = (self.start + 8, ">Q") if self.wide else (self.start, ">I")
        return Patch(where, where + struct.calcsize(form), struct.pack(form, size))


class Mp4(TagContainer):
    """The list of an MP4's tags, or one to be made with all that has to stand around it."""

    KEYS: ClassVar = {
        GENRE: ("\xa9GEN", "GNRE", "----:GENRE"),
        MOOD: ("----:MOOD",),
        COMMENT: ("\xa9CMT",),
        GROUPING: ("\xa9GRP",),
        KEYWORDS: ("----:KEYWORDS",),
        STYLE: ("----:STYLE",),
        AUTOTAG: ("----:AUTOTAG",),
        BEFORE: ("----:AUTOTAG_BEFORE",),
    }

    def __init__(self, file: BinaryIO, bytes_in_file: int) -> None:
        top = _atoms(file, 0, bytes_in_file)
        moov = next((atom for atom in top if atom.name == b"moov"), None)
        if moov is None or moov.end - moov.start > MOST:
            raise Damaged("it lacks the atom that describes the sound")
        self._data, self._at = part(file, moov.start, moov.end - moov.start), moov.start
        self._fragments = [
            (atom.start, part(file, atom.start, atom.end - atom.start))
            for atom in top
            if atom.name in (b"moof", b"mfra") and atom.end - atom.start < MOST
        ]
        self._found = [moov]
        for name in PLACE[1:]:
            within = [atom for atom in self._children(self._found[-1]) if atom.name == name]
            if name == b"udta":  # of several, the one with tags
                within.sort(key=lambda atom: not any(a.name == b"meta" for a in self._children(atom)))
            if not within:
                break
            self._found.append(within[0])
        made = "" if len(self._found) == len(PLACE) else PLACE[len(self._found)].decode()
        listed = [] if made else self._children(self._found[-1])
        items = [self._bytes(atom.start, atom.end) for atom in listed]
        ends = listed[-1].end if listed else self._found[-1].body
        self._rest = b"" if made else self._bytes(ends, self._found[-1].end)
        super().__init__("MP4 atoms", items, made)

    def _bytes(self, start: int, end: int) -> bytes:
        return self._data[start - self._at : end - self._at]

    def _children(self, atom: _Atom) -> list[_Atom]:
        data = self._bytes(atom.start, atom.end)
        # By one standard "meta" has a version in front of its atoms, by another it has not.
        ahead = 4 if atom.name == b"meta" and data[12:16] != b"hdlr" else 0
        return _within(data, atom.body - atom.start + ahead, atom.start)

    def drop(self, made: str) -> None:
        if made.encode() in PLACE[1:] and not (self.items or self._rest or self.made):
            atom = self._found[PLACE.index(made.encode())]
            if self._bytes(atom.start, atom.end) == self._around(made, self._bytes(*self._list())):
                self.dropped = made

    def _list(self) -> tuple[int, int]:
        return self._found[-1].start, self._found[-1].end

    def _around(self, made: str, listed: bytes) -> bytes:
        """The list with all around it that is made along with it."""
        handler = _atom(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
        for name in reversed(PLACE[PLACE.index(made.encode()) : -1]):
            listed = _atom(name, bytes(4) + handler + listed if name == b"meta" else listed)
        return listed

    def patches(self) -> list[Patch]:
        within = self._found
        listed = _atom(b"ilst", b"".join(self.items) + self._rest)
        if self.dropped and not self.items:
            within = within[: PLACE.index(self.dropped.encode()) + 1]
            start, end, new = within[-1].start, within[-1].end, b""
        elif not self.made:
            start, end, new = *self._list(), listed
            if self._found[-1].wide:
                raise Damaged("its list of tags has a size of 64 bits")
        elif not self.items:
            return []
        else:
            within = [*within, within[-1]]
            children = self._children(within[-1])
            start = end = children[-1].end if children else within[-1].body
            new = self._around(self.made, listed)
        by = len(new) - (end - start)
        sizes = [atom.resized(by) for atom in within[:-1]] if by else []
        return [*sizes, Patch(start, end, new), *(self._tables(end, by) if by else ())]

    def _tables(self, behind: int, by: int) -> list[Patch]:
        """The tables of where in the file sound is, if that is behind what grew."""
        found = []
        for start, data in [(self._at, self._data), *self._fragments]:
            for atom in _deep(data, 16 if data[:4] == b"\0\0\0\1" else 8, start):
                old = data[atom.body - start : atom.end - start]
                found.append(Patch(atom.body, atom.end, _moved(atom.name, old, behind, by)))
        return found

    def key(self, item: bytes) -> str:
        if item[4:8] != b"----":
            return item[4:8].decode("latin-1").upper()
        parts = {atom.name: item[atom.body : atom.end] for atom in _within(item, 8, 0)}
        return "----:" + parts.get(b"name", b"")[4:].decode("utf-8", "replace").upper()

    def values(self, item: bytes) -> Values:
        found = []
        for atom in _within(item, 8, 0):
            if atom.name == b"data":
                data = item[atom.body + 8 : atom.end]
                found.append(_genre(data) if item[4:8] == b"gnre" else data.decode("utf-8", "replace"))
        return tuple(found)

    def encode(self, field: str, values: Sequence[str]) -> list[bytes]:
        data = b"".join(_atom(b"data", b"\0\0\0\1\0\0\0\0" + v.encode("utf-8", "replace")) for v in values)
        key = self.KEYS[field][0]
        if not key.startswith("----"):
            return [_atom(key.lower().encode("latin-1"), data)]
        mean = b"com.apple.iTunes" if field in SHARED else b"com.autotag"
        name = _atom(b"mean", bytes(4) + mean) + _atom(b"name", bytes(4) + field.encode())
        return [_atom(b"----", name + data)]

    def is_item(self, data: bytes) -> bool:
        return [(atom.start, atom.end) for atom in _within(data, 0, 0)] == [(0, len(data))]


def _atom(name: bytes, body: bytes) -> bytes:
    if len(body) >= MOST:
        raise Unwritable("its tags would be too large")
    return struct.pack(">I", 8 + len(body)) + name + body


def _genre(data: bytes) -> str:
    """A genre by its number in the list of ID3v1, from 1 on."""
    from mutagen.id3 import TCON

    number = int.from_bytes(data, "big") - 1
    return TCON.GENRES[number] if 0 <= number < len(TCON.GENRES) else ""


def _head(head: bytes, at: int, end: int) -> _Atom | None:
    """The atom whose first 16 bytes these are; none if it does not fit."""
    size, name = struct.unpack_from(">I4s", head.ljust(16, b"\0"))
    wide = size == 1
    if wide:
        (size,) = struct.unpack_from(">Q", head.ljust(16, b"\0"), 8)
    elif size == 0:
        size = end - at
    ahead = 16 if wide else 8
    return _Atom(name, at, at + ahead, at + size, wide) if ahead <= size <= end - at else None


def _atoms(file: BinaryIO, at: int, end: int) -> list[_Atom]:
    """The atoms of a file."""
    found: list[_Atom] = []
    while at + 8 <= end:
        file.seek(at)
        atom = _head(file.read(16), at, end)
        if atom is None or len(found) > 200_000:
            raise Damaged("its atoms do not fit into it")
        if atom.name == b"moov" and int.from_bytes(part(file, at, 4), "big") == 0:
            raise Damaged("the atom that describes its sound has no size")
        found.append(atom)
        at = atom.end
    return found


def _within(data: bytes, at: int, start: int, end: int | None = None) -> list[_Atom]:
    """The atoms in some bytes, from one place to another, as far as they fit.

    Args:
        start: where the bytes stand in the file.
    """
    found: list[_Atom] = []
    end = len(data) if end is None else end
    while at + 8 <= end and data[at : at + 4] != bytes(4):
        atom = _head(data[at : at + 16], at, end)
        if atom is None:
            break
        if len(found) == MOST_ITEMS:
            raise Damaged(f"one of its atoms holds more than {MOST_ITEMS:,}")
        found.append(_Atom(atom.name, start + at, start + atom.body, start + atom.end, atom.wide))
        at = atom.end
    return found


def _deep(data: bytes, at: int, start: int, end: int | None = None, depth: int = 0) -> list[_Atom]:
    """The tables of places in a `moov`, `moof` or `mfra`."""
    found = []
    for atom in _within(data, at, start, end):
        if atom.name in AROUND:
            if depth == len(AROUND):
                raise Damaged("its atoms are nested too deep")
            found += _deep(data, atom.body - start, start, atom.end - start, depth + 1)
        elif atom.name in (b"stco", b"co64", b"tfhd", b"tfra", b"saio"):
            found.append(atom)
    return found


def _moved(name: bytes, body: bytes, behind: int, by: int) -> bytes:
    """The body of such a table with the places from one on moved."""
    if name in (b"stco", b"co64"):
        count, at, size = int.from_bytes(body[4:8], "big"), 8, 4 if name == b"stco" else 8
        step = size
    elif name == b"tfhd":
        count, at, size, step = int(len(body) >= 16 and bool(body[3] & 1)), 8, 8, 8
    elif name == b"tfra":  # a time, a place, and three numbers of one to four bytes
        size = 8 if body[:1] == b"\1" else 4
        count, at = int.from_bytes(body[12:16], "big"), 16 + size
        step = 2 * size + sum((int.from_bytes(body[8:12], "big") >> shift & 3) + 1 for shift in (4, 2, 0))
    else:
        raise Unwritable(f"it holds a table ({name.decode()}) that autotag cannot keep right")
    if count and at + (count - 1) * step + size > len(body):
        raise Unwritable("its table of where its sound is breaks off")
    found = bytearray(body)
    for place in range(at, at + count * step, step):
        number = int.from_bytes(body[place : place + size], "big")
        if number >= behind:
            if number + by >= 1 << 8 * size:
                raise Unwritable("its sound would stand too far behind for the table of where it is")
            found[place : place + size] = (number + by).to_bytes(size, "big")
    return bytes(found)
