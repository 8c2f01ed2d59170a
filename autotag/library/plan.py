"""What would bring a library up to date with folders: which files are new, changed, moved, gone."""

import os
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autotag.audio.folders import audio_files, in_shard
from autotag.audio.patterns import Patterns
from autotag.errors import LibraryError
from autotag.library.gone import is_missing, moved, place_away, respelled
from autotag.library.spelling import known_spellings
from autotag.outputs.sink import Stamp
from autotag.system.files import same_time, size_and_time


@dataclass(slots=True)
class Plan:
    """What would bring a library up to date.

    Attributes:
        tag: the files to tag, and whether each is `"new"`, `"changed"`, failed before (`"retried"`), or has
            scores of another model (`"again"`).
        twins: names of a file that is to be tagged under another name, and that name.
        moved: old and new path of files that are the same under another name.
        deleted: paths that are gone.
        away: links, empty and unreadable folders, behind which tracks may be, and how many.
        unchanged: files that are as the library has them.
        failed_before: of them, those that could not be tagged.
        problems: what is wrong with files and folders that are missing, cannot be read, or hold no audio.
        unmatched: patterns that matched nothing.
    """

    tag: dict[str, str] = field(default_factory=dict)
    twins: dict[str, str] = field(default_factory=dict)
    moved: list[tuple[str, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    away: dict[str, int] = field(default_factory=dict)
    unchanged: list[str] = field(default_factory=list)
    failed_before: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """How a plan is made.

    Attributes:
        rules: of which files, the arguments of `audio_files`.
        sha256: of the model; None for any.
        retry_failed, force, drop_missing: as of `autotag.library.scan.scan`.
    """

    rules: Mapping[str, Any] = field(default_factory=dict)
    sha256: str | None = None
    retry_failed: bool = False
    force: bool = False
    drop_missing: bool = False


def plan(stamps: Mapping[str, Stamp], named: Iterable[Path], asked: PlanRequest = PlanRequest()) -> Plan:
    """Compare what a library knows with files and the audio below folders; changes nothing.

    A file is unchanged if its path, size and time of change are, as far as the coarser of two file systems
    keeps times. One that failed is not tried again unless it changed, or `retry_failed`.

    Raises:
        LibraryError: what is named is missing, cannot be read or holds no audio, as the folder of a disk that
            is not mounted: nothing is taken for deleted.
    """
    found = Plan()
    roots = list(dict.fromkeys(os.path.abspath(path) for path in named))  # noqa: PTH100 keeps links
    places = set(roots)
    root_of = {path: root for path in stamps if (root := above(path, places)) is not None}
    known = {path: stamps[path] for path in root_of}
    counts = Counter(root_of.values())
    usable = [root for root in roots if _is_usable(root, counts[root], asked, found)]
    seen, inodes = _look(usable, counts, known, asked, found)
    if found.problems and not seen and not (asked.drop_missing and known):
        raise LibraryError(next(iter(found.problems.values())))

    for path, spelled in known_spellings([path for path in seen if path not in stamps], stamps).items():
        if spelled not in seen:
            seen[spelled] = seen.pop(path)
            if path in inodes:
                inodes[spelled] = inodes.pop(path)
    gone, away = _gone(root_of, known, seen, asked, found)
    renamed = respelled(known, seen)
    new = {path: stamp for path, stamp in seen.items() if path not in stamps and path not in renamed}
    elsewhere = {path: stamp for path, stamp in stamps.items() if path not in known}
    for path, old in (renamed | moved(gone, elsewhere, new)).items():
        gone.pop(old, None)
        away.pop(old, None)
        if stamps[old].ok:
            found.moved.append((old, path))
        else:  # the reason why it has no tags names its path
            found.deleted.append(old)
            found.tag[path] = "new"
    found.deleted = sorted({*found.deleted, *gone}.difference(away))
    for place, count in Counter(away.values()).items():
        found.away[place] = found.away.get(place, 0) + count
    _compare(stamps, seen, dict(map(reversed, found.moved)), asked, found)  # type: ignore[arg-type]
    _join(inodes, found)
    return found


def _is_usable(root: str, count: int, asked: PlanRequest, found: Plan) -> bool:
    """Whether a file or folder that is named, of which so much is known, is there and may be read."""
    try:
        if stat.S_ISDIR(os.stat(root).st_mode):  # noqa: PTH116
            os.scandir(root).close()
        return True
    except OSError as error:
        if asked.drop_missing and count:
            return False
        if os.path.islink(root) and count:  # noqa: PTH114
            found.away[root] = count
            return False
        kept = f"What the library has of it ({count}) is kept" if count else "Nothing was changed"
        found.problems[root] = (
            f"{root}: cannot be read: {error.strerror}. {kept}; mount its disk, or name another folder."
        )
        return False


def _look(
    roots: list[str], counts: Mapping[str, int], known: Mapping[str, Stamp], asked: PlanRequest, found: Plan
) -> tuple[dict[str, Stamp], dict[str, tuple[int, int]]]:
    """Size and time of each file that is there, and what is the same for all names of one file."""
    seen: dict[str, Stamp] = {}
    inodes: dict[str, tuple[int, int]] = {}
    for file in audio_files(map(Path, roots), **asked.rules, unmatched=found.unmatched):
        path = str(file)
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            if path in known and os.path.islink(path):  # noqa: PTH114
                if not asked.drop_missing:
                    found.away[path] = 1
            else:  # tagging it will say why
                seen[path] = Stamp(None, None, None, None, False)
            continue
        if not stat.S_ISDIR(status.st_mode):
            size, modified = size_and_time(file)
            seen[path] = Stamp(size, modified, None, None, True)
            if status.st_ino:
                inodes[path] = status.st_dev, status.st_ino
        elif path in roots and os.access(path, os.R_OK | os.X_OK):
            if not (asked.drop_missing and counts.get(path)):
                found.problems[path] = _nothing_in(path, counts.get(path, 0))
        else:
            found.problems[path] = f"{path}: this folder cannot be read. What the library has of it is kept."
    return seen, inodes


def _nothing_in(folder: str, known: int) -> str:
    if not known:
        return f"{folder}: no audio files were found in this folder. Name a folder of music."
    return (
        f"{folder}: no audio files were found in this folder, where the library has {known} files. Is its "
        "disk mounted? If they are gone for good, add --drop-missing."
    )


def _gone(
    root_of: Mapping[str, str],
    known: Mapping[str, Stamp],
    seen: Mapping[str, Stamp],
    asked: PlanRequest,
    found: Plan,
) -> tuple[dict[str, Stamp], dict[str, str]]:
    """What is missing and asked for; and of it, what may be away, with its place."""
    gone: dict[str, Stamp] = {}
    away: dict[str, str] = {}
    places: dict[str, str | None] = {}
    include, exclude = (Patterns(asked.rules.get(name, ())) for name in ("include", "exclude"))
    for path, stamp in known.items():
        if path in seen or path in found.away or not is_missing(path, behind_links=asked.drop_missing):
            continue
        root = root_of[path]
        name = os.path.relpath(path, root) if path != root else path
        wanted = not include or include.match(name, path, whole_folders=True)
        if not wanted or exclude.match(name, path) or not in_shard(name, asked.rules.get("shard", (1, 1))):
            continue
        place = None if asked.drop_missing else place_away(path, root, places)
        if place is not None:
            gone[path], away[path] = stamp, place
        elif above(path, found.problems) is None and above(path, found.away) is None:
            gone[path] = stamp
    return gone, away


def _compare(
    stamps: Mapping[str, Stamp],
    seen: Mapping[str, Stamp],
    old: Mapping[str, str],
    asked: PlanRequest,
    found: Plan,
) -> None:
    for path, stamp in seen.items():
        before = stamps.get(old.get(path, path))
        if path in found.tag:
            continue
        if before is None:
            found.tag[path] = "new"
        elif (before.size, stamp.size) == (None, None) and not asked.retry_failed:
            found.unchanged.append(path)
        elif before.size != stamp.size or not same_time(before.modified, stamp.modified):
            found.tag[path] = "changed"
        elif before.ok and asked.sha256 not in (None, before.sha256):
            found.tag[path] = "again"
        elif not before.ok and (asked.retry_failed or asked.force):
            found.tag[path] = "retried"
        else:
            found.unchanged.append(path)
    if asked.force and "again" not in found.tag.values():  # else an earlier run was interrupted
        found.tag |= dict.fromkeys((path for path in found.unchanged if path in stamps), "again")
        found.unchanged = [path for path in found.unchanged if path not in found.tag]
    found.failed_before = [path for path in found.unchanged if path in stamps and not stamps[path].ok]


def _join(inodes: Mapping[str, tuple[int, int]], found: Plan) -> None:
    """Where one file has several names, tag the first: the others take over its tags."""
    first: dict[tuple[int, int], str] = {}
    for path in found.tag:
        inode = inodes.get(path)
        if inode is not None and first.setdefault(inode, path) != path:
            found.twins[path] = first[inode]


def above(path: str, places: Collection[str]) -> str | None:
    """The nearest of some files and folders that a path is or is below; None if it is below none."""
    while path not in places:
        before, path = path, os.path.dirname(path)  # noqa: PTH120 on Path it is slower
        if path == before:
            return None
    return path
