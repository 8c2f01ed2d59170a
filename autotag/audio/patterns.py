"""Patterns of names: globs, and names as they stand."""

import os
from collections.abc import Sequence
from fnmatch import fnmatch
from unicodedata import normalize


class Patterns:
    """Globs of names and paths, which remember whether they matched anything.

    A pattern that is a name as it stands matches that name; so brackets may be brackets.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [patterns] if isinstance(patterns, str) else list(patterns)
        self._globs = [_plain(pattern) for pattern in self._patterns]
        self._literal = [os.path.abspath(pattern) for pattern in self._globs]  # noqa: PTH100
        self._matched: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, name: str, typed: str, whole_folders: bool = False) -> bool:
        """Whether one matches a file.

        Args:
            name: its path below the folder that was given.
            typed: its path as it was typed.
            whole_folders: whether one that is the name of a folder above it, as it stands, matches too.
        """
        if not self._patterns:
            return False
        name, typed = _plain(name), _plain(typed)
        full = os.path.abspath(typed)  # noqa: PTH100
        found = False
        for number, glob in enumerate(self._globs):
            if (
                _is_glob_of(glob, name)
                or _is_glob_of(glob, os.path.basename(name))  # noqa: PTH119
                or _is_glob_of(glob, typed)
                or self._literal[number] == full
                or (whole_folders and self._is_above(number, name, full))
            ):
                self._matched.add(number)
                found = True
        return found

    def unmatched(self) -> list[str]:
        """Those that have matched nothing."""
        return [pattern for number, pattern in enumerate(self._patterns) if number not in self._matched]

    def _is_above(self, number: int, name: str, full: str) -> bool:
        parts = name.split("/")[:-1]
        glob = self._globs[number]
        above = [*parts, *("/".join(parts[: n + 1]) for n in range(len(parts)))]
        return glob in above or full.startswith(os.path.join(self._literal[number], ""))  # noqa: PTH118


def _is_glob_of(glob: str, text: str) -> bool:
    if glob == text or fnmatch(text, glob) or fnmatch(_lower_ending(text), _lower_ending(glob)):
        return True
    return "[" in glob and _is_glob_of(glob.replace("[", "\0"), text.replace("[", "\0"))


def _plain(text: str) -> str:
    """A path or pattern with / between its parts and none at its end, and with its letters composed."""
    text = normalize("NFC", text.replace(os.sep, "/"))
    while text.startswith("./"):
        text = text[2:]
    return text.rstrip("/") or "/"


def _lower_ending(name: str) -> str:
    stem, ending = os.path.splitext(name)  # noqa: PTH122
    return stem + ending.lower()
