"""Which files to tag: files as they are named, and the audio of folders."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from autotag.errors import AudioNotFound, UnreadableAudio

SUFFIXES = (
    *(".aif", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"),
    *(".aac", ".ac3", ".ape", ".m4a", ".m4b", ".mka", ".wma", ".wv"),
)
"""Names of audio files in a folder. Those of the second line need PyAV or ffmpeg, and say so; an .mp4 is
most often a film, whose sound is tagged if it is named."""


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


def check(path: Path) -> os.stat_result:
    """The status of a path that is a file; what else it may be is said.

    Raises:
        AudioNotFound, UnreadableAudio
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioNotFound(f"{path}: no such file") from error
    except OSError as error:
        raise UnreadableAudio(f"{path}: cannot be read: {error.strerror}") from error
    if stat.S_ISDIR(status.st_mode) and not os.access(path, os.R_OK | os.X_OK):
        raise UnreadableAudio(f"{path}: this folder cannot be read: Permission denied")
    if stat.S_ISDIR(status.st_mode):
        raise AudioNotFound(f"{path}: no audio files were found in this folder")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableAudio(f"{path}: a pipe or device: give a file")
    return status
