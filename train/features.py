"""The mel cache: mel power of every clip at hop x1, computed once per sample rate and number of bands.

Both log types are made from it, and a longer hop is every k-th frame of it.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from autotag.audio import decode
from autotag.config import Config
from autotag.errors import AudioError
from autotag.mel import Array, mel_power_blocks
from autotag.segments import fill
from train.console import progress, stderr
from train.datasets.mtat import Dataset
from train.errors import DataError


def mel_power(dataset: Dataset, config: Config, work: Path) -> tuple[Array, np.ndarray]:
    """Mel power of the middle 29.1 s of every clip, from the cache under `work` or computed now.

    A computation that was interrupted goes on where it stopped; a change of the clips begins another
    cache. Clips that cannot be decoded are listed on stderr and left out.

    Returns:
        float32 [clips, mels, frames at x1], memory-mapped, and bool [clips], which of them are there.

    Raises:
        DataError: no clip at all could be decoded.
    """
    excerpt = Config("vgg", config.sr, config.mels, 1)
    folder = work / "cache" / f"{dataset.root.resolve().name}-{_fingerprint(dataset)}"
    name = f"{config.sr // 1000}k-{config.mels}"
    power = _open(folder / f"{name}.npy", np.float32, (len(dataset.paths), excerpt.mels, excerpt.frames))
    done = _open(folder / f"{name}.done.npy", np.bool_, (len(dataset.paths),))

    def compute(clip: int) -> None:
        try:
            power[clip] = _middle(dataset.root / dataset.paths[clip], excerpt)
            done[clip] = True
        except AudioError as error:
            stderr.print(f"left out: {error}", markup=False, highlight=False, soft_wrap=True)

    todo = np.flatnonzero(~done)
    if len(todo):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in progress(pool.map(compute, todo), f"mel {name}", len(todo)):
                pass
    if not done.any():
        raise DataError(f"{dataset.root}: none of its {len(dataset.paths)} clips could be decoded")
    return power, np.array(done)


def _fingerprint(dataset: Dataset) -> str:
    digest = hashlib.sha256()
    for path in dataset.paths:
        found = (dataset.root / path).stat()
        digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]


def _open(path: Path, dtype: type, shape: tuple[int, ...]) -> np.memmap:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return np.lib.format.open_memmap(path, mode="r+")
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def _middle(path: Path, config: Config) -> Array:
    samples = decode(path, config.sr)
    start = max(0, len(samples) - config.segment_samples) // 2
    excerpt = samples[start : start + config.segment_samples]
    blocks = fill([excerpt], config.segment_samples)
    return np.concatenate(list(mel_power_blocks(blocks, config.sr, config.mels)), axis=1)
