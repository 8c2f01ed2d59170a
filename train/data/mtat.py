"""MagnaTagATune's layout: `annotations_final.csv` and MP3s in folders 0 to f, split by folder.

Law et al., ISMIR 2009; the split by folder and the 50 most frequent of its 188 tags are those of the study.
A data set of the same layout may add probabilities: `soft_labels.csv` of the same tags, and
`soft_labels_msd.csv` of the Million Song Dataset's, of which it has no annotations. `known.csv` may say which
tags the source of a clip itself names.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.data import msd
from train.data.dataset import Dataset, fill_in
from train.errors import DataError

INDEX = "annotations_final.csv"

AUDIO = "{path}"
"""Where a clip lies: `{path}` is its `mp3_path`, `{id}` its `clip_id`."""

SOFT = {"mtat": "soft_labels.csv", "msd": "soft_labels_msd.csv"}
"""The file of probabilities of each vocabulary."""

LABELS = {"annotations": ("mtat",), "soft": ("mtat",), "soft-msd": ("msd",), "soft-all": ("mtat", "msd")}
"""What can be aimed at, and the vocabularies of it."""

KNOWN = "known.csv"

FREQUENT = 0.10
"""Share of the clips that count as having a tag of which there are probabilities only: the highest ones."""

# fmt: off
TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano",
    "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing",
    "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal",
    "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice", "new age", "dance",
    "male voice", "female vocal", "beats", "harp", "cello", "no voice", "weird", "country", "metal",
    "female voice", "choral",
)
# fmt: on
"""The 50 most frequent of 188 tags, in order of their frequency, as people typed them."""

TAGS_OF = {"mtat": TAGS, "msd": msd.TAGS}

FOLDERS = {"train": "0123456789ab", "valid": "c", "test": "def"}

BROKEN = frozenset(
    {
        "6/norine_braun-now_and_zen-08-gently-117-146.mp3",
        "8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233.mp3",
        "9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_couperin"
        "-88-117.mp3",
    }
)
"""MP3s of MagnaTagATune that hold no audio."""


def read(root: Path, labels: str, audio: str) -> Dataset:
    """Read the clips listed under `root`, with one of `LABELS` as the target.

    With labels of the second vocabulary a clip has a tag if its probability is among the highest tenth of all
    clips, for both vocabularies alike.

    Raises:
        DataError: a file is missing, or a row or column of it is not what it should be.
    """
    rows = _rows(root / INDEX)
    columns = [column for column in rows[0] if column not in ("clip_id", "mp3_path")]
    annotations = _matrix(root / INDEX, rows, columns)
    if not np.isin(annotations, (0, 1)).all():
        i, j = np.argwhere(~np.isin(annotations, (0, 1)))[0]
        raise DataError(
            f"{root / INDEX}: clip {rows[i]['clip_id']}, tag {columns[j]!r}: annotations must be 0 or 1, "
            f"not {annotations[i, j]:g}"
        )
    truth = annotations[:, [columns.index(tag) for tag in TAGS]]
    target = truth
    vocabularies = LABELS[labels]
    outputs = tuple((vocabulary, tag) for vocabulary in vocabularies for tag in TAGS_OF[vocabulary])
    ids = tuple(row["clip_id"] for row in rows)
    if labels != "annotations":
        target = np.concatenate([_soft(root / SOFT[v], ids, TAGS_OF[v]) for v in vocabularies], axis=1)
    if "msd" in vocabularies:
        truth = (target > np.quantile(target, 1 - FREQUENT, axis=0)).astype(np.float32)

    notes = []
    most = top_tags(columns, annotations)
    if len(columns) > len(TAGS) and most != TAGS:
        where = next(i for i, (tag, known) in enumerate(zip(most, TAGS, strict=True)) if tag != known)
        notes.append(
            f"its most frequent tags are not those of MagnaTagATune: number {where + 1} is {most[where]!r}, "
            f"not {TAGS[where]!r}; MagnaTagATune's 50 are used"
        )
    paths = tuple(fill_in(audio, root, id=row["clip_id"], path=row["mp3_path"]) for row in rows)
    place, count = Counter(paths).most_common(1)[0]
    if count > 1:
        raise DataError(f"{root}: {count} clips are said to lie in {place!r}: see --audio")
    return Dataset(
        "mtat",
        "all" if len(vocabularies) > 1 else vocabularies[0],
        root,
        {"root": str(root.resolve()), "labels": labels, "audio": audio},
        ids,
        paths,
        truth,
        target,
        np.array([_split(root, row["mp3_path"]) for row in rows]),
        outputs,
        {"by": "folder", **FOLDERS},
        repeat=True,
        known=_known(root / KNOWN, ids, outputs) if (root / KNOWN).exists() else None,
        notes=tuple(notes),
        left_out={
            path: "known to be broken"
            for path, row in zip(paths, rows, strict=True)
            if row["mp3_path"] in BROKEN
        },
    ).with_files()


def top_tags(columns: list[str], annotations: NDArray[np.float32], top: int = 50) -> tuple[str, ...]:
    """The most frequent tags, the most frequent first; of equally frequent ones the first column first."""
    return tuple(columns[j] for j in np.argsort(-annotations.sum(axis=0), kind="stable")[:top])


def _rows(path: Path, tags: Sequence[str] = TAGS) -> list[dict[str, str]]:
    if not path.is_file():
        raise DataError(f"{path}: no such file: it holds the labels that were asked for")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, delimiter="\t")
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a table in UTF-8: {error}") from error
    if not rows:
        raise DataError(f"{path}: no rows")
    columns = ("clip_id", *tags, *(("mp3_path",) if path.name == INDEX else ()))
    missing = [column for column in columns if column not in rows[0]]
    if missing:
        raise DataError(
            f"{path}: {len(missing)} columns are missing, for example {missing[0]!r} (tab separated?)"
        )
    names = Counter(reader.fieldnames)
    if len(names) < len(reader.fieldnames or ()):
        raise DataError(f"{path}: two columns are named {names.most_common(1)[0][0]!r}")
    for line, row in enumerate(rows, 2):
        if None in row:
            raise DataError(f"{path}: line {line} has more values than there are columns")
        short = [column for column in row if row[column] is None]
        if short:
            raise DataError(f"{path}: line {line} has no value for {short[0]!r}")
    clip, count = Counter(row["clip_id"] for row in rows).most_common(1)[0]
    if count > 1:
        raise DataError(f"{path}: clip {clip} has {count} rows")
    return rows


def _matrix(path: Path, rows: list[dict[str, str]], tags: Sequence[str]) -> NDArray[np.float32]:
    matrix = np.empty((len(rows), len(tags)), np.float32)
    for i, row in enumerate(rows):
        for j, tag in enumerate(tags):
            try:
                matrix[i, j] = float(row[tag])
            except ValueError as error:
                clip = row["clip_id"]
                raise DataError(f"{path}: clip {clip}, tag {tag!r}: {row[tag]!r} is not a number") from error
    if not ((matrix >= 0) & (matrix <= 1)).all():
        i, j = np.argwhere(~((matrix >= 0) & (matrix <= 1)))[0]
        raise DataError(f"{path}: clip {rows[i]['clip_id']}, tag {tags[j]!r}: {matrix[i, j]} is not in 0..1")
    return matrix


def _soft(path: Path, ids: Sequence[str], tags: Sequence[str]) -> NDArray[np.float32]:
    """The probabilities in a file of them, in the order of the clips `ids`: [clips, tags]."""
    by_clip = {row["clip_id"]: row for row in _rows(path, tags)}
    missing = [clip for clip in ids if clip not in by_clip]
    if missing:
        raise DataError(f"{path}: {len(missing)} annotated clips have no row, for example {missing[0]!r}")
    return _matrix(path, [by_clip[clip] for clip in ids], tags)


def _known(path: Path, ids: Sequence[str], outputs: Sequence[tuple[str, str]]) -> NDArray[np.bool_]:
    """The tags in a file of rows such as `4,mtat:techno|msd:electro`: bool [clips, outputs]."""
    rows = {clip: i for i, clip in enumerate(ids)}
    names = {f"{vocabulary}:{tag}" for vocabulary, tags in TAGS_OF.items() for tag in tags}
    columns = {f"{vocabulary}:{tag}": j for j, (vocabulary, tag) in enumerate(outputs)}
    known = np.zeros((len(ids), len(outputs)), bool)
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            clip, acceptable = row.get("clip_id"), row.get("acceptable")
            if clip not in rows or acceptable is None:
                raise DataError(f"{path}: line {line} is {row}, not one of the clips and its tags")
            for name in acceptable.split("|"):
                if name not in names:
                    raise DataError(f"{path}: line {line}: {name!r} is not a tag such as 'mtat:piano'")
                if name in columns:
                    known[rows[clip], columns[name]] = True
    return known


def _split(root: Path, path: str) -> str:
    for split, folders in FOLDERS.items():
        if path[:1] in folders and path[1:2] == "/":
            return split
    raise DataError(f"{root}: {path!r} does not lie in one of the folders 0 to f")
