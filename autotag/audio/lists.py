"""Lists of files that other programs made: lines, names between NUL bytes, playlists."""

import codecs
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # which begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

M3U = ".m3u", ".m3u8"
"""Endings of playlists, whose first line need not say what they are."""


def listed(data: bytes, file: Path | None = None) -> list[Path]:
    """The paths of a list, one a line, or between NUL bytes where it holds any.

    Unicode by its byte order mark, and UTF-16 without one, are read as such. In a playlist (M3U, PLS) lines
    of comments are left out, and names are relative to the folder of the list.

    Args:
        file: that the list is in; None where it is in none.
    """
    data = _utf8(data)
    if b"\0" in data:
        return [Path(os.fsdecode(name)) for name in data.split(b"\0") if name]
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    if len(lines) == 1:
        lines = data.split(b"\r")  # as old Macs wrote them
    first = next((line.strip().lower() for line in lines if line.strip()), b"")
    if first == b"[playlist]":
        pairs = (line.partition(b"=") for line in lines)
        names = [value.strip() for key, _, value in pairs if key.strip().lower().startswith(b"file")]
    elif first.startswith((b"#extm3u", b"#extinf")) or (file and file.suffix.lower() in M3U):
        names = [line.strip() for line in lines if not line.lstrip().startswith(b"#")]
    else:
        return [Path(os.fsdecode(line)) for line in lines if line]
    return [_of_playlist(name, file.parent if file else None) for name in names if name]


def _utf8(data: bytes) -> bytes:
    """The same list in UTF-8, without a mark at its beginning; bytes that are none stay."""
    for mark, encoding in BOMS:
        if data.startswith(mark):
            if encoding == "utf-8":
                return data[len(mark) :]
            return data.decode(encoding, "replace").encode("utf-8", "surrogatepass")
    half = len(data) // 2
    for high, encoding in ((data[1::2], "utf-16-le"), (data[::2], "utf-16-be")):
        if half > 2 and len(data) % 2 == 0 and high.count(0) > 0.8 * half:
            return data.decode(encoding, "replace").encode("utf-8", "surrogatepass")
    return data


def _of_playlist(name: bytes, folder: Path | None) -> Path:
    """The path that an entry of a playlist means: of those that it may, one that is there.

    An address is a path too, which is refused as one where it is opened.
    """
    text = os.fsdecode(name)
    if text.lower().startswith("file:/") and "%00" not in text:
        from urllib.request import url2pathname  # which imports http, ssl and email

        with suppress(ValueError):
            return Path(url2pathname(urlsplit(text).path))
    spellings = [text, text.replace("\\", "/"), name.decode("cp1252", "replace"), unquote(text)]
    places = [place / spelling for spelling in spellings for place in ([folder] if folder else []) + [Path()]]
    return next(
        (place for place in places if os.path.lexists(place)), Path(text) if "://" in text else places[0]
    )
