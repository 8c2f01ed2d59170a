"""A table of one's own songs and tags: a row a song, the first line names the columns.

`path` is where a song lies, as seen from the table's folder. `tags` holds its tags, `|` between them; or,
where there is no such column, each tag has a column of 0 and 1. `split` may say `train`, `valid` or `test`;
where there is no such column, a rule is asked for: by `artist`, `album` or another column, by folder, or at
random. The name of the table is the name of the vocabulary.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autotag.config import RESOLUTIONS
from train.data.dataset import Dataset, fill_in
from train.data.split import FOLDER, RANDOM, SPLITS, groups_of, split_by
from train.data.table import Row, rows_of
from train.errors import DataError

AUDIO = "{path}"
"""Where a song lies: `{path}` is its `path`."""

PEOPLE = ("artist", "album")
"""Columns that are no tags, and of which the first one says which songs are alike."""

TAKEN = ("mtat", "msd", "all", "untrained", *RESOLUTIONS)
"""Names that a vocabulary cannot have, because names of models begin with them."""

LONGEST = 200
"""Characters of a tag."""


def read(table: Path, labels: str, audio: str, rule: str | None) -> Dataset:
    """Read a table of songs and tags.

    Args:
        rule: what keeps neighbours on one side of the split, where the table does not say it: a column,
            `"folder"` or `"random"`.

    Raises:
        DataError: a line, column or value is not what it should be, a song is missing or listed twice, or a
            tag has no song in a split.
    """
    if labels != "annotations":
        raise DataError(f"{table}: it has annotations, not the labels {labels!r}. Use --labels annotations.")
    rows = rows_of(table, ("path",), delimiter_of(table))
    columns = list(rows[0])
    vocabulary = vocabulary_of(table)
    root = table.resolve().parent
    paths = tuple(fill_in(audio, table, path=row["path"]) for row in rows)
    tags, truth = _tags(table, rows, [c for c in columns if c not in ("path", "split", *PEOPLE, rule)])
    _check_files(table, root, paths, rows)
    by_column = [row[rule] for row in rows] if rule in columns else None
    if by_column is not None and "" in by_column:
        raise DataError(f"{table}: line {by_column.index('') + 2} has no {rule}. Write one, or delete it.")
    if "split" in columns:
        split = _given(table, rows, rule)
        groups = next((np.array([row[c] for row in rows]) for c in PEOPLE if c in columns), None)
    else:
        known = [column for column in PEOPLE if column in columns]
        if rule is None:
            raise DataError(
                f"{table}: no column 'split', and songs of one artist on both sides of it would flatter. "
                f"Say what stays together: --split-by {', '.join((*known, FOLDER))} or, for songs that have "
                f"no neighbours, {RANDOM}."
            )
        if by_column is None and rule not in (FOLDER, RANDOM):
            raise DataError(
                f"{table}: no column {rule!r} for --split-by. Use {', '.join((*known, FOLDER, RANDOM))}, "
                "or another column."
            )
        groups = groups_of(paths, rule, by_column)
        split = split_by(groups, truth, str(table))
    _check_tags(table, tags, truth, split, rule)
    listed = "\n".join(f"{path}\t{part}" for path, part in zip(paths, split, strict=True))
    return Dataset(
        "own",
        vocabulary,
        root,
        {"root": str(table.resolve()), "labels": labels, "audio": audio}
        | ({} if rule is None else {"split_by": rule}),
        tuple(row["path"] for row in rows),
        paths,
        truth,
        truth,
        split,
        tuple((vocabulary, tag) for tag in tags),
        {"by": rule or "column split", "songs": hashlib.sha256(listed.encode()).hexdigest()[:12]}
        | {part: f"{(split == part).sum()} songs" for part in SPLITS},
        repeat=True,
        groups=groups,
        name=table.stem,
    )


def delimiter_of(table: Path) -> str:
    """What stands between the values of the first line: a comma, a semicolon or a tab."""
    with table.open("rb") as file:
        first = file.readline(1 << 20)
    return max(",;\t", key=lambda mark: first.count(mark.encode()))


def vocabulary_of(table: Path) -> str:
    """The vocabulary that a table is named after.

    Raises:
        DataError: names of models cannot begin with it.
    """
    name = re.sub(r"\W+", "_", table.stem).strip("_").lower()
    if not name or name in TAKEN:
        raise DataError(
            f"{table}: its models would be called {name or '...'}-vgg-12k and so on, as others are. "
            "Rename the file."
        )
    return name


def _tags(table: Path, rows: list[Row], others: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """The tags, and which song has them: 0 or 1, [songs, tags]."""
    if "tags" in others:
        of = [{tag.strip() for tag in row["tags"].split("|")} - {""} for row in rows]
        tags = tuple(sorted(set().union(*of)))
        truth = np.array([[tag in own for tag in tags] for own in of], np.float32)
    else:
        tags = tuple(others)
        for line, row in enumerate(rows, 2):
            for tag in tags:
                if row[tag].strip() not in ("0", "1"):
                    raise DataError(
                        f"{table}: line {line}, column {tag!r}: {row[tag]!r} is neither 0 nor 1. "
                        "Correct it; or delete the column, if it is no tag."
                    )
        truth = np.array([[row[tag].strip() == "1" for tag in tags] for row in rows], np.float32)
    if not tags:
        raise DataError(f"{table}: no tags. Add a column 'tags' with | between them, or a column a tag.")
    for tag in tags:
        if not tag.isprintable() or len(tag) > LONGEST:
            raise DataError(f"{table}: the tag {tag!r:.80} cannot be shown. Give it another name.")
    return tags, truth


def _check_files(table: Path, root: Path, paths: Sequence[str], rows: list[Row]) -> None:
    """Every line names a file of its own."""
    first: dict[Path, int] = {}
    for line, (path, row) in enumerate(zip(paths, rows, strict=True), 2):
        if not row["path"] or not (root / path).is_file():
            raise DataError(
                f"{table}: line {line}: no file {path!r} in {root}. Correct the path, delete the line, or "
                "say where it lies: --audio."
            )
        before = first.setdefault((root / path).resolve(), line)
        if before != line:
            where = {row.get("split", ""), rows[before - 2].get("split", "")}
            both = f", in the splits {' and '.join(sorted(where))}" if len(where) > 1 else ""
            raise DataError(
                f"{table}: line {line}: {path!r} stands in line {before} too{both}. Delete one of the two."
            )


def _given(table: Path, rows: list[Row], rule: str | None) -> NDArray[np.str_]:
    if rule is not None:
        raise DataError(f"{table}: its column 'split' says the split. Leave out --split-by {rule}.")
    for line, row in enumerate(rows, 2):
        if row["split"] not in SPLITS:
            raise DataError(
                f"{table}: line {line}: the split is {row['split']!r}. Write {', '.join(SPLITS)}."
            )
    return np.array([row["split"] for row in rows])


def _check_tags(
    table: Path,
    tags: Sequence[str],
    truth: NDArray[np.float32],
    split: NDArray[np.str_],
    rule: str | None,
) -> None:
    for part in SPLITS:
        lacking = np.flatnonzero(truth[split == part].sum(axis=0) == 0)
        if len(lacking):
            lines = (np.flatnonzero(truth[:, lacking[0]]) + 2).tolist()
            by = f", split by {rule}," if rule else ""
            raise DataError(
                f"{table}: {len(lacking)} of {len(tags)} tags{by} have no song in the split {part!r}, for "
                f"example {tags[lacking[0]]!r} (lines {', '.join(map(str, lines[:5])) or 'none'}). Add songs "
                "that have it, or delete the tag."
            )
