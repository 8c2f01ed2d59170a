"""The data sets of the study: which clips there are, what is in them, and which split they belong to."""

from pathlib import Path

from train.data import msd, mtat
from train.data.dataset import Dataset
from train.errors import DataError


def read(root: str | Path, labels: str = "annotations", audio: str | None = None) -> Dataset:
    """Read the data set in the folder `root`: MagnaTagATune's layout or the Million Song Dataset's.

    Args:
        labels: what training aims at: `"annotations"`, `"soft"`, `"soft-msd"`, or `"soft-all"` for both
            vocabularies.
        audio: where a clip lies in `root`, a template of its `{id}` and `{path}`; see the two readers.

    Raises:
        DataError: the folder holds neither, or a file in it is not what it should be.
    """
    root = Path(root)
    if (root / mtat.INDEX).is_file():
        return mtat.read(root, labels, audio or mtat.AUDIO)
    if (root / msd.INDEX).is_file():
        return msd.read(root, labels, audio or msd.AUDIO)
    raise DataError(
        f"{root}: no data set: it should hold {mtat.INDEX} and MP3 folders 0 to f (MagnaTagATune), or "
        f"{msd.INDEX} and the rest of the published split (Million Song Dataset)"
    )
