"""Write tags into the music files themselves, so that they can be taken back to the last byte."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from autotag.audio.folders import check
from autotag.errors import AudioError, ExtraMissing, TagsUnreadable, TagsUnwritable
from autotag.outputs.before import MOST, Before, FileState, Was, parse
from autotag.outputs.containers import AUTOTAG, BEFORE, FIELDS, Damaged, TagContainer, Values
from autotag.outputs.copies import check_writable, digest, put_copy, tidy, time_of_change
from autotag.outputs.kinds import read_tags
from autotag.result import Failure, path_bytes
from autotag.system.text import as_unicode


class Change(NamedTuple):
    field: str
    old: Values
    new: Values


@dataclass(frozen=True, slots=True)
class Written:
    """What was, or would be, written into a file.

    Attributes:
        path: the file as it was named.
        changes: of its fields; none if it was as asked already.
        kept: changes not made, because a person wrote the old values.
        warnings: what a person should know, such as that a hard link is broken.
        skipped: why nothing was written though something was to be; empty if nothing was skipped.
    """

    path: str
    changes: tuple[Change, ...]
    kept: tuple[Change, ...]
    warnings: tuple[str, ...] = ()
    skipped: str = ""
    ok: ClassVar[bool] = True

    def to_dict(self) -> dict[str, Any]:
        """What was written as plain values for JSON."""
        found: dict[str, Any] = {"path": as_unicode(self.path)}
        if found["path"] != self.path:
            found["path_bytes"] = path_bytes(self.path)
        found |= {"ok": True, "changes": _plain(self.changes), "kept": _plain(self.kept)}
        found |= {"skipped": self.skipped} if self.skipped else {}
        return found | {"warnings": [as_unicode(warning) for warning in self.warnings]}


def _plain(changes: Iterable[Change]) -> list[dict[str, Any]]:
    return [{"field": field, "old": list(old), "new": list(new)} for field, old, new in changes]


def write_tags(
    path: str | Path,
    wanted: Mapping[str, Values],
    force: bool = False,
    dry_run: bool = False,
    *,
    keep_time: bool = False,
    skip_links: bool = False,
) -> Written:
    """Write fields into a file in place of all that an earlier call wrote; with no fields, take that back.

    All else in the file stays, byte by byte, and what the fields held is kept in it: `undo_tags` gives the
    very file back. A file where that is impossible is refused and left alone. The file is replaced as a whole
    by a copy, so that it is the old or the new one whenever the machine stops. Its mode, group and owner
    stay; where the owner cannot, a warning says so. A symbolic link stays one; other hard links keep the old
    file, which is said.

    Args:
        wanted: values by field, as `FieldRequest.fields` gives them.
        force: write also over what a person wrote into those fields.
        dry_run: write nothing.
        keep_time: keep the time of modification; other programs may then miss the change.
        skip_links: leave a file alone that has other hard links.

    Raises:
        AudioNotFound, UnreadableAudio, TagsUnreadable, TagsUnwritable
        ExtraMissing: mutagen is not installed.
        ValueError: a field is none of `FIELDS`.
    """
    if unknown := sorted(wanted.keys() - set(FIELDS)):
        raise ValueError(f"field {unknown[0]!r} is none that autotag writes. Use {', '.join(FIELDS)}.")
    target = Path(os.path.realpath(path))
    if not dry_run:
        tidy(target.parent)
    status = check(target)
    container = read_tags(target)
    old = {field: container.get(field) for field in FIELDS}
    state = FileState.at(status.st_size, status.st_mtime_ns)
    earlier, own = _take_back(container, path, state)
    try:
        back = container.patches() if earlier else []
        before, kept, warnings = _put(container, wanted, force)
        if before == earlier and {field: container.get(field) for field in FIELDS} == old:
            return Written(str(path), (), kept)
        check_writable(target, status)
        if before:
            modified = time_of_change(status, keep_time, earlier is not None)
            _sign(container, before, own or (state,), status.st_size, modified)
        else:  # the very file of before, unless somebody else has changed it
            modified = own[0].modified if own else time_of_change(status, keep_time, False)
        changes = [Change(field, old[field], container.get(field)) for field in FIELDS]
        patches = container.patches()
    except Damaged as error:
        raise TagsUnwritable(f"{path}: tags cannot be written: {error}") from error
    if status.st_nlink > 1:
        links = f"{status.st_nlink - 1} other hard link{'s' * (status.st_nlink > 2)}"
        if skip_links:
            return Written(str(path), (), kept, skipped=f"skipped: it has {links}")
        warnings.append(
            f"the tags are not in its {links}: this is a new file now. "
            "Use --skip-links to leave such files alone."
        )
    if not dry_run:

        def as_it_should_be(copy: Path) -> None:
            _check(copy, target, container, digest(target, back) if before else None)

        warnings += put_copy(target, patches, status, modified, as_it_should_be)
    return Written(str(path), tuple(c for c in changes if c.old != c.new), kept, tuple(warnings))


def undo_tags(
    path: str | Path, dry_run: bool = False, *, keep_time: bool = False, skip_links: bool = False
) -> Written:
    """Take back what `write_tags` wrote: the very file of before, unless somebody has changed it since.

    What a person has written since stays. Arguments and errors are those of `write_tags`.
    """
    return write_tags(path, {}, dry_run=dry_run, keep_time=keep_time, skip_links=skip_links)


def attempt(
    path: str | Path,
    wanted: Mapping[str, Values],
    force: bool = False,
    dry_run: bool = False,
    *,
    keep_time: bool = False,
    skip_links: bool = False,
) -> Written | Failure:
    """`write_tags`, with an error about the file as a value."""
    try:
        return write_tags(path, wanted, force, dry_run, keep_time=keep_time, skip_links=skip_links)
    except AudioError as error:
        return Failure(str(path), type(error).__name__, str(error))


def is_own_write(path: str | Path, size: int | None, modified: int) -> bool:
    """Whether a file is that of an earlier size and time but for tags that autotag wrote since.

    Args:
        size: bytes the file had; None if that is not known.
        modified: when it was modified, in nanoseconds since 1970.
    """
    try:
        target = Path(os.path.realpath(path))
        status = target.stat()
        container = read_tags(target)
        text = container.get(BEFORE)
        states = parse(text[0], container).states if len(text) == 1 else ()
    except (OSError, AudioError, ExtraMissing, *_NOT_OURS):
        return False
    now = FileState.at(status.st_size, status.st_mtime_ns)
    wanted = (FileState(state.size if size is None else size, modified) for state in states)
    return bool(states) and states[-1].is_now(now) and any(map(FileState.is_now, states, wanted))


_NOT_OURS = ValueError, TypeError, KeyError, AttributeError


def _take_back(
    container: TagContainer, path: str | Path, now: FileState
) -> tuple[Before | None, tuple[FileState, ...]]:
    """Undo what was written: what it replaced, and the file's states if it is as autotag left it."""
    text = container.get(BEFORE)
    if not text:
        return None, ()
    try:
        if len(text) > 1:
            raise ValueError("two of them")
        before = parse(text[0], container)
    except _NOT_OURS as error:
        raise TagsUnreadable(f"{path}: its field {BEFORE} is not what autotag wrote. Delete it.") from error
    container.take(BEFORE)
    before.take_back(container)
    untouched = bool(before.states) and before.states[-1].is_now(now)
    return before, before.states if untouched else ()


def _put(
    container: TagContainer, wanted: Mapping[str, Values], force: bool
) -> tuple[Before | None, tuple[Change, ...], list[str]]:
    """Set the fields: what they held, those that a person's values kept from it, and what to say."""
    new: dict[str, Values] = {}
    kept, warnings = [], []
    for field, values in wanted.items():
        old, foreign = container.get(field), container.elsewhere.get(field, ())
        if not values or old == values:
            continue
        if (old or foreign) and field != AUTOTAG and not force:
            kept.append(Change(field, old or foreign, values))
            continue
        if foreign:
            warnings.append(f"its {field.lower()} in another kind of tag stays: {', '.join(foreign)[:80]}")
        new[field] = values
    if not new:
        return None, tuple(kept), warnings
    was_values = {field: container.get(field) for field in new}
    removed = container.take(*new)
    for field, values in new.items():
        container.put(field, values)
    before = Before(
        container.format,
        container.to_make(),
        {field: Was(was_values[field], removed[field]) for field in new},
        {field: values for field, values in new.items() if field != AUTOTAG},
    )
    return before, tuple(kept), warnings


def _sign(
    container: TagContainer, before: Before, known: tuple[FileState, ...], size: int, modified: int
) -> None:
    """Add what was before, with the size that the file will have, which depends on it."""
    made, to_be = before.made, 0
    while True:
        container.take(BEFORE)
        text = replace(before, made=made, states=(*known, FileState.at(to_be, modified))).text()
        if len(text) > MOST:
            raise Damaged("what it holds now is too long to be kept for --undo")
        container.put(BEFORE, [text])
        found = size + sum(len(patch.data) - (patch.end - patch.start) for patch in container.patches())
        if (found, container.to_make()) == (to_be, made):
            return
        made, to_be = container.to_make(), found


def _check(copy: Path, target: Path, container: TagContainer, origin: bytes | None) -> None:
    """Refuse a copy in which anything is lost, or that could not be taken back to the last byte."""
    try:
        found = read_tags(copy)
        good = found.items == container.items
        if good and origin:
            text = found.get(BEFORE)
            before = parse(text[0], found)
            found.take(BEFORE)
            before.take_back(found)
            good = digest(copy, found.patches()) == origin
    except (AudioError, Damaged, *_NOT_OURS) as error:
        raise TagsUnwritable(
            f"{target}: tags cannot be written: they would be lost in it: {error}"
        ) from error
    if not good:
        raise TagsUnwritable(
            f"{target}: tags cannot be written: they could not be taken back to the last byte"
        )
