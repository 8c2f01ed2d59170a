"""MTG-Jamendo (Bogdanov et al., ICML 2019): any of its published tag sets and splits.

A list is named by its path, such as `data/splits/split-0/autotagging_moodtheme-train.tsv`; those to validate
and to test on lie beside it. Each has the columns `TRACK_ID ARTIST_ID ALBUM_ID PATH DURATION TAGS`, tab
separated, and in the last one, tab separated too, tags such as `genre---rock`.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from train.data.dataset import Dataset, fill_in
from train.errors import DataError

COLUMNS = ("TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS")

AUDIO = "{path}.mp3"
"""Where a track lies: `{path}` is its `PATH` without the ending, as `14/214`, `{id}` its `TRACK_ID`."""

ENDINGS = {"train": "train", "valid": "validation", "test": "test"}
"""What the names of the three lists end in."""


def is_list(path: Path) -> bool:
    """Whether a file begins as the lists do."""
    with path.open("rb") as file:
        return file.readline(1000).split(b"\t")[0].removeprefix(b"\xef\xbb\xbf") == COLUMNS[0].encode()


def read(path: Path, labels: str, audio: str) -> Dataset:
    """Read the split that a list is of; what lies in no folder is left out.

    Raises:
        DataError: a list is missing or malformed, or a track is in two of them.
    """
    if labels != "annotations":
        raise DataError(f"{path}: it has annotations, not the labels {labels!r}. Use --labels annotations.")
    match = re.fullmatch(rf"(autotagging_?)?(.*)-({'|'.join(ENDINGS.values())})", path.stem)
    if not match:
        raise DataError(
            f"{path}: not a list of a split. Name one that ends in -train{path.suffix}, beside those that "
            f"end in -validation{path.suffix} and -test{path.suffix}."
        )
    name = path.stem.rpartition("-")[0]
    lists = {split: path.with_name(f"{name}-{ending}{path.suffix}") for split, ending in ENDINGS.items()}
    tracks = {split: _tracks(file) for split, file in lists.items()}
    twice = Counter(track for found in tracks.values() for track in found)
    for track, count in twice.items():
        if count > 1:
            where = [str(lists[split]) for split, found in tracks.items() if track in found]
            raise DataError(f"{where[-1]}: {track} is in {where[0]} too. Delete one of the two lines.")
    values = {track: row for found in tracks.values() for track, row in found.items()}
    tags = sorted({tag for row in values.values() for tag in row[5:]})
    column = {tag: place for place, tag in enumerate(tags)}
    truth = np.zeros((len(values), len(tags)), np.float32)
    for place, row in enumerate(values.values()):
        truth[place, [column[tag] for tag in row[5:]]] = 1
    vocabulary = "_".join(["jamendo", *re.findall(r"\w+", match[2])]).lower()
    names = Counter(tag.rpartition("---")[2] for tag in tags)
    short = [tag.rpartition("---")[2] for tag in tags]
    shown = [name if names[name] == 1 else tag for tag, name in zip(tags, short, strict=True)]
    return Dataset(
        "jamendo",
        vocabulary,
        path.resolve().parent,
        {"root": str(path.resolve()), "labels": labels, "audio": audio},
        tuple(values),
        tuple(
            fill_in(audio, path, id=track, path=row[3].rpartition(".")[0]) for track, row in values.items()
        ),
        truth,
        truth,
        np.repeat(list(lists), [len(found) for found in tracks.values()]),
        tuple((vocabulary, tag) for tag in shown),
        {
            "by": "published list",
            **{split: f"{path.parent.name}/{file.name}" for split, file in lists.items()},
        },
        repeat=True,
        groups=np.array([row[1] for row in values.values()]),
        name=name,
    ).with_files()


def _tracks(path: Path) -> dict[str, list[str]]:
    """The values of each track of a list, by its id."""
    try:
        heading, *lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file: it is part of the published split. Bring it here.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a list in UTF-8: {error}. Save it as UTF-8.") from error
    except ValueError:
        raise DataError(f"{path}: empty. Bring the published list.") from None
    if tuple(heading.split("\t")) != COLUMNS:
        raise DataError(f"{path}: line 1 is {heading!r:.80}, not {' '.join(COLUMNS)}, tab separated.")
    found: dict[str, list[str]] = {}
    for line, text in enumerate(lines, 2):
        values = text.split("\t")
        if len(values) < len(COLUMNS) or not all("---" in tag for tag in values[5:]):
            raise DataError(
                f"{path}: line {line}: {text!r:.80} is not a track with tags such as genre---rock. "
                "Correct or delete it."
            )
        if values[0] in found:
            raise DataError(f"{path}: line {line}: {values[0]} has another line. Delete one of the two.")
        found[values[0]] = values
    return found
