"""The tags in a file as fields of several values, whether they are ID3, Vorbis comments or MPEG-4 atoms.

Fields go by the names of `AUTOTAG` and the rest below. mutagen reads and writes them; all that is not set
here stays as it is.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from autotag.errors import AudioError, ExtraMissing, TagsUnreadable, UnreadableAudio

AUTOTAG = "AUTOTAG"
"""Tags and scores, `guitar=0.3151`."""

BEFORE = "AUTOTAG_BEFORE"
"""What the other fields held before, and hold now: one JSON object."""

GENRE = "GENRE"
MOOD = "MOOD"

FORMATS = "MP3, AIFF, WAV, FLAC, OGG, Opus or MPEG-4 audio"

Values = tuple[str, ...]


class Block(Protocol):
    """The tags of one file.

    Attributes:
        existed: whether the file had any place for tags.
    """

    existed: bool

    def get(self, field: str) -> Values:
        """The values of a field, none if the file lacks it."""

    def set(self, field: str, values: Sequence[str]) -> None:
        """Give a field these values; none deletes it."""

    def is_bare(self) -> bool:
        """Whether nothing is left that was not added along with a new block."""

    def save(self, path: Path) -> None:
        """Write the tags into a copy of the file."""

    def drop(self, path: Path) -> None:
        """Remove the whole block from a copy of the file."""


def read(path: Path) -> Block:
    """The tags of a file.

    Raises:
        UnreadableAudio
        TagsUnreadable: its format is not one that tags are written into, or it is damaged.
        ExtraMissing: mutagen is not installed.
    """
    if importlib.util.find_spec("mutagen") is None:
        raise ExtraMissing("mutagen, which writes tags, is not installed: pip install 'autotag[write]'")
    import mutagen
    from mutagen.aiff import AIFF
    from mutagen.flac import FLAC
    from mutagen.mp3 import MP3
    from mutagen.mp4 import MP4
    from mutagen.oggflac import OggFLAC
    from mutagen.oggopus import OggOpus
    from mutagen.oggvorbis import OggVorbis
    from mutagen.wave import WAVE

    blocks: dict[Any, type[Block]] = {
        **dict.fromkeys((MP3, AIFF, WAVE), Id3),
        **dict.fromkeys((FLAC, OggVorbis, OggOpus, OggFLAC), Vorbis),
        MP4: Mpeg4,
    }
    try:
        file = mutagen.File(path, options=list(blocks))
        if file is None:
            raise TagsUnreadable(f"{path}: not {FORMATS}, whose tags autotag writes")
        return blocks[type(file)](path, file)  # type: ignore[call-arg]
    except AudioError:
        raise
    except Exception as error:  # of a damaged file mutagen's parsers raise what comes
        if reason := of_the_system(error):
            raise UnreadableAudio(f"{path}: cannot be read: {reason}") from error
        raise TagsUnreadable(f"{path}: not {FORMATS}, or its tags are damaged: {error}") from error


def of_the_system(error: Exception) -> str:
    """What the operating system said, if this is its error or one in which mutagen wraps it."""
    return next((str(e.strerror) for e in (error, *error.args) if isinstance(e, OSError) and e.strerror), "")


class Id3:
    """ID3 in MP3, AIFF and WAV. Versions 2.3 and 2.4 stay what they are, 2.2 becomes 2.3, a new tag is 2.4.

    Version 2.3 has no repeated values: there too they are written one after the other with a null between,
    as many taggers read and write them, and a player that goes by its letter shows the first. Joined by "/",
    mutagen's other way, they would be one value to most, and joined would also be those of other frames.
    """

    KEYS: ClassVar = {GENRE: "TCON", MOOD: "TMOO", AUTOTAG: "TXXX:AUTOTAG", BEFORE: "TXXX:AUTOTAG_BEFORE"}

    def __init__(self, path: Path, file: Any) -> None:
        from mutagen import id3
        from mutagen.mp3 import MP3

        # As they are in the file: not brought to version 2.4, not mixed with the ID3v1 at its end.
        self._tags = type(file)(path, translate=False, load_v1=False).tags
        self._kind = type(file)
        self._old = _id3v1(path) if self._kind is MP3 else b""
        self.existed = self._tags is not None
        if self._tags is None:
            file.tags = None
            file.add_tags()
            self._tags = file.tags
            # What reads the new tag may no longer look at the old one, and must find the title here.
            self._tags.update(id3.ParseID3v1(self._old) or {})
        self._version = 4 if self._tags.version >= (2, 4) or not self.existed else 3
        if self._tags.version < (2, 3) and self.existed and self._tags.unknown_frames:
            raise TagsUnreadable(f"{path}: frames of ID3v2.2 that would be lost: convert its tags to ID3v2.4")

    def get(self, field: str) -> Values:
        frame = self._tags.get(self.KEYS[field])
        return tuple(map(str, frame.text)) if frame else ()

    def set(self, field: str, values: Sequence[str]) -> None:
        from mutagen import id3

        key = self.KEYS[field]
        self._tags.pop(key, None)
        if values:
            name, _, description = key.partition(":")
            details = {"desc": description} if description else {}
            self._tags.add(getattr(id3, name)(encoding=3, text=list(values), **details))

    def is_bare(self) -> bool:
        from mutagen import id3

        return bool(dict(self._tags) == (id3.ParseID3v1(self._old) or {}))

    def save(self, path: Path) -> None:
        self._tags.save(path, v2_version=self._version, v23_sep=None)
        if self._old:  # which mutagen wrote anew from the other tag
            with path.open("r+b") as file:
                file.seek(-128, 2)
                file.write(self._old)
                file.truncate()

    def drop(self, path: Path) -> None:
        from mutagen.mp3 import MP3

        self._tags.delete(path, **({"delete_v1": False} if self._kind is MP3 else {}))


def _id3v1(path: Path) -> bytes:
    """The ID3v1 at the end of a file, if any: 128 bytes, or up to 4 fewer if an old mutagen wrote it."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 131))
        end = file.read()
    found = end.find(b"TAG")
    is_apev2 = end[max(0, found - 3) : found + 5] == b"APETAGEX"
    return b"" if found < 0 or is_apev2 or not 124 <= len(end) - found <= 128 else end[found:]


class _OfFile:
    """A block that is a mapping, and that the file's own object saves."""

    def __init__(self, path: Path, file: Any) -> None:
        self._file = file
        self.existed = file.tags is not None
        if file.tags is None:
            file.add_tags()

    def is_bare(self) -> bool:
        return not self._file.tags

    def save(self, path: Path) -> None:
        self._file.save(path)

    def drop(self, path: Path) -> None:
        self._file.delete(path)


class Vorbis(_OfFile):
    """Vorbis comments in FLAC, OGG and Opus."""

    def get(self, field: str) -> Values:
        return tuple(self._file.tags.get(field, ()))

    def set(self, field: str, values: Sequence[str]) -> None:
        if field in self._file.tags:
            del self._file.tags[field]
        if values:
            self._file.tags[field] = list(values)


class Mpeg4(_OfFile):
    """Atoms as iTunes writes them."""

    KEYS: ClassVar = {
        GENRE: "\xa9gen",
        MOOD: "----:com.apple.iTunes:MOOD",
        AUTOTAG: "----:com.autotag:AUTOTAG",
        BEFORE: "----:com.autotag:AUTOTAG_BEFORE",
    }

    def get(self, field: str) -> Values:
        values = self._file.tags.get(self.KEYS[field], ())
        return tuple(v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values)

    def set(self, field: str, values: Sequence[str]) -> None:
        from mutagen.mp4 import AtomDataType, MP4FreeForm

        key = self.KEYS[field]
        freeform = key.startswith("----")
        self._file.tags.pop(key, None)
        if values:
            self._file.tags[key] = [
                MP4FreeForm(value.encode(), AtomDataType.UTF8) if freeform else value for value in values
            ]
