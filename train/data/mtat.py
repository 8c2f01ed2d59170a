"""MagnaTagATune's layout: `annotations_final.csv` and MP3s in folders 0 to f, split by folder.

Law et al., ISMIR 2009; the split by folder and the 50 most frequent of its 188 tags are those of the study.
A data set of the same layout may add probabilities of these tags and of the Million Song Dataset's, of which
it has no annotations: `train.data.beside`.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.data import beside, msd
from train.data.dataset import Dataset, fill_in
from train.data.table import clips_of, matrix_of
from train.errors import DataError

INDEX = "annotations_final.csv"

AUDIO = "{path}"
"""Where a clip lies: `{path}` is its `mp3_path`, `{id}` its `clip_id`."""

LABELS = {"annotations": ("mtat",), "soft": ("mtat",), "soft-msd": ("msd",), "soft-all": ("mtat", "msd")}
"""What can be aimed at, and the vocabularies of it."""

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
    rows = clips_of(root / INDEX, ("clip_id", *TAGS, "mp3_path"))
    columns = [column for column in rows[0] if column not in ("clip_id", "mp3_path")]
    annotations = matrix_of(root / INDEX, rows, columns)
    if not np.isin(annotations, (0, 1)).all():
        i, j = np.argwhere(~np.isin(annotations, (0, 1)))[0]
        raise DataError(
            f"{root / INDEX}: clip {rows[i]['clip_id']}, tag {columns[j]!r}: annotations must be 0 or 1, "
            f"not {annotations[i, j]:g}"
        )
    vocabularies = LABELS[labels]
    outputs = tuple((vocabulary, tag) for vocabulary in vocabularies for tag in TAGS_OF[vocabulary])
    ids = tuple(row["clip_id"] for row in rows)
    truth = target = annotations[:, [columns.index(tag) for tag in TAGS]]
    begins = None
    if labels != "annotations":
        soft = [beside.probabilities(root / beside.SOFT[v], ids, TAGS_OF[v]) for v in vocabularies]
        target = np.concatenate(soft, axis=1)
        frequent = np.quantile(target, 1 - FREQUENT, axis=0).astype(np.float64)
        begins = beside.begins(root / beside.THRESHOLDS, outputs, frequent)
        if "msd" in vocabularies:
            truth = (target > frequent).astype(np.float32)
    groups, kinds = beside.sources(root / beside.SOURCES, ids) or (None, None)

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
        begins=begins,
        groups=groups,
        kinds=kinds,
        known=beside.known(root / beside.KNOWN, ids, outputs, TAGS_OF),
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


def _split(root: Path, path: str) -> str:
    for split, folders in FOLDERS.items():
        if path[:1] in folders and path[1:2] == "/":
            return split
    raise DataError(f"{root}: {path!r} does not lie in one of the folders 0 to f")
