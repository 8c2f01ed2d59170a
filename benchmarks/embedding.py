"""How much of a song's ten nearest neighbours is left when embeddings are made compact.

    python benchmarks/embedding.py FOLDER [MODEL]

Takes some files of a folder, at equal distances in the order of the names, and compares the ten nearest
of each by the cosine of the model's embeddings with those by the cosine of compact ones.
"""

import sys
from pathlib import Path

import numpy as np

from autotag.audio.folders import audio_files
from autotag.audio.mel import Array
from autotag.errors import AudioError
from autotag.library.vectors import compact, cosines
from autotag.system.streams import quiet_decoders
from autotag.tagger import Tagger

CLIPS = 200
NEAREST = 10


def embeddings(folder: Path, model: str) -> Array:
    """Mean embeddings of so many files: [n, d]."""
    files = list(audio_files([folder]))
    tagger = Tagger(model)
    found = []
    for path in files[:: max(1, len(files) // CLIPS)][:CLIPS]:
        try:
            found.append(tagger.embed(path))
        except AudioError as error:
            print(error, file=sys.stderr)
    return np.stack(found)


def main(folder: Path, model: str = "vgg-12k-48-x10-db") -> None:
    """Print the agreement."""
    whole = embeddings(folder, model)
    unit = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    exact = unit @ unit.T
    packed = [compact(embedding) for embedding in whole]
    near = np.stack([cosines(b"".join(packed), each) for each in packed])
    off = np.abs(near - exact)[~np.eye(len(whole), dtype=bool)]
    shared, first = [], []
    for n in range(len(whole)):
        orders = [[m for m in np.argsort(-row[n]).tolist() if m != n] for row in (exact, near)]
        shared.append(len(set(orders[0][:NEAREST]) & set(orders[1][:NEAREST])) / NEAREST)
        first.append(orders[0][0] in orders[1][:3])
    print(f"{len(whole)} files, {model}: {whole.shape[1]} floats as {len(packed[0])} bytes")
    print(f"cosine off by {off.mean():.3f} on average, {np.quantile(off, 0.99):.3f} at the 99th percentile")
    print(f"of the nearest {NEAREST}, {np.mean(shared):.1%} are the same")
    print(f"the nearest is among the nearest 3 in {np.mean(first):.1%}")


if __name__ == "__main__":
    quiet_decoders()
    main(Path(sys.argv[1]), *sys.argv[2:3])
