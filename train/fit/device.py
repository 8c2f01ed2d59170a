"""The device that this process trains on, and the others that train the same network with it."""

import atexit
import ctypes
import json
import os
import platform
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

from autotag.system.cores import usable_cores
from train.errors import RunError
from train.fit.run import write
from train.locks import in_turn

SIDES = {"cuda": 8192, "cpu": 2048}
"""Rows of the matrices whose product tells the peak of a device."""


def join(name: str) -> tuple[torch.device, int, int]:
    """The device `name`, this process's rank, and how many processes torchrun started.

    Under torchrun the processes meet here, and for `cuda` each takes a GPU of its own.

    Raises:
        RunError: there is no such device.
    """
    rank, ranks = (int(os.environ.get(key, default)) for key, default in (("RANK", 0), ("WORLD_SIZE", 1)))
    try:
        device = torch.device(name)
        if device.type == "cuda":
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic
            if device.index is None:
                device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(device)
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        raise RunError(
            f"--device {name}: {str(error).splitlines()[0]}. Use cpu, or cuda with a GPU."
        ) from error
    if device.type == "cpu" and sys.platform == "linux":
        _keep_memory()
    if ranks > 1 and not distributed.is_initialized():
        # The others wait while the first one validates, or fills the cache.
        backend = "nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=timedelta(hours=24))
        atexit.register(distributed.destroy_process_group)
    return device, rank, ranks


def _keep_memory() -> None:
    """Let glibc keep what is freed: else the large maps of every step come from the system again, in pages.

    `mallopt(3)`: no block is mapped on its own, and the heap is never trimmed. Other C libraries stay as
    they are.
    """
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-4, 0)  # M_MMAP_MAX
        mallopt(-1, -1)  # M_TRIM_THRESHOLD


def readers(device: torch.device) -> int:
    """Processes that read the cache for one that trains: the CPU has no time to lose on them."""
    if device.type == "cpu":
        return 0
    return min(8, max(1, usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", 1))))


def device_name(device: torch.device) -> str:
    """The device in words: figures of speed mean nothing without it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def precision(device: torch.device) -> torch.dtype:
    """What a device trains in: bfloat16 where it computes in it natively, else float32.

    A processor that only emulates bfloat16 takes five times as long for a convolution as it does in float32.
    """
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.ops.mkldnn._is_mkldnn_bf16_supported()
        if platform.machine().lower() in ("x86_64", "amd64"):
            native &= torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


def peak_once(device: torch.device, work: Path) -> float:
    """The peak of a device, measured for the first of the runs in a folder of runs, and kept there.

    Runs of several processes that end together take turns: a device that two measure shows half its peak.
    """
    path, name = work / "peaks.json", f"{device_name(device)}, {precision(device)}"
    known: dict[str, int] = {}
    with in_turn(work / "peaks.lock", f"{path}: another process measures the peak: waiting for it"):
        with suppress(FileNotFoundError, ValueError, TypeError):
            known = dict(json.loads(path.read_text("utf-8")))
        if name not in known:
            known[name] = round(peak(device))
            write(path, json.dumps(known, indent=1))
    return float(known[name])


def peak(device: torch.device) -> float:
    """10^9 multiply-accumulates a second in a product of large matrices of `precision`, best of five."""
    size = SIDES[device.type]
    a, b = torch.randn(2, size, size, device=device, dtype=precision(device))
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        (a @ b)[0, 0].item()
        best = min(best, time.perf_counter() - started)
    return size**3 / best / 1e9
