"""Which files to tag: files as they are named, and the audio of folders."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from hashlib import blake2b
from pathlib import Path

from autotag.errors import AudioNotFound, UnreadableAudio

SUFFIXES = (
    *(".aif", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"),
    *(".aac", ".ac3", ".ape", ".m4a", ".m4b", ".mka", ".wma", ".wv"),
)
"""Names of audio files in a folder. Those of the second line need PyAV or ffmpeg, and say so; an .mp4 is
most often a film, whose sound is tagged if it is named."""


def audio_files(
    paths: Iterable[Path],
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    shard: tuple[int, int] = (1, 1),
) -> Iterator[Path]:
    """The files, and in place of a folder the audio below it in the order of the names; each file once.

    Links to folders are followed after the folders proper, and no folder is entered twice. A folder without
    audio stands for itself, so that tagging it can say so.

    Args:
        include, exclude: globs of what is wanted and what is not, for a file's path below the folder that
            was given and for its name; the case of the name's ending does not matter. A folder that is
            excluded is not entered.
        shard: (i, n) for the i-th of n parts. Where a file belongs depends on its path alone, below the
            folder that was given: not on other files, nor on where the folder is mounted.
    """
    seen: set[str] = set()

    def wanted(name: str) -> bool:
        return (not include or _matches(name, include)) and not _matches(name, exclude)

    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 Path.is_dir raises where a name is too long
            found = _folder(path, wanted, exclude, seen)
        else:
            found = iter([(str(path), str(path))] if wanted(str(path)) else [])
        for file, name in found:
            real = _real(file)
            if real not in seen and _in_shard(name, shard):
                yield Path(file)
            seen.add(real)


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


def listed(data: bytes) -> list[Path]:
    """The paths of a list, one a line, or between NUL bytes where it holds any."""
    if b"\0" in data:
        names = data.split(b"\0")
    else:
        names = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [Path(os.fsdecode(name)) for name in names if name]


def _folder(
    folder: Path, wanted: Callable[[str], bool], exclude: Sequence[str], seen: set[str]
) -> Iterator[tuple[str, str]]:
    """Path and path below the folder of its audio, or the folder itself if there is none."""
    if _real(folder) in seen:
        return
    empty = True
    for file, name in _walk(folder, wanted, exclude, seen):
        empty = False
        yield file, name
    if empty:
        seen.discard(_real(folder))  # it is now named as a file
        yield str(folder), "."


def _walk(
    folder: Path, wanted: Callable[[str], bool], exclude: Sequence[str], seen: set[str]
) -> Iterator[tuple[str, str]]:
    above = len(os.path.join(folder, ""))  # noqa: PTH118 Path drops the separator
    unreadable: list[str] = []
    tops = [str(folder)]
    for top in tops:  # which grows on the way
        for root, folders, names in os.walk(top, onerror=lambda error: unreadable.append(error.filename)):
            real = _real(root)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            paths = {name: os.path.join(root, name) for name in (*folders, *names)}  # noqa: PTH118 it is quicker
            folders[:] = sorted(name for name in folders if not _matches(paths[name][above:], exclude))
            tops += [paths[name] for name in folders if os.path.islink(paths[name])]  # noqa: PTH114
            for name in sorted(names):
                if name.lower().endswith(SUFFIXES) and wanted(paths[name][above:]):
                    yield paths[name], paths[name][above:]
        # A folder that cannot be read stands for itself too.
        yield from ((path, path[above:]) for path in unreadable)
        unreadable.clear()


def _real(path: str | Path) -> str:
    return os.path.normcase(os.path.realpath(path))


def _matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a path, or the name it ends with, matches some glob."""
    return any(
        fnmatch(spelled(text), spelled(pattern.rstrip("/")))
        for pattern in patterns
        for text in (name, os.path.basename(name))  # noqa: PTH119
        for spelled in (str, _lower_ending)
    )


def _lower_ending(name: str) -> str:
    stem, ending = os.path.splitext(name)  # noqa: PTH122
    return stem + ending.lower()


def _in_shard(name: str, shard: tuple[int, int]) -> bool:
    index, count = shard
    spelled = os.fsencode(name.replace(os.sep, "/"))
    return int.from_bytes(blake2b(spelled, digest_size=8).digest()) % count == index - 1
