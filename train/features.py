"""The mel cache: mel power of every clip at hop x1, computed once per sample rate and number of bands.

Both log types are made from it, and a longer hop is every k-th frame of it.
"""

import hashlib
import multiprocessing
import os
import shutil
import time
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from threading import Thread

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from autotag.audio import decode
from autotag.config import Config
from autotag.errors import AudioError
from autotag.mel import Array, mel_basis, power_blocks
from autotag.model import usable_cores
from autotag.quiet import quiet_decoders
from autotag.segments import fill, is_short
from train.console import progress, say
from train.datasets.dataset import Dataset
from train.errors import DataError

State = np.dtype([("bytes", "<i8"), ("modified", "<i8"), ("outcome", "S1")])
"""Of a clip in the cache: size and time (ns) of the file that was read, and what came of it (see below)."""

WHOLE, REPEATED, FAILED = b"w", b"r", b"f"
"""Outcomes: a segment or more; less than that, repeated to fill one; cannot be decoded."""


def mel_power(dataset: Dataset, config: Config, cache: Path) -> tuple[Array, NDArray[np.bool_]]:
    """Mel power of the middle 29.1 s of every clip, from the folder `cache` or computed now.

    Returns:
        float32 [clips, mels, frames at x1], memory-mapped, and bool [clips], which of them are there.

    Raises:
        DataError: no clip at all could be decoded, or the disk is too small.
    """
    prepare(dataset, [config], cache)
    power, state = _open(dataset, config, cache)
    return power, np.array((state["outcome"] == WHOLE) | (state["outcome"] == REPEATED))


def prepare(dataset: Dataset, configs: Collection[Config], cache: Path) -> dict[Config, NDArray[np.void]]:
    """Fill the cache for some configurations, in parallel, each clip decoded once per sample rate.

    Interrupted, it goes on where it stopped; clips whose file has changed since are computed again. Those
    that cannot be decoded are listed on stderr and left out. Processes may share the folder: the first
    one computes, and the others wait for it.

    Returns:
        the state of every clip, `State` [clips], by excerpt: VGG-CNN's configuration at x1.

    Raises:
        DataError: no clip at all could be decoded, or the disk is too small.
    """
    states: dict[Config, NDArray[np.void]] = {}
    excerpts = {_excerpt(config) for config in configs}
    for sr in sorted({excerpt.sr for excerpt in excerpts}):
        same_rate = sorted((e for e in excerpts if e.sr == sr), key=lambda e: e.mels)
        folder = _folder(dataset, cache)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{sr // 1000}k.lock"):
            states |= _prepare(dataset, same_rate, cache)
    for excerpt, state in states.items():
        if (state["outcome"] == FAILED).all():
            raise DataError(
                f"{dataset.root}: none of its {len(dataset.paths)} clips could be decoded at {excerpt.sr} Hz"
            )
    return states


def bytes_per_clip(config: Config) -> int:
    """What one clip's spectrogram takes in float32 at this resolution, 29.1 s of it for both networks."""
    excerpt = _excerpt(config)
    return 4 * config.mels * -(-excerpt.frames // config.hop)


def summary(dataset: Dataset, configs: Collection[Config], states: dict[Config, NDArray[np.void]]) -> str:
    """What `prepare` found, for people: the clips that are left out, and what each resolution takes."""
    lines = [f"note: {note}" for note in dataset.notes]
    lines += [f"{reason}: {path}" for path, reason in sorted(dataset.left_out.items())]
    for excerpt, state in states.items():
        for outcome, words in ((FAILED, "cannot be decoded"), (REPEATED, "less than 29.1 s, repeated")):
            paths = [dataset.paths[clip] for clip in np.flatnonzero(state["outcome"] == outcome)]
            lines += [f"{words}, {excerpt.sr // 1000}k-{excerpt.mels}: {path}" for path in paths]
    for split, listed in dataset.listed.items():
        lines.append(f"{split}: {listed} clips listed, {int((dataset.split == split).sum())} with a file")
    for name, size in {_resolution(config): bytes_per_clip(config) for config in configs}.items():
        lines.append(f"{name}: {size} bytes a clip, {size * len(dataset.paths) / 1e9:.3f} GB in all")
    return "\n".join(lines)


def _resolution(config: Config) -> str:
    return f"{config.sr // 1000}k-{config.mels}-x{config.hop}"


def _prepare(dataset: Dataset, excerpts: list[Config], cache: Path) -> dict[Config, NDArray[np.void]]:
    opened = {excerpt: _open(dataset, excerpt, cache) for excerpt in excerpts}
    stats = [(dataset.root / path).stat() for path in dataset.paths]
    files = [(found.st_size, found.st_mtime_ns) for found in stats]
    done = [state[["bytes", "modified"]].tolist() for _, state in opened.values()]
    clips = [clip for clip, file in enumerate(files) if any(state[clip] != file for state in done)]
    if clips:
        started = time.perf_counter()
        workers = min(usable_cores(), len(clips))
        with ProcessPoolExecutor(
            workers,
            multiprocessing.get_context("spawn"),  # never fork: other threads may hold locks
            _start,
            (dataset, excerpts, cache),
        ) as pool:
            description = f"mel {excerpts[0].sr // 1000}k {','.join(str(e.mels) for e in excerpts)}"
            outcomes = pool.map(_compute, clips, chunksize=min(8, -(-len(clips) // workers)))
            for clip, (outcome, reason) in zip(
                clips, progress(outcomes, description, len(clips)), strict=True
            ):
                for _, state in opened.values():
                    state[clip] = (*files[clip], outcome)
                if reason:
                    say(f"left out: {reason}")
        rate = len(clips) / (time.perf_counter() - started)
        say(f"{description}: {len(clips)} clips, {rate:.1f} a second, {rate / workers:.1f} per process")
    return {excerpt: np.array(state) for excerpt, (_, state) in opened.items()}


_worker: tuple[Dataset, list[Config], list[Array]]


def _start(dataset: Dataset, excerpts: list[Config], cache: Path) -> None:
    global _worker
    Thread(target=_follow_parent, daemon=True).start()
    quiet_decoders()
    threadpool_limits(1)
    _worker = dataset, excerpts, [_open(dataset, excerpt, cache)[0] for excerpt in excerpts]


def _follow_parent() -> None:
    """End with the parent, which would leave its workers waiting for ever when it is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _compute(clip: int) -> tuple[bytes, str]:
    dataset, excerpts, powers = _worker
    try:
        samples = decode(dataset.root / dataset.paths[clip], excerpts[0].sr)
    except AudioError as error:
        return FAILED, str(error)
    length = excerpts[0].segment_samples
    start = max(0, len(samples) - length) // 2
    blocks = fill([samples[start : start + length]], length)
    power = np.concatenate(list(power_blocks(blocks)), axis=1)
    for excerpt, target in zip(excerpts, powers, strict=True):
        target[clip] = mel_basis(excerpt.sr, excerpt.mels) @ power
    return REPEATED if is_short(len(samples), length) else WHOLE, ""


def _excerpt(config: Config) -> Config:
    return Config("vgg", config.sr, config.mels, 1)


def _folder(dataset: Dataset, cache: Path) -> Path:
    listed = hashlib.sha256("\n".join(dataset.paths).encode()).hexdigest()
    return cache / f"{dataset.root.resolve().name}-{listed[:12]}"


def _open(dataset: Dataset, config: Config, cache: Path) -> tuple[Array, NDArray[np.void]]:
    excerpt = _excerpt(config)
    path = _folder(dataset, cache) / f"{excerpt.sr // 1000}k-{excerpt.mels}.npy"
    shape = (len(dataset.paths), excerpt.mels, excerpt.frames)
    return _memmap(path, np.dtype(np.float32), shape), _memmap(
        path.with_suffix(".clips.npy"), State, (len(dataset.paths),)
    )


def _memmap(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.memmap:
    if not path.exists():
        size, free = dtype.itemsize * int(np.prod(shape)), shutil.disk_usage(path.parent).free
        if size > free:
            raise DataError(
                f"{path}: needs {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free on its disk"
            )
        part = path.with_suffix(".part")
        np.lib.format.open_memmap(part, mode="w+", dtype=dtype, shape=shape)
        part.replace(path)
    return np.lib.format.open_memmap(path, mode="r+")
