"""The beets plugin `autotags`: tags, genre and mood of songs, by the scores and rules of `autotag write`.

What is found stands in flexible fields of a song, and in its file where that is asked for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from logging import Logger
from optparse import Values as Options
from typing import ClassVar

from beets.dbcore.query import StringQuery
from beets.dbcore.types import STRING, DelimitedString, Type
from beets.exceptions import UserError
from beets.library import Album, Item, Library
from beets.plugins import BeetsPlugin
from beets.ui import Subcommand

from autotag.batch import processes, tag_files
from autotag.config import DEFAULT
from autotag.errors import AutotagError
from autotag.library.sound import sound_hash, sound_of
from autotag.models.registry import find
from autotag.outputs.containers import AUTOTAG, GENRE, KEYWORDS, MOOD, Values
from autotag.outputs.fields import FieldRequest
from autotag.outputs.filetags import attempt
from autotag.request import TagRequest
from autotag.result import Failure
from autotag.system.cores import usable_cores
from autotag.system.files import size_and_time
from autotag.system.text import counted


class Words(DelimitedString):
    """Several words, of which a query names a whole one: `vocals` is not in `no vocals`."""

    query = StringQuery  # type: ignore[assignment]  # the base declares its own query as the type


FIELDS = {
    KEYWORDS: "autotags",
    AUTOTAG: "autotags_scores",
    GENRE: "autotags_genre",
    MOOD: "autotags_mood",
}
"""By the field of a file that would hold it, where a song has something in beets."""

BY = "autotags_by"
"""Which model, by name and sha256, and how its tags were chosen."""

FILE = "autotags_file"
"""Size, time and sound of the file that was tagged."""

WRITTEN = "autotags_written"
"""`yes` if the tags are in the file too; `earlier` if tags or file have changed since they were."""


class AutotagsPlugin(BeetsPlugin):
    """`beet autotags`, and the same at the end of an import."""

    item_types: ClassVar[dict[str, Type]] = {
        **dict.fromkeys(FIELDS.values(), Words("; ")),
        **dict.fromkeys((BY, FILE, WRITTEN), STRING),
    }

    def __init__(self) -> None:
        super().__init__()
        defaults = {"auto": False, "write": False, "model": DEFAULT.name, "jobs": 0}
        self.config.add(defaults | {"top": TagRequest().top, "threshold": "auto"})
        self._imported: list[int | None] = []
        if self.config["auto"].get(bool):
            self.register_listener("album_imported", self._album_imported)
            self.register_listener("item_imported", self._item_imported)
            self.register_listener("import", self._all_imported)

    def commands(self) -> list[Subcommand]:
        command = Subcommand("autotags", help="tag songs by their sound: instruments, genre, mood")
        command.parser.usage = "%prog [options] [QUERY]"
        for short, long, text in (
            ("-p", "--pretend", "show what would change, and change nothing"),
            ("-f", "--force", "tag again what is done"),
            ("-w", "--write", "write into the files too, as 'autotag write' does"),
            ("-u", "--undo", "take back the fields, and what was written into the files"),
        ):
            command.parser.add_option(short, long, action="store_true", default=False, help=text)
        command.func = self._command
        return [command]

    def _command(self, lib: Library, options: Options, query: list[str]) -> None:
        if options.undo and (options.force or options.write):
            raise UserError("autotags: --undo takes back. Leave out --force and --write.")
        with self._run(lib.items(query), options.pretend) as run:
            if options.undo:
                run.undo()
            else:
                self._tag(run, options.force, options.write)

    def _album_imported(self, lib: Library, album: Album) -> None:
        self._imported += [item.id for item in album.items()]

    def _item_imported(self, lib: Library, item: Item) -> None:
        self._imported.append(item.id)

    def _all_imported(self, lib: Library, paths: list[bytes]) -> None:
        """Tag what was imported, all at once, now that beets has put the files where they stay."""
        items = [item for number in self._imported if number and (item := lib.get_item(number))]
        self._imported.clear()
        with self._run(items) as run:
            self._tag(run)

    def _tag(self, run: "Run", force: bool = False, write: bool = False) -> None:
        try:
            request = TagRequest(top=self.config["top"].get(int), threshold=self.config["threshold"].get())
        except ValueError as error:
            raise UserError(f"autotags: {error}") from error
        jobs = self.config["jobs"].get(int) or usable_cores()
        run.tag(self.config["model"].as_str(), request, jobs, force, write or self.config["write"].get(bool))

    @contextmanager
    def _run(self, items: Iterable[Item], pretend: bool = False) -> Iterator["Run"]:
        """A run over songs, which says at its end what it did; an error of autotag ends beets' command."""
        try:
            run = Run(self._log, _here(items, self._log), pretend)
            try:
                yield run
            except KeyboardInterrupt:
                run.interrupted()
                raise
            run.end()
        except AutotagError as error:
            raise UserError(f"autotags: {error}") from error


@dataclass(frozen=True, slots=True)
class Run:
    """One run over songs whose files are there."""

    log: Logger
    items: list[Item]
    pretend: bool
    counts: Counter[str] = field(default_factory=Counter)

    def tag(self, choice: str, request: TagRequest, jobs: int, force: bool, write: bool) -> None:
        """Tag those that are not done, and put what is found into fields and, if asked, into files."""
        wanted = FieldRequest(top=request.top, genres=0, moods=0, minimum=request.lowest, plain=KEYWORDS)
        model = find(choice)
        by = f"{model.name} {model.sha256} top={request.top} threshold={request.lowest}"
        todo = []
        for item in self.items:
            if force or _own(item, BY) != by or not _sounds_the_same(item):
                todo.append(item)
                continue
            if _own(item, FILE) != _state(item) or (write and _own(item, WRITTEN) != "yes"):
                item[FILE] = _state(item)
                found = {name: tuple(item.get(own, ())) for name, own in FIELDS.items()}
                if not self._put(item, found, write):
                    continue
            self.counts["skipped"] += 1
        files = [item.filepath for item in todo]
        jobs = processes(len(files), jobs)
        with closing(tag_files(files, choice, replace(request, top=0), jobs=jobs)) as outcomes:
            for item, outcome in zip(todo, outcomes, strict=True):
                if isinstance(outcome, Failure):
                    self._fail(outcome)
                    continue
                found = wanted.fields(outcome.tags)
                item[BY] = by
                item[FILE] = f"{outcome.size} {outcome.modified} {(sound_of(outcome) or b'').hex()}"
                if self._put(item, found, write):
                    self.counts["tagged"] += 1
                    self.log.info("{}: {}", item, ", ".join(found[KEYWORDS]) or "no likely tag")

    def undo(self) -> None:
        """Take back what was written into files, and the fields in beets."""
        for item in self.items:
            if not _own(item, BY):
                self.counts["skipped"] += 1
            elif not _own(item, WRITTEN) or self._write(item, {}):
                for name in item.keys(with_album=False) & {*FIELDS.values(), BY, FILE, WRITTEN}:
                    del item[name]
                self._store(item)
                self.counts["taken back"] += 1

    def end(self) -> None:
        """Say what was done."""
        kinds = ("taken back", "tagged", "failed", "skipped", "files written")
        said = ", ".join(f"{self.counts[kind]} {kind}" for kind in kinds if self.counts[kind]) or "no songs"
        self.log.info("{}{}", said, " (nothing: --pretend)" if self.pretend else "")

    def interrupted(self) -> None:
        """Say what is kept."""
        done = self.counts.total() - self.counts["files written"]
        self.log.warning("interrupted. {} of {} songs are done. Run again to go on.", done, len(self.items))

    def _put(self, item: Item, found: Mapping[str, Values], write: bool) -> bool:
        """Keep what was found in a song's fields, and in its file if asked; whether that could be done."""
        in_file = [AUTOTAG, MOOD]
        if item.genres in ([], item.get(FIELDS[GENRE], [])):  # none that a person gave it in beets
            in_file.append(GENRE)
        for name, own in FIELDS.items():
            item[own] = list(found[name])
        done = not write or self._write(item, {name: found[name] for name in in_file})
        if write and done:
            item[WRITTEN] = "yes"
        elif _own(item, WRITTEN):
            item[WRITTEN] = "earlier"
        self._store(item)
        return done

    def _write(self, item: Item, wanted: Mapping[str, Values]) -> bool:
        """Write fields into a song's file, or take them back, and tell beets; whether that could be done."""
        read = (size_and_time(item.filepath)[1] or 0) // 10**9 <= item.mtime
        same = _own(item, FILE) == _state(item)
        written = attempt(item.filepath, wanted, dry_run=self.pretend)
        if isinstance(written, Failure):
            self._fail(written)
            return False
        for warning in written.warnings:
            self.log.warning("{}: {}", written.path, warning)
        for name, *values in written.changes:
            self.log.info("{}: {} {} -> {}", item, name, *(", ".join(v) or "(none)" for v in values))
            if name == GENRE and item.genres == list(values[0]):  # or else beets would write those again
                item.genres = list(values[1])
        if read:
            item.mtime = item.current_mtime()
        if same:
            item[FILE] = _state(item)
        self.counts["files written"] += bool(written.changes)
        return True

    def _store(self, item: Item) -> None:
        if not self.pretend:
            item.store()

    def _fail(self, failure: Failure) -> None:
        self.counts["failed"] += 1
        self.log.error("{}", failure.message)


def _here(items: Iterable[Item], log: Logger) -> list[Item]:
    """Those of some songs whose files are there.

    Raises:
        UserError: none of them is.
    """
    found: list[Item] = []
    away: list[Item] = []
    for item in items:
        (away if size_and_time(item.filepath)[0] is None else found).append(item)
    if away and not found:
        raise UserError(
            f"autotags: {away[0].filepath}: not there, as {counted(len(away), 'song', 'songs')} of the "
            "library. Mount the disk, or set 'directory' in beets' configuration to the folder that the "
            "music has on this machine."
        )
    if away:
        files = counted(len(away), "file is", "files are")
        log.warning("{} not there, such as {}. Mount the disk, and run again.", files, away[0].filepath)
    return found


def _own(item: Item, name: str) -> str:
    """A text of a song itself, and not of its album; empty if it has none."""
    return str(item.get(name, "", with_album=False) or "")


def _state(item: Item) -> str:
    """Size and time of a song's file now, with the sound that it had when it was tagged."""
    size, modified = size_and_time(item.filepath)
    return f"{size} {modified} {_own(item, FILE).rpartition(' ')[2]}"


def _sounds_the_same(item: Item) -> bool:
    """Whether a song's file has the sound that was tagged, whatever of its tags has changed since."""
    known = _own(item, FILE)
    if known == _state(item):
        return True
    sound = sound_hash(item.filepath)
    return sound is not None and known.rpartition(" ")[2] == sound.hex()
