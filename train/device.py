"""The device that this process trains on, and the others that train the same network with it."""

import os
import platform
import time

import torch
from torch import distributed

from train.errors import RunError


def join(name: str) -> tuple[torch.device, int, int]:
    """The device `name`, this process's rank, and how many processes torchrun started.

    Under torchrun each process takes its own GPU, and all of them meet here.

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
            f"--device {name}: {str(error).splitlines()[0]}: use cpu, or cuda with a GPU"
        ) from error
    if ranks > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device, rank, ranks


def describe(device: torch.device) -> str:
    """What figures measured on a device should say of it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def peak(device: torch.device) -> float:
    """10^9 multiply-accumulates a second in a product of large bfloat16 matrices, best of five."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = torch.randn(2, size, size, device=device, dtype=torch.bfloat16)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        (a @ b)[0, 0].item()
        best = min(best, time.perf_counter() - started)
    return size**3 / best / 1e9
