"""The mel cache: mel power of every clip at hop x1, computed once per sample rate and number of bands.

Both log types are made from it, and a longer hop is every k-th frame of it.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from rich.progress import track

from autotag.audio import decode
from autotag.config import Config
from autotag.errors import AudioError
from autotag.mel import Array, mel_power_blocks
from autotag.segments import fill
from train.console import stderr
from train.datasets.mtat import Dataset
from train.errors import DataError

TODO, DONE, BROKEN = 0, 1, 2


def mel_power(dataset: Dataset, config: Config, work: Path) -> tuple[Array, np.ndarray]:
    """Mel power of the middle 29.1 s of every clip, from the cache under `work` or computed now.

    A computation that was interrupted goes on where it stopped. Clips that cannot be decoded are
    listed on stderr and left out.

    Returns:
        float32 [clips, mels, frames at x1], memory-mapped, and bool [clips], which of them are there.

    Raises:
        DataError: no clip at all could be decoded.
    """
    excerpt = Config("vgg", config.sr, config.mels, 1)
    listing = hashlib.sha256("\n".join([str(dataset.root.resolve()), *dataset.paths]).encode()).hexdigest()
    folder = work / "cache" / f"{dataset.root.resolve().name}-{listing[:8]}"
    name = f"{config.sr // 1000}k-{config.mels}"
    power = _open(folder / f"{name}.npy", np.float32, (len(dataset.paths), excerpt.mels, excerpt.frames))
    state = _open(folder / f"{name}.state.npy", np.uint8, (len(dataset.paths),))

    def compute(clip: int) -> None:
        try:
            power[clip] = _middle(dataset.root / dataset.paths[clip], excerpt)
            state[clip] = DONE
        except AudioError as error:
            stderr.print(f"left out: {error}", style="yellow", markup=False, highlight=False)
            state[clip] = BROKEN

    todo = np.flatnonzero(state != DONE)
    if len(todo):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            done = pool.map(compute, todo)
            for _ in track(done, f"mel {name}", len(todo), console=stderr):
                pass
    if not (state == DONE).any():
        raise DataError(f"{dataset.root}: none of its {len(dataset.paths)} clips could be decoded")
    return power, state == DONE


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
