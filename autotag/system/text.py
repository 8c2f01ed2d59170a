"""Text as terminals and files can hold it."""

import json
import re
from typing import Any


def printable(text: str) -> str:
    """The text with characters that would move the cursor, or cannot be printed, escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def as_unicode(text: str) -> str:
    """The text with what is not Unicode in it, bytes of a file's name, as `\\udce9`."""
    return text.encode("utf-8", "backslashreplace").decode()


def as_json(values: Any, indent: int | None = None) -> str:
    """Plain values as JSON."""
    text = json.dumps(values, ensure_ascii=False, indent=indent)
    # A file name that is not UTF-8 holds lone surrogates, which only \\u escapes can carry.
    return json.dumps(values, indent=indent) if re.search("[\ud800-\udfff]", text) else text
