"""Bring a library up to date with folders: which files are new, changed, moved, gone."""

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autotag.audio.folders import audio_files
from autotag.errors import LibraryError
from autotag.outputs.sink import Stamp


@dataclass(slots=True)
class Plan:
    """What would bring a library up to date.

    Attributes:
        tag: the files to tag, and whether each is `"new"`, `"changed"` or failed before (`"retried"`).
        moved: old and new path of files that are the same under another name.
        deleted: paths that are gone.
        unchanged: how many files are as the library has them.
        unreadable: folders that cannot be read; what the library has below them is kept.
    """

    tag: dict[str, str] = field(default_factory=dict)
    moved: list[tuple[str, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    unchanged: int = 0
    unreadable: list[str] = field(default_factory=list)


def plan(stamps: Mapping[str, Stamp], folders: Iterable[Path], retry_failed: bool = False) -> Plan:
    """Compare what a library knows with the audio below folders; changes nothing.

    A file is unchanged if its path, size and time of change are. One that failed is not tried again
    unless it changed, or `retry_failed`. A path that is gone and a new one moved if both have one size and
    time; where several do, if the name is the same too.

    Raises:
        LibraryError: a folder is missing, cannot be read or holds no audio, as that of a disk that is not
            mounted: nothing is taken for deleted.
    """
    found = Plan()
    seen: dict[str, Stamp] = {}
    gone: dict[str, Stamp] = {}
    for folder in dict.fromkeys(os.path.abspath(folder) for folder in folders):  # noqa: PTH100 keeps links
        known = {path: stamp for path, stamp in stamps.items() if _is_below(path, folder)}
        audio = {path: _stamp(path) for path in _audio(folder, len(known))}
        seen |= {path: stamp for path, stamp in audio.items() if stamp is not None}
        unreadable = [path for path, stamp in audio.items() if stamp is None]
        found.unreadable += unreadable
        gone |= {
            path: stamp
            for path, stamp in known.items()
            if path not in seen and not any(_is_below(path, other) for other in unreadable)
        }
    moved = _moved(gone, {path: stamp for path, stamp in seen.items() if path not in stamps})
    found.moved = [(old, path) for path, old in moved.items()]
    found.deleted = sorted(gone.keys() - moved.values())
    for path, stamp in seen.items():
        before = stamps.get(path)
        if before is None:
            if path not in moved:
                found.tag[path] = "new"
        elif before[:2] != stamp[:2]:
            found.tag[path] = "changed"
        elif retry_failed and not before.ok:
            found.tag[path] = "retried"
        else:
            found.unchanged += 1
    return found


def _audio(folder: str, known: int) -> list[str]:
    """The audio below a folder, unless there is none."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise LibraryError(
            f"{folder}: cannot be read: {error.strerror}: give a folder, with its disk mounted; "
            "the library was left as it is"
        ) from error
    paths = [str(path) for path in audio_files([Path(folder)])]
    if paths == [folder]:
        where = (
            f", where the library has {known} files: is its disk mounted? If they are gone for good, "
            "scan the folder above"
        )
        raise LibraryError(f"{folder}: no audio files were found in this folder" + (where if known else ""))
    return paths


def _moved(gone: Mapping[str, Stamp], new: Mapping[str, Stamp]) -> dict[str, str]:
    """New paths, and the old one that each had."""
    before: dict[tuple[int | None, int | None], list[str]] = defaultdict(list)
    after: dict[tuple[int | None, int | None], list[str]] = defaultdict(list)
    for path, stamp in gone.items():
        if stamp.ok:  # the reason why another one has no tags names its path
            before[stamp[:2]].append(path)
    for path, stamp in new.items():
        if stamp.size is not None:
            after[stamp[:2]].append(path)
    moved: dict[str, str] = {}
    for key in before.keys() & after.keys():
        olds, paths = before[key], after[key]
        if len(olds) == len(paths) == 1:
            moved[paths[0]] = olds[0]
            continue
        for path in paths:
            same = next((old for old in olds if Path(old).name == Path(path).name), None)
            if same is not None:
                moved[path] = same
                olds.remove(same)
    return moved


def _stamp(path: str) -> Stamp | None:
    """Size and time of a file, as far as they can be known; None of a folder."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:  # tagging it will say why
        return Stamp(None, None, None, False)
    return None if stat.S_ISDIR(status.st_mode) else Stamp(status.st_size, status.st_mtime_ns, None, True)


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(os.path.join(folder, ""))  # noqa: PTH118 the separator at its end
