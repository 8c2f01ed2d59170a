"""Bring a library up to date with folders of music."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autotag.batch import PathInput, tag_files
from autotag.config import DEFAULT, Excerpt
from autotag.errors import LibraryError, LibraryNotFound
from autotag.library.database import Library, default_path
from autotag.library.file import other_model
from autotag.library.gone import is_missing
from autotag.library.keep import Progress
from autotag.library.plan import Plan, PlanRequest, plan
from autotag.library.sound import sound_hash
from autotag.models.registry import ModelChoice, find
from autotag.outputs.sink import Stamp, alone
from autotag.request import TagRequest
from autotag.result import Failure, Outcome
from autotag.system.cores import usable_cores
from autotag.system.files import size_and_time


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan did.

    Attributes:
        library: the file.
        new, changed, retried, again: files that were tagged: unknown ones, ones with another sound, ones that
            had failed, and ones that another model had tagged.
        moved, deleted: files with a new path, and rows of files that are gone.
        failed: files that could not be tagged now.
        failed_before: files that could not be tagged earlier, and were not tried again.
        unchanged: files that were left as they are, with those of `failed_before`.
        kept: rows of files that are not there now, but may be away with their disk.
        notes: what should be known, a sentence each: where files are away, patterns that matched nothing.
        problems: which of the named folders could not be read, a sentence each.
    """

    library: Path
    new: int = 0
    changed: int = 0
    retried: int = 0
    again: int = 0
    moved: int = 0
    deleted: int = 0
    failed: int = 0
    failed_before: int = 0
    unchanged: int = 0
    kept: int = 0
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def scan(
    folders: Iterable[PathInput] | PathInput,
    library: PathInput | None = None,
    model: ModelChoice | None = None,
    *,
    excerpt: Excerpt | float | None = None,
    jobs: int | None = None,
    force: bool = False,
    retry_failed: bool = False,
    progress: Progress | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    shard: tuple[int, int] = (1, 1),
    hidden: bool = False,
    moved_from: PathInput | None = None,
    drop_missing: bool = False,
) -> Scanned:
    """Add new files to a library, tag changed ones again, follow moved ones, remove deleted ones.

    It can be interrupted at any time: the same call goes on.

    Args:
        folders: of music; files may be named too.
        library: the SQLite file, which is made if need be; by default `default_path()`.
        model: by default that of the library, or `autotag.config.DEFAULT` where it is new.
        excerpt: how much of each file to tag; by default as much as the library remembers, or all.
        jobs: processes, of which one that crashes is a Failure of the file it was at; by default one a core.
        force: tag all files again, with another model too; corrections stay.
        retry_failed: tag again those that failed and have not changed.
        progress: is called first with (0, total, None), then after each file.
        include, exclude, shard, hidden: which files, as of `autotag.audio.folders.audio_files`; others that
            the library has are left alone.
        moved_from: the folder in which all that now is in `folders` was before.
        drop_missing: remove the rows of files behind links that lead nowhere and in folders that are empty or
            missing. Without it they are kept, as their disk may not be mounted.

    Raises:
        LibraryError: a folder is missing, cannot be read or holds no audio; the file is no library, or of
            another model and not all is to be tagged again.
        SinkError: another process writes the library.
        ModelNotFound, ModelError, WorkerError
    """
    named = [Path(path) for path in ([folders] if isinstance(folders, str | os.PathLike) else folders)]
    path = Path(library) if library is not None else default_path()
    if library is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path):
        stamps: dict[str, Stamp] = {}
        choice, excerpt, file = model, Excerpt.of(excerpt), None
        with suppress(LibraryNotFound), Library(path) as known:
            stamps, excerpt = known.stamps(), excerpt or known.excerpt
            choice = choice or known.model
            file = find(choice)
            if not force and (known.model, known.sha256) != (file.name, file.sha256):
                raise other_model(known, file)
        file = file or find(choice or DEFAULT)
        rules = {"include": include, "exclude": exclude, "shard": shard, "hidden": hidden}
        asked = PlanRequest(rules, file.sha256, retry_failed, force, drop_missing)
        relocated = _relocated(stamps, named, moved_from)
        for old, new in relocated:
            stamps[new] = stamps.pop(old)
        replaced = [old for old in stamps if moved_from and _is_below(old, moved_from) and is_missing(old)]
        todo = plan(stamps, named, asked)
        with Library(path, file, excerpt, force=force) as opened:
            opened.rearrange([*relocated, *todo.moved], [*replaced, *todo.deleted])
            opened.outdate(name for name, kind in todo.tag.items() if kind == "again")
            _same_sound(opened, todo)
            request = TagRequest(top=1, excerpt=excerpt, embed="mean")
            counts = _tag(opened, todo, choice or DEFAULT, request, jobs or usable_cores(), progress)
            opened.prune()
    return _scanned(path, todo, counts, len(relocated))


def _relocated(
    stamps: Mapping[str, Stamp], named: list[Path], moved_from: PathInput | None
) -> list[tuple[str, str]]:
    """Old and new path of the rows below a folder that has another path now."""
    if moved_from is None:
        return []
    before = os.path.abspath(moved_from)  # noqa: PTH100
    known = [path for path in stamps if _is_below(path, moved_from)]
    if len(named) != 1 or not named[0].is_dir():
        raise LibraryError(f"Name one folder, the new place of {before}.")
    if not known:
        raise LibraryError(
            f"{before}: the library has no file below it. Give the folder as it was called then."
        )
    after = os.path.abspath(named[0])  # noqa: PTH100
    pairs = [(path, after + path[len(before) :]) for path in known]
    return [(old, new) for old, new in pairs if new not in stamps]


def _is_below(path: str, folder: PathInput) -> bool:
    return path.startswith(os.path.join(os.path.abspath(folder), ""))  # noqa: PTH100, PTH118


def _same_sound(library: Library, todo: Plan) -> None:
    """Leave out of a plan those files of which only the file tags changed."""
    known: dict[str, Stamp] = {}
    for path in [path for path, kind in todo.tag.items() if kind == "changed"]:
        before = library.sound(path)
        state = size_and_time(Path(path))
        if before and before == sound_hash(Path(path)) and state == size_and_time(Path(path)):
            known[path] = Stamp(state[0], state[1], None, None, True)
    library.retime(known)
    for path in known:
        del todo.tag[path]
        todo.twins.pop(path, None)
        todo.unchanged.append(path)
    todo.twins = {path: first for path, first in todo.twins.items() if first in todo.tag}


def _tag(
    library: Library,
    todo: Plan,
    model: ModelChoice,
    request: TagRequest,
    jobs: int,
    progress: Progress | None,
) -> Counter[str]:
    """Tag what a plan says, and count of what kind it was."""
    counts: Counter[str] = Counter()
    others: dict[str, list[str]] = {}
    for path, first in todo.twins.items():
        others.setdefault(first, []).append(path)
    files = [path for path in todo.tag if path not in todo.twins]
    tell = progress or (lambda *_: None)
    done = 0
    tell(done, len(todo.tag), None)
    with closing(tag_files(map(Path, files), model, request, jobs=jobs)) as outcomes:
        for outcome in outcomes:
            names = others.get(outcome.path or "", ())
            for named in [outcome, *(_renamed(outcome, path) for path in names)]:
                library.write(named)
                counts[todo.tag[named.path or ""] if named.ok else "failed"] += 1
                done += 1
                tell(done, len(todo.tag), named)
    return counts


def _renamed(outcome: Outcome, path: str) -> Outcome:
    """The outcome of the same file under another name."""
    if isinstance(outcome, Failure):
        return replace(outcome, path=path, message=outcome.message.replace(outcome.path or "", path, 1))
    return replace(outcome, path=path)


def _scanned(path: Path, todo: Plan, counts: Mapping[str, int], relocated: int) -> Scanned:
    notes = [
        f"{place}: is {_why(place)}, and its {count} {'file is' if count == 1 else 'files are'} kept. Mount "
        "its disk, or add --drop-missing if they are gone for good."
        for place, count in todo.away.items()
    ]
    notes += [
        f"{pattern!r} matched nothing. Give a name, a path, or a glob of them." for pattern in todo.unmatched
    ]
    numbers: dict[str, Any] = {
        kind: counts.get(kind, 0) for kind in ("new", "changed", "retried", "again", "failed")
    }
    return Scanned(
        path,
        moved=len(todo.moved) + relocated,
        deleted=len(todo.deleted),
        failed_before=len(todo.failed_before),
        unchanged=len(todo.unchanged),
        kept=sum(todo.away.values()),
        notes=tuple(notes),
        problems=tuple(todo.problems.values()),
        **numbers,
    )


def _why(place: str) -> str:
    if os.path.islink(place):  # noqa: PTH114
        return "a link to what is not there"
    return "empty" if os.access(place, os.R_OK | os.X_OK) else "unreadable"
