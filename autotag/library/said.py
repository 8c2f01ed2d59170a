"""What a person said of files, in a library, where a model has just tagged them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from autotag.library.choice import tags_of
from autotag.library.database import Library
from autotag.library.opening import plainly
from autotag.library.rows import as_path
from autotag.library.spelling import known_spellings
from autotag.meaning import Output
from autotag.request import Selection
from autotag.result import Outcome, Result

Said = Mapping[str, Mapping[str, bool]]
"""By the path of a file, by the name of a tag: whether it has it."""


def said_of(files: Iterable[Path], library: Path) -> Said:
    """What a library's corrections say of files, whichever spelling of their paths is given.

    Raises:
        LibraryNotFound: it is not there.
        LibraryError: it cannot be read.
    """
    said: dict[str, dict[str, bool]] = {}
    with Library(library) as opened:
        rows = opened.query("SELECT path, tag, has FROM corrections JOIN tracks ON id = track")
        with plainly(opened.path, "read"):
            for path, tag, has in rows:
                said.setdefault(as_path(path), {})[tag] = bool(has)
    given = [str(file) for file in files]
    spelled = known_spellings([path for path in given if path not in said], said)
    known = {path: spelled.get(path, path) for path in given}
    return {path: said[name] for path, name in known.items() if name in said}


def as_said(
    outcomes: Iterable[Outcome], said: Said, outputs: Sequence[Output], selection: Selection
) -> Iterator[Outcome]:
    """The outcomes of a model with such outputs; what was said of a file counts more than the scores.

    Args:
        outcomes: of files just tagged, with their scores.
        selection: which tags to choose.
    """
    for outcome in outcomes:
        corrections = said.get(outcome.path or "")
        if corrections and isinstance(outcome, Result) and outcome.scores is not None:
            tags = tags_of(outputs, outcome.scores.tolist(), corrections, selection)
            yield replace(outcome, tags=tags)
        else:
            yield outcome
