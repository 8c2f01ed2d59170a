"""Data sets: which clips there are, what is in them, and which split they belong to."""

from pathlib import Path

from train.data import jamendo, msd, mtat, own
from train.data.dataset import Dataset
from train.errors import DataError


def read(
    root: str | Path,
    labels: str = "annotations",
    audio: str | None = None,
    split_by: str | None = None,
    stored: str = "float32",
) -> Dataset:
    """Read a data set.

    Args:
        root: a folder in MagnaTagATune's layout or the Million Song Dataset's, a table of one's own songs
            and tags, or a list of MTG-Jamendo.
        labels: what training aims at: `"annotations"`, `"soft"`, `"soft-msd"`, or `"soft-all"` for both
            vocabularies.
        audio: where a clip lies in the folder, a template of its `{id}` and `{path}`; see the readers.
        split_by: of a table that does not say the split: a column, `"folder"` or `"random"`.
        stored: what the mel cache keeps, `"float32"` or `"uint8"`.

    Raises:
        DataError: there is no such data set, or a file in it is not what it should be.
    """
    return _read(Path(root), labels, audio, split_by).kept_in(stored)


def _read(root: Path, labels: str, audio: str | None, split_by: str | None) -> Dataset:
    table = root.is_file() and not jamendo.is_list(root)
    if split_by is not None and not table:
        raise DataError(f"{root}: no table of songs, so its split is given. Leave out --split-by {split_by}.")
    if table:
        return own.read(root, labels, audio or own.AUDIO, split_by)
    if root.is_file():
        return jamendo.read(root, labels, audio or jamendo.AUDIO)
    if (root / mtat.INDEX).is_file():
        return mtat.read(root, labels, audio or mtat.AUDIO)
    if (root / msd.INDEX).is_file():
        return msd.read(root, labels, audio or msd.AUDIO)
    raise DataError(
        f"{root}: no data set: it should hold {mtat.INDEX} and MP3 folders 0 to f (MagnaTagATune), or "
        f"{msd.INDEX} and the rest of the published split (Million Song Dataset); or name a table of songs "
        "and tags, or a list of MTG-Jamendo"
    )
