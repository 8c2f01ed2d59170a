"""The mel cache: mel power of every clip at hop x1, computed once per sample rate and number of bands.

Both log types are made from it, and a longer hop is every k-th frame of it.
"""

import hashlib
import os
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from autotag.audio.decode import decode
from autotag.audio.mel import Array, compress, mel_basis, power_blocks
from autotag.audio.segments import fill, is_short, segments
from autotag.config import Config
from autotag.errors import AudioError, AudioNotFound, UnreadableAudio
from autotag.system.cores import usable_cores
from autotag.system.pool import in_processes
from autotag.system.worker import Crash
from train.console import progress, say
from train.data.dataset import Dataset
from train.data.quantised import PowerInBytes
from train.errors import DataError
from train.locks import in_turn

State = np.dtype([("bytes", "<i8"), ("modified", "<i8"), ("outcome", "S1")])
"""What is kept of a clip: size and time (ns) of the file that was read, and its outcome (see below)."""

WHOLE, SHORT, FAILED = b"w", b"s", b"f"
"""Outcomes: 29.1 s or more; less than that, repeated to fill them; cannot be decoded, or silent."""


def mel_power(dataset: Dataset, config: Config, cache: Path) -> tuple[Array, NDArray[np.bool_]]:
    """Mel power of the middle 29.1 s of every clip, from `cache` or computed now.

    Returns:
        float32 [clips, mels, frames at x1], memory-mapped, and bool [clips], which of them are to be used.
        A cache of bytes is read by index alone (`train.data.quantised.PowerInBytes`).

    Raises:
        DataError: as `prepare` does.
    """
    prepare(dataset, [config], cache)
    power, state = _open(dataset, config, cache)
    usable = state["outcome"] == WHOLE
    if dataset.repeat:
        usable |= state["outcome"] == SHORT
    usable &= dataset.present
    return power, np.array(usable)


def prepare(dataset: Dataset, configs: Collection[Config], cache: Path) -> dict[Config, NDArray[np.void]]:
    """Fill the cache for some configurations, in parallel, each clip decoded once per sample rate.

    Interrupted, it goes on where it stopped; clips whose file has changed since are computed again. Those
    that cannot be decoded are listed on stderr. Processes may share the folder: the first one computes, and
    the others wait for it.

    Returns:
        the state of every clip, `State` [clips], by excerpt: VGG-CNN's configuration at x1.

    Raises:
        DataError: no clip at all could be decoded, one cannot be read for now, or the disk is too small.
    """
    excerpts = sorted({_excerpt(config) for config in configs}, key=lambda e: (e.sr, e.mels))
    folder = folder_of(dataset, cache)
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            waiting = f"{folder}: another process fills this cache: waiting for it"
            held.enter_context(in_turn(folder / "lock", waiting))
            opened = {excerpt: _open(dataset, excerpt, cache) for excerpt in excerpts}
        except OSError as error:
            raise DataError(
                f"{folder}: the cache cannot be made: {error.strerror}: --cache names another folder"
            ) from error
        for sr in sorted({excerpt.sr for excerpt in excerpts}):
            same_rate = [excerpt for excerpt in excerpts if excerpt.sr == sr]
            _compute_all(dataset, same_rate, cache)
        states = {excerpt: np.array(state) for excerpt, (_, state) in opened.items()}
    for excerpt, state in states.items():
        if not np.isin(state["outcome"], (WHOLE, SHORT)).any():
            raise DataError(
                f"{dataset.root}: none of its {len(dataset.paths)} clips could be decoded at {excerpt.sr} Hz"
            )
    return states


def training_segments(dataset: Dataset, config: Config, cache: Path, count: int) -> Array:
    """Log-mel segments [n, mels, frames] of training clips, spread over the whole split."""
    power, usable = mel_power(dataset, config, cache)
    rows = dataset.rows("train", usable)
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, count).astype(int))]
    excerpts = compress(power[chosen][:, :, :: config.hop], config.log)
    return np.stack([cut for excerpt in excerpts for cut in segments([excerpt], config.frames)])


def bytes_per_clip(config: Config, stored: str = "float32") -> int:
    """What one clip's spectrogram takes at this resolution, 29.1 s of it for all networks."""
    excerpt = _excerpt(config)
    return np.dtype(stored).itemsize * config.mels * -(-excerpt.frames // config.hop)


def summary(dataset: Dataset, configs: Collection[Config], states: dict[Config, NDArray[np.void]]) -> str:
    """What `prepare` found, for people: the clips that are left out, and what each resolution takes."""
    lines = [f"note: {note}" for note in dataset.notes]
    lines += [f"{reason}: {path}" for path, reason in sorted(dataset.left_out.items())]
    usable = dataset.present
    short = "less than 29.1 s, " + ("repeated" if dataset.repeat else "left out")
    for state in states.values():
        for outcome, words in ((FAILED, "cannot be decoded, or silent"), (SHORT, short)):
            found = dataset.present & (state["outcome"] == outcome)
            if outcome == SHORT and dataset.repeat:
                lines += [f"{words}: {found.sum()} of {len(found)} clips"] * bool(found.any())
                continue
            lines += [f"{words}: {dataset.paths[clip]}" for clip in np.flatnonzero(found)]
            usable &= ~found
    lines = list(dict.fromkeys(lines))  # once, not for every number of bands
    for split, listed in dataset.listed.items():
        lines.append(f"{split}: {listed} clips listed, {len(dataset.rows(split, usable))} to be used")
    for name, size in {_resolution(c): bytes_per_clip(c, dataset.stored) for c in configs}.items():
        lines.append(f"{name}: {size} bytes a clip, {size * int(usable.sum()) / 1e9:.3f} GB in all")
    return "\n".join(lines)


def _resolution(config: Config) -> str:
    return f"{config.sr // 1000}k-{config.mels}-x{config.hop}"


def _compute_all(dataset: Dataset, excerpts: list[Config], cache: Path) -> None:
    """Fill the cache for some numbers of bands at one sample rate."""
    states = [_open(dataset, excerpt, cache)[1] for excerpt in excerpts]
    found = {clip: (dataset.root / dataset.paths[clip]).stat() for clip in np.flatnonzero(dataset.present)}
    files = {int(clip): (stat.st_size, stat.st_mtime_ns) for clip, stat in found.items()}
    done = [state[["bytes", "modified"]].tolist() for state in states]
    clips = [clip for clip, file in files.items() if any(state[clip] != file for state in done)]
    if not clips:
        return
    started = time.perf_counter()
    names = [_name(dataset, excerpt, cache) for excerpt in excerpts]
    bands = ",".join(str(excerpt.mels) for excerpt in excerpts)
    description = f"mel {excerpts[0].sr // 1000}k {bands}"
    workers = min(usable_cores(), len(clips))
    jobs = [(clip, dataset.root / dataset.paths[clip]) for clip in clips]
    made = in_processes(partial(_start, excerpts, names, _compute), jobs, workers)
    unread = []
    for (clip, path), answer in progress(made, description, len(jobs)):
        if isinstance(answer, Crash):
            answer = FAILED, f"{path}: its process {answer.how}"
        outcome, reason = answer
        for state in states:
            state[clip] = (*files[clip], outcome) if outcome else (0, 0, b"")
        if not outcome:
            unread.append(reason)
        elif reason:
            say(f"left out: {reason}")
    if unread:
        raise DataError(f"{len(unread)} clips cannot be read now: {unread[0]} Start again when they can.")
    rate = len(clips) / (time.perf_counter() - started)
    say(f"{description}: {len(clips)} clips, {rate:.1f} a second, {rate / workers:.1f} per process")


Compute = Callable[[tuple[int, Path], list[Config], list[Array]], tuple[bytes, str]]


def _start(
    excerpts: list[Config], names: list[Path], compute: Compute
) -> Callable[[tuple[int, Path]], tuple[bytes, str]]:
    """What a process does with each clip, once it has opened the cache."""
    powers = [opened(name) for name in names]
    return lambda job: compute(job, excerpts, powers)


def opened(path: Path, mode: Literal["r", "r+"] = "r+") -> Array:
    """The mel power that a file of the cache holds."""
    found = np.lib.format.open_memmap(path, mode=mode)
    return cast(Array, PowerInBytes(found)) if found.dtype == np.uint8 else found


def _compute(job: tuple[int, Path], excerpts: list[Config], powers: list[Array]) -> tuple[bytes, str]:
    """Write a clip into the cache; its outcome, which is empty if it may go well another time, and why."""
    clip, path = job
    try:
        samples = decode(path, excerpts[0].sr)
    except (AudioNotFound, UnreadableAudio) as error:
        return b"", str(error)
    except AudioError as error:
        return FAILED, str(error)
    length = excerpts[0].segment_samples
    start = max(0, len(samples) - length) // 2
    blocks = fill([samples[start : start + length]], length)
    power = np.concatenate(list(power_blocks(blocks)), axis=1)
    for excerpt, target in zip(excerpts, powers, strict=True):
        target[clip] = mel_basis(excerpt.sr, excerpt.mels) @ power
    return SHORT if is_short(len(samples), length) else WHOLE, ""


def _excerpt(config: Config) -> Config:
    return Config("vgg", config.sr, config.mels, 1)


def folder_of(dataset: Dataset, cache: Path) -> Path:
    listed = hashlib.sha256("\n".join(dataset.paths).encode()).hexdigest()
    return cache / f"{dataset.name}-{listed[:12]}"


def _name(dataset: Dataset, excerpt: Config, cache: Path) -> Path:
    kept = "" if dataset.stored == "float32" else f"-{dataset.stored}"
    return folder_of(dataset, cache) / f"{excerpt.sr // 1000}k-{excerpt.mels}{kept}.npy"


def _open(dataset: Dataset, config: Config, cache: Path) -> tuple[Array, NDArray[np.void]]:
    """The mel power and the state of all clips, memory-mapped; zeros at first.

    Raises:
        DataError: a file is cut off, or of another version.
    """
    excerpt = _excerpt(config)
    path, clips = _name(dataset, excerpt, cache), len(dataset.paths)
    _memmap(path, np.dtype(dataset.stored), (clips, excerpt.mels, excerpt.frames))
    return opened(path), _memmap(path.with_suffix(".clips.npy"), State, (clips,))


def _memmap(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.memmap:
    if not path.exists():
        part = path.with_suffix(".part")
        np.lib.format.open_memmap(part, mode="w+", dtype=dtype, shape=shape)
        if hasattr(os, "posix_fallocate"):  # so that a full disk is an error now and not a crash later
            try:
                with part.open("r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, part.stat().st_size)
            except OSError:
                part.unlink()
                raise
        part.replace(path)
    try:
        found = np.lib.format.open_memmap(path, mode="r")  # to be written, one that is cut off would grow
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: cut off, or no array: {error}. Delete it, and it is made again.") from error
    if (found.dtype, found.shape) != (dtype, shape):
        raise DataError(
            f"{path}: of another version: {found.dtype} {found.shape}, not {dtype} {shape}. Delete it, and "
            "it is made again."
        )
    return np.lib.format.open_memmap(path, mode="r+")
