"""Files that a library knows and a scan does not see: moved, deleted, or only away."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from unicodedata import normalize

from autotag.audio.folders import is_hidden
from autotag.outputs.sink import Stamp
from autotag.system.files import same_time

SPAN = 4 * 10**9
"""Nanoseconds in which two times may be one."""


def place_away(path: str, root: str, cache: dict[str, str | None]) -> str | None:
    """The folder or link below a root behind which a missing file may be, with its disk not mounted.

    That is a link that leads nowhere, a folder that cannot be read, or one with nothing in it, as a place is
    where a disk is mounted when it is there. None if the file is gone.
    """
    folder = os.path.dirname(path)  # noqa: PTH120 on Path it is slower
    if len(folder) <= len(root.rstrip(os.sep)):
        return None
    if folder not in cache:
        if not os.path.lexists(folder):
            cache[folder] = place_away(folder, root, cache)
        else:
            cache[folder] = folder if _is_away(folder) else None
    return cache[folder]


def _is_away(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return all(is_hidden(entry.name) for entry in entries)
    except OSError:
        return True


def is_missing(path: str, behind_links: bool = False) -> bool:
    """Whether there is nothing of that name, or none behind a link; not where that cannot be known."""
    try:
        os.stat(path, follow_symlinks=behind_links)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def moved(
    gone: Mapping[str, Stamp], elsewhere: Mapping[str, Stamp], new: Mapping[str, Stamp]
) -> dict[str, str]:
    """New paths, and the old one that each had.

    A path that is gone and a new one are the same file if they have one size and time; where several do, if
    the name is the same too, and then rather where more of the folders above it is.

    Args:
        gone: what is missing below the folders of the scan.
        elsewhere: what the library has of other folders: of it, files that are missing count, and only with
            the same name.
        new: what the library does not know.
    """
    sizes = {stamp.size for stamp in new.values()}
    near: dict[tuple[int, int], list[str]] = defaultdict(list)  # by size and time, nearly
    named: dict[tuple[int, str], list[str]] = defaultdict(list)
    for path, stamp in gone.items():
        if stamp.size is not None and stamp.modified is not None:
            near[stamp.size, stamp.modified // SPAN].append(path)
    for path, stamp in elsewhere.items():
        if stamp.size in sizes and stamp.size is not None:
            named[stamp.size, _name(path)].append(path)

    pairs: list[tuple[int, str, str]] = []
    for path, stamp in new.items():
        if stamp.size is None or stamp.modified is None:
            continue
        span = stamp.modified // SPAN
        olds = [old for at in (span - 1, span, span + 1) for old in near[stamp.size, at]]
        olds += [old for old in named[stamp.size, _name(path)] if is_missing(old)]
        pairs += [
            (_likeness(old, path), old, path)
            for old in olds
            if same_time((gone.get(old) or elsewhere[old]).modified, stamp.modified)
        ]
    of_old, of_new = (Counter(pair[at] for pair in pairs) for at in (1, 2))
    found: dict[str, str] = {}
    used: set[str] = set()
    for likeness, old, path in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:])):
        alone = of_old[old] == of_new[path] == 1
        if (likeness or alone) and path not in found and old not in used:
            found[path] = old
            used.add(old)
    return found


def respelled(known: Iterable[str], seen: Mapping[str, object]) -> dict[str, str]:
    """New paths whose letters are composed in another way than in the old one that each had."""
    old = {normalize("NFC", path): path for path in known if path not in seen}
    return {path: old[plain] for path in seen if (plain := normalize("NFC", path)) in old}


def _likeness(one: str, other: str) -> int:
    """How many parts of two paths are the same, from the end."""
    alike = 0
    for left, right in zip(reversed(Path(one).parts), reversed(Path(other).parts), strict=False):
        if normalize("NFC", left) != normalize("NFC", right):
            break
        alike += 1
    return alike


def _name(path: str) -> str:
    return normalize("NFC", os.path.basename(path))  # noqa: PTH119
