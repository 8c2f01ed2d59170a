"""Libraries that the tests make, and what SQLite alone says of them."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autotag.meaning import Output
from autotag.models.registry import ModelFile
from autotag.models.registry import find as named
from autotag.result import Result
from tests.conftest import music

SMALL = "vgg-12k-48-x10-db"
HOUR = 3_600_000_000_000

MTAT = (
    "guitar",
    "classical",
    "slow",
    "techno",
    "strings",
    "drums",
    "electronic",
    "rock",
    "fast",
    "piano",
    "ambient",
    "beat",
    "violin",
    "vocal",
    "synth",
    "female",
    "indian",
    "opera",
    "male",
    "singing",
    "vocals",
    "no vocals",
    "harpsichord",
    "loud",
    "quiet",
    "flute",
    "woman",
    "male vocal",
    "no vocal",
    "pop",
    "soft",
    "sitar",
    "solo",
    "man",
    "classic",
    "choir",
    "voice",
    "new age",
    "dance",
    "male voice",
    "female vocal",
    "beats",
    "harp",
    "cello",
    "no voice",
    "weird",
    "country",
    "metal",
    "female voice",
    "choral",
)
MSD = (
    "rock",
    "pop",
    "alternative",
    "indie",
    "electronic",
    "female vocalists",
    "dance",
    "00s",
    "alternative rock",
    "jazz",
    "beautiful",
    "metal",
    "chillout",
    "male vocalists",
    "classic rock",
    "soul",
    "indie rock",
    "Mellow",
    "electronica",
    "80s",
    "folk",
    "90s",
    "chill",
    "instrumental",
    "punk",
    "oldies",
    "blues",
    "hard rock",
    "ambient",
    "acoustic",
    "experimental",
    "female vocalist",
    "guitar",
    "Hip-Hop",
    "70s",
    "party",
    "country",
    "easy listening",
    "sexy",
    "catchy",
    "funk",
    "electro",
    "heavy metal",
    "Progressive rock",
    "60s",
    "rnb",
    "indie pop",
    "sad",
    "House",
    "happy",
)
BOTH = tuple(Output("mtat", tag) for tag in MTAT) + tuple(Output("msd", tag) for tag in MSD)


def model_of(outputs: tuple[Output, ...] = BOTH, name: str = SMALL, sha256: str = "a" * 64) -> ModelFile:
    """A model of a name, with outputs and a hash of one's choice."""
    found = named(SMALL)
    metadata = replace(found.metadata, name=name, outputs=outputs, uncalibrated=())
    return replace(found, name=name, sha256=sha256, metadata=metadata)


def track(path: str, model: ModelFile, seed: int = 0, duration: float = 60.0, **scores: float) -> Result:
    """A track whose outputs of a name have a score, in each vocabulary that has it; the others 0.01.

    A name like `msd_rock` is of one vocabulary.
    """
    each = np.full(len(model.metadata.outputs), 0.01, np.float32)
    for number, output in enumerate(model.metadata.outputs):
        plain = output.tag.replace(" ", "_").replace("-", "_")
        for name in (plain, f"{output.vocabulary}_{plain}"):
            each[number] = scores.get(name, each[number])
    embedding = np.random.default_rng(seed).standard_normal(2048).astype(np.float32)
    return Result(
        path,
        model.name,
        model.sha256,
        duration,
        2,
        (),
        {"decode": 1.0},
        size=10,
        modified=20,
        scores=each,
        embedding=embedding,
    )


def rows(path: Path, sql: str, *values: Any) -> list[Any]:
    """What SQLite alone finds, without autotag."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql, values).fetchall()


def content(path: Path) -> list[Any]:
    """All of a library that does not depend on the order or the speed of what made it."""
    tracks = rows(
        path,
        "SELECT path, size, modified, ok, model, sha256, sound, duration, segments, warnings, error_kind,"
        " error_message, outputs, embedding FROM tracks LEFT JOIN embeddings ON track = id ORDER BY path",
    )
    scores = rows(
        path,
        "SELECT path, tags.tag, score FROM scores JOIN tracks ON tracks.id = track"
        " JOIN tags ON tags.id = scores.tag ORDER BY 1, 2",
    )
    return [*tracks, *scores]


def write_song(path: Path, seed: int = 0, seconds: float = 2) -> Path:
    """A short song at a path, whose folder is made."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, music(seconds, 12000, seed), 12000)
    return path
