"""One file by any spelling of its path is one row."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from unicodedata import normalize

from autotag.audio.folders import folder_identity
from autotag.library.database import Library
from autotag.library.opening import plainly
from autotag.library.rows import as_path, stored


def as_known(paths: Iterable[str | os.PathLike[str]], known: Collection[str]) -> list[Path]:
    """The files, each once, and as it is known where that is another spelling, else as it came first."""
    given = list(dict.fromkeys(str(Path(path)) for path in paths))
    new = [path for path in given if path not in known]
    spelled = known_spellings(new, known)
    spelled |= known_spellings(rest := [path for path in new if path not in spelled], rest)
    return list(dict.fromkeys(Path(spelled.get(path, path)) for path in given))


def known_spellings(paths: Collection[str], known: Collection[str]) -> dict[str, str]:
    """Paths that are not known as they are, and what each is known as.

    A relative path and an absolute one, or one by a link to a folder, are spellings; another name of the same
    file in the same or another folder is none.
    """
    folders: dict[str, object] = {}

    def place(path: str) -> tuple[object, str]:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = folder_identity(folder or ".")
        return folders[folder], os.path.normcase(normalize("NFC", name))

    at: dict[tuple[object, str], str] = {}
    for path in known if paths else ():
        at.setdefault(place(path), path)
    found = {path: _if_one(path, at[place(path)]) for path in paths if place(path) in at}
    return {path: spelled for path, spelled in found.items() if spelled != path}


def _if_one(path: str, known: str) -> str:
    """The path as it is known, unless there is a file of each of two spellings, or only of the new one."""
    try:
        return known if path == known or Path(path).samefile(known) else path
    except OSError:
        return path if os.path.lexists(path) else known


def known_path(library: Library, path: str | os.PathLike[str]) -> str | None:
    """The path by which a library knows a file, whichever spelling of it is given; None if it does not."""
    given = os.fspath(path)
    for spelled in (given, os.path.abspath(given)):  # noqa: PTH100
        if library.query("SELECT 1 FROM tracks WHERE path = ?", stored(spelled)):
            return spelled
    name = normalize("NFC", os.path.basename(given))  # noqa: PTH119
    with plainly(library.path, "read"):
        every = [as_path(kept) for (kept,) in library.query("SELECT path FROM tracks")]
    known = {each for each in every if normalize("NFC", os.path.basename(each)) == name}  # noqa: PTH119
    (found,) = map(str, as_known([given], known))
    return found if found in known else None
