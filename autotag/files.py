"""Which files to tag: files as they are named, and the audio of folders."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

SUFFIXES = (
    *(".aif", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"),
    *(".aac", ".m4a", ".wma"),
)
"""Names of audio files in a folder; the last three cannot be read, and are listed to say so."""


def audio_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files, and in place of a folder the audio below it in the order of the names.

    A folder without audio stands for itself, so that tagging it can say so.
    """
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 Path.is_dir raises where a name is too long
            yield from _walk(path) or [path]
        else:
            yield path


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []
    # A folder that cannot be read stands for itself too.
    for root, folders, names in os.walk(folder, onerror=lambda error: found.append(Path(error.filename))):
        folders.sort()
        found.extend(Path(root, name) for name in sorted(names) if name.lower().endswith(SUFFIXES))
    return found
