"""Which files to tag: files as they are named, and the audio of folders."""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from unicodedata import normalize

from autotag.audio.patterns import Patterns
from autotag.errors import AudioNotFound, UnreadableAudio

SUFFIXES = (
    *(".aif", ".aifc", ".aiff", ".aiffc", ".au", ".avr", ".caf", ".flac", ".htk", ".ircam", ".mp1", ".mp2"),
    *(".mp3", ".mpga", ".nist", ".oga", ".ogg", ".opus", ".paf", ".pvf", ".rf64", ".sd2", ".sds", ".sf"),
    *(".snd", ".sph", ".svx", ".voc", ".w64", ".wav", ".wave", ".wve", ".xi"),
    *(".aa3", ".aac", ".ac3", ".adts", ".amr", ".ape", ".at3", ".awb", ".dff", ".dsf", ".dts", ".eac3"),
    *(".ec3", ".gsm", ".m4a", ".m4b", ".m4r", ".mka", ".mpc", ".mpp", ".oma", ".ra", ".shn", ".spx", ".tak"),
    *(".tta", ".weba", ".wma", ".wv"),
)
"""Names of audio files in a folder. Those of the last four lines need PyAV or ffmpeg, and say so; an .mp4 is
most often a film, whose sound is tagged if it is named."""

JUNK = (
    *("$recycle.bin", "#recycle", "#snapshot", "@eadir", "@recently-snapshot", "@recycle", "__macosx"),
    *("lost+found", "network trash folder", "recycled", "recycler", "system volume information"),
    *("temporary items",),
)
"""Names that file servers and systems give to what a person deleted, or never made."""

ADDRESS = re.compile("([A-Za-z][A-Za-z0-9+.-]+:)//?(?=[^/])")
"""What an address begins with, and a path that was made of one, which has a slash less."""


def audio_files(
    paths: Iterable[Path],
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    shard: tuple[int, int] = (1, 1),
    hidden: bool = False,
    unmatched: list[str] | None = None,
) -> Iterator[Path]:
    """The files, and in place of a folder the audio below it in the order of the names; each name once.

    However a folder is spelled, a file in it has one name there; a file with two names, by a link, is two.
    Links to folders are followed after the folders proper, and no folder is entered twice. A folder without
    audio stands for itself, so that tagging it can say so.

    Args:
        include, exclude: globs of what is wanted and what is not, for a file's name, its path below the
            folder that was given, and its path as typed; the case of the name's ending does not matter. A
            pattern that is such a name as it stands matches that name. A folder that is excluded is not
            entered.
        shard: (i, n) for the i-th of n parts. Where a file belongs depends on its path alone, below the
            folder that was given: not on other files, nor on where the folder is mounted.
        hidden: take hidden names and `JUNK` in folders too.
        unmatched: is given the patterns that matched nothing.
    """
    walk = Walk(Patterns(include), Patterns(exclude), hidden)
    for path in map(as_spelled, paths):
        is_folder = os.path.isdir(path)  # noqa: PTH112 Path.is_dir raises where a name is too long
        found = walk.folder(path) if is_folder else walk.file(path)
        for file, name in found:
            if in_shard(name, shard):
                yield Path(file)
    if unmatched is not None:
        unmatched += [*walk.include.unmatched(), *walk.exclude.unmatched()]


def check(path: Path) -> os.stat_result:
    """The status of a path that is a file; what else it may be is said.

    Raises:
        AudioNotFound, UnreadableAudio
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            where = path.readlink()
            raise AudioNotFound(
                f"{path}: a link to {where}, which is not there. Is its disk mounted?"
            ) from error
        if address := ADDRESS.match(str(path)):
            typed = f"{address[1]}//{str(path)[address.end() :]}"
            raise AudioNotFound(f"{typed}: autotag fetches nothing. Download the file.") from error
        raise AudioNotFound(f"{path}: no such file") from error
    except OSError as error:
        raise UnreadableAudio(f"{path}: cannot be read: {error.strerror}") from error
    if stat.S_ISDIR(status.st_mode) and not os.access(path, os.R_OK | os.X_OK):
        raise UnreadableAudio(f"{path}: this folder cannot be read: Permission denied")
    if stat.S_ISDIR(status.st_mode):
        raise AudioNotFound(f"{path}: no audio files were found in this folder")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableAudio(f"{path}: a pipe or device. Give a file.")
    return status


def as_spelled(path: Path) -> Path:
    """The path as its file system spells it, if it is there with its letters composed or decomposed."""
    if not os.path.lexists(path):
        for form in ("NFC", "NFD"):
            other = normalize(form, str(path))
            if other != str(path) and os.path.lexists(other):
                return Path(other)
    return path


def is_hidden(name: str) -> bool:
    """Whether a name in a folder is hidden, or of `JUNK`."""
    return name.startswith(".") or name.lower() in JUNK


@dataclass(slots=True)
class Walk:
    """Folders and files that were seen, so that each name comes once."""

    include: Patterns
    exclude: Patterns
    hidden: bool
    _folders: dict[object, bool] = field(default_factory=dict)  # entered; whether there was audio
    _names: set[tuple[object, str]] = field(default_factory=set)

    def file(self, path: Path) -> Iterator[tuple[str, str]]:
        """A file that is named, with its path."""
        name = str(path)
        place = os.path.dirname(name) or "."  # noqa: PTH120 on Path it is slower
        if self._is_wanted(name, name) and self._is_new(folder_identity(place), os.path.basename(name)):  # noqa: PTH119
            yield name, name

    def folder(self, folder: Path) -> Iterator[tuple[str, str]]:
        """Path and path below the folder of its audio, or the folder itself if there is none."""
        identity = folder_identity(folder)
        if identity in self._folders or self.exclude.match(folder.name, str(folder)):
            return
        filtered = False
        self._folders[identity] = False
        for file, name, wanted in self._below(str(folder)):
            if not wanted:
                filtered = True
                continue
            self._folders[identity] = True
            yield file, name
        if not self._folders[identity] and not filtered:
            yield str(folder), "."

    def _below(self, folder: str) -> Iterator[tuple[str, str, bool]]:
        """Path, path below the folder, and whether it is wanted, of all audio names."""
        above = len(os.path.join(folder, ""))  # noqa: PTH118 Path drops the separator
        tops, entered = [folder], {folder_identity(folder)}
        for top in tops:  # which grows on the way
            unreadable: list[str] = []
            for root, identity, folders, names in _walk(top, unreadable):
                if root != folder:
                    if identity in self._folders or identity in entered:
                        folders.clear()
                        continue
                    entered.add(identity)
                    self._folders[identity] = True
                paths = {name: os.path.join(root, name) for name in (*folders, *names)}  # noqa: PTH118 it is quicker
                folders[:] = sorted(
                    name
                    for name in folders
                    if (self.hidden or not is_hidden(name))
                    and not self.exclude.match(paths[name][above:], paths[name])
                )
                links = [name for name in folders if os.path.islink(paths[name])]  # noqa: PTH114
                tops += [paths[name] for name in links]
                folders[:] = [name for name in folders if name not in links]
                for name in sorted(names):
                    if not name.lower().endswith(SUFFIXES) or (is_hidden(name) and not self.hidden):
                        continue
                    path = paths[name]
                    new = self._is_new(identity, name)
                    yield path, path[above:], new and self._is_wanted(path[above:], path)
            # A folder that cannot be read stands for itself too.
            yield from ((path, path[above:], True) for path in unreadable)

    def _is_wanted(self, name: str, typed: str) -> bool:
        if self.exclude.match(name, typed):
            return False
        return not self.include or self.include.match(name, typed, whole_folders=True)

    def _is_new(self, place: object, name: str) -> bool:
        key = place, os.path.normcase(name)
        new = key not in self._names
        self._names.add(key)
        return new


def _walk(top: str, unreadable: list[str]) -> Iterator[tuple[str, object, list[str], list[str]]]:
    """Each folder with its identity, the folders in it, which the caller may cut, and the other names.

    `os.walk` of Python 3.11 calls itself for every folder in a folder, and ends where there are many.
    """
    waiting = [top]
    while waiting:
        root = waiting.pop()
        folders: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(root) as entries:
                for entry in entries:
                    (folders if _is_folder(entry) else names).append(entry.name)
        except OSError:
            unreadable.append(root)
            continue
        yield root, folder_identity(root), folders, names
        waiting += [os.path.join(root, name) for name in reversed(folders)]  # noqa: PTH118


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def folder_identity(folder: str | Path) -> object:
    """What is the same for all spellings of a folder, links among them."""
    try:
        status = os.stat(folder)  # noqa: PTH116
    except OSError:
        return os.path.abspath(folder)  # noqa: PTH100
    if status.st_ino:
        return status.st_dev, status.st_ino
    return os.path.normcase(os.path.realpath(folder))


def in_shard(name: str, shard: tuple[int, int]) -> bool:
    """Whether a path below the folder that was given belongs to part i of n."""
    index, count = shard
    spelled = os.fsencode(name.replace(os.sep, "/"))
    return int.from_bytes(blake2b(spelled, digest_size=8).digest()) % count == index - 1
