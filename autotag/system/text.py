"""Text as terminals and files can hold it."""

import json
import re
from typing import Any

SURROGATE = re.compile("[\ud800-\udfff]")
"""In the name of a file they stand for bytes that are not UTF-8, and no file or terminal takes them."""


def printable(text: str) -> str:
    """The text with characters that would move the cursor, or cannot be printed, escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in as_unicode(text))


def counted(number: int, one: str, many: str) -> str:
    """A number of things, by the words for one and for many of them.

    >>> counted(1, "track", "tracks"), counted(2, "track has", "tracks have")
    ('1 track', '2 tracks have')
    """
    return f"{number} {one if number == 1 else many}"


def as_unicode(text: str) -> str:
    """The text with what is not Unicode in it, bytes of a file's name, as `\\xe9`."""
    return SURROGATE.sub(lambda found: _escaped(found[0]), text)


def as_json(values: Any, indent: int | None = None) -> str:
    """Plain values as JSON, whose texts are as `as_unicode` makes them. A terminal can show it as it is."""
    lines = json.dumps(values, ensure_ascii=False, indent=indent).split("\n")
    return "\n".join(line if line.isprintable() else "".join(map(_in_json, line)) for line in lines)


def _in_json(character: str) -> str:
    if character.isprintable():
        return character
    return "\\" + _escaped(character) if SURROGATE.match(character) else json.dumps(character)[1:-1]


def _escaped(surrogate: str) -> str:
    code = ord(surrogate)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
