"""Write tags into the music files themselves, so that they can be taken back."""

import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from autotag.audio.folders import check
from autotag.errors import AudioError, RowsError, TagsUnreadable, TagsUnwritable
from autotag.meaning import VALUES
from autotag.outputs.containers import AUTOTAG, BEFORE, GENRE, MOOD, Block, Values, of_the_system, read
from autotag.result import Failure, Tag

TEMPORARY = ".autotag-", ".tmp"
"""Start and end of the name of a file that is being written: no music to a run over its folder."""


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
    """

    path: str
    changes: tuple[Change, ...]
    kept: tuple[Change, ...]
    ok: ClassVar[bool] = True


def fields(tags: Iterable[Tag], genre: bool = False, mood: bool = False) -> dict[str, Values]:
    """The fields to write for some tags: `AUTOTAG`, and if asked for genre and mood, as far as tags are one.

    >>> fields([Tag("rock", 0.61234), Tag("guitar", 0.5)], genre=True)
    {'AUTOTAG': ('rock=0.6123', 'guitar=0.5000'), 'GENRE': ('Rock',)}
    """
    tags = list(tags)
    found = {AUTOTAG: tuple(f"{tag}={score:.4f}" for tag, score in tags)}
    for field, asked in ((GENRE, genre), (MOOD, mood)):
        if asked:
            names = (VALUES[field].get(tag) for tag, _ in tags)
            found[field] = tuple(dict.fromkeys(name for name in names if name))
    return found


def write(
    path: str | Path, wanted: Mapping[str, Values], force: bool = False, dry_run: bool = False
) -> Written:
    """Write fields into a file in place of all that an earlier call wrote; with no fields, take that back.

    What the fields held before is kept in the file. The file is replaced as a whole by a copy with the new
    tags, so that it is the old or the new one whenever the machine stops; its audio, mode and time of
    modification stay. A symbolic link stays one; other hard links keep the old file.

    Args:
        wanted: values by field, as `fields` gives them.
        force: write also over a genre or mood that a person wrote.
        dry_run: write nothing.

    Raises:
        AudioNotFound, UnreadableAudio, TagsUnreadable, TagsUnwritable
        ExtraMissing: mutagen is not installed.
    """
    target = Path(os.path.realpath(path))
    before = check(target)
    block = read(target)
    old = {field: block.get(field) for field in (AUTOTAG, GENRE, MOOD, BEFORE)}
    existed = _take_back(block, path)
    kept = _put(block, wanted, force, existed)
    new = {field: block.get(field) for field in old}
    if old != new:
        _check_writable(target, before)
        if not dry_run:
            _replace(target, block, before, drop=not existed and block.is_bare())
    changes = (Change(field, old[field], new[field]) for field in (AUTOTAG, GENRE, MOOD))
    return Written(str(path), tuple(c for c in changes if c.old != c.new), kept)


def attempt(
    path: str | Path, wanted: Mapping[str, Values], force: bool = False, dry_run: bool = False
) -> Written | Failure:
    """The same, with an error about the file as a value."""
    try:
        return write(path, wanted, force, dry_run)
    except AudioError as error:
        return Failure(str(path), error.kind, str(error))


def _take_back(block: Block, path: str | Path) -> bool:
    """Undo what was written: whether there was a block before."""
    if not block.get(BEFORE):
        return block.existed
    try:
        before = json.loads(block.get(BEFORE)[0])
        existed, was, wrote = bool(before["existed"]), before["was"], before["wrote"]
        for field, values in was.items():
            if field not in wrote or list(block.get(field)) == wrote[field]:  # else a person has edited it
                block.set(field, values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise TagsUnreadable(f"{path}: its field {BEFORE} is not what autotag wrote: delete it") from error
    block.set(BEFORE, ())
    return existed


def _put(block: Block, wanted: Mapping[str, Values], force: bool, existed: bool) -> tuple[Change, ...]:
    """Set the fields and remember what they held: those that a person's values kept from it."""
    was: dict[str, Values] = {}
    wrote: dict[str, Values] = {}
    kept = []
    for field, values in wanted.items():
        old = block.get(field)
        if not values or old == values:
            continue
        if old and field != AUTOTAG and not force:
            kept.append(Change(field, old, values))
            continue
        was[field] = old
        if field != AUTOTAG:
            wrote[field] = values
        block.set(field, values)
    if was:
        block.set(BEFORE, [json.dumps({"existed": existed, "was": was, "wrote": wrote})])
    return tuple(kept)


def _check_writable(target: Path, before: os.stat_result) -> None:
    """Refuse a file that is read-only, though a rename would get round it, as would root."""
    if not before.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(target, os.W_OK):
        raise TagsUnwritable(f"{target}: tags cannot be written: the file is read-only")


def _replace(target: Path, block: Block, before: os.stat_result, drop: bool) -> None:
    """Put a copy with the block's tags, or without any, in the place of the file."""
    name = ""
    try:
        handle, name = tempfile.mkstemp(TEMPORARY[1], TEMPORARY[0], target.parent)
        os.close(handle)
        shutil.copyfile(target, name)
        (block.drop if drop else block.save)(Path(name))
        if not drop:
            written = read(Path(name))
            if any(written.get(field) != block.get(field) for field in (AUTOTAG, GENRE, MOOD, BEFORE)):
                raise TagsUnwritable(f"{target}: tags would be lost in it: it is damaged: convert it")
        if hasattr(os, "chown"):
            with suppress(OSError):
                os.chown(name, before.st_uid, before.st_gid)
        with Path(name).open("r+b") as file:
            os.fsync(file.fileno())
        shutil.copystat(target, name)
        now = target.stat()
        if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise TagsUnwritable(f"{target}: was changed by another program just now: try again")
        os.replace(name, target)  # noqa: PTH105 names need not be UTF-8
    except TagsUnwritable:
        raise
    except Exception as error:  # mutagen raises more than its own
        reason = of_the_system(error) or str(error)
        raise TagsUnwritable(f"{target}: tags cannot be written: {reason}") from error
    finally:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108
    if sys.platform != "win32":
        with suppress(OSError):  # not every file system can
            folder = os.open(target.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)


class Row(NamedTuple):
    """What is needed of the `Result` of an earlier run."""

    path: str
    model: str
    tags: tuple[Tag, ...] = ()
    modified: int | None = None
    warnings: tuple[str, ...] = ()


def rows(path: Path) -> list[Row | Failure]:
    """What `autotag --format jsonl` printed, the last line of each file.

    Raises:
        RowsError: the file cannot be read, or a line is none of these.
    """
    found: dict[str, Row | Failure] = {}
    try:
        lines = path.read_text("utf-8").split("\n")  # splitlines knows others, which a name may hold
    except (OSError, UnicodeDecodeError) as error:
        raise RowsError(f"{path}: cannot be read: {getattr(error, 'strerror', error)}") from error
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            row: dict[str, Any] = json.loads(line)
            name = str(row["path"])
            if row["ok"]:
                tags = tuple(Tag(str(tag["tag"]), float(tag["score"])) for tag in row["tags"])
                found[name] = Row(name, str(row["model"]), tags, row.get("modified"))
            else:
                found[name] = Failure(name, str(row["error"]["kind"]), str(row["error"]["message"]))
        except (ValueError, TypeError, KeyError) as error:
            raise RowsError(
                f"{path}: line {number} is not a result of autotag --format jsonl: {line[:60]!r}"
            ) from error
    return list(found.values())
