"""How many cores this process may use."""

import math
import os
from pathlib import Path

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""What numpy reads when it is loaded: its products here are too small to be shared out.

With its own threads a cold start takes 1.08 times as long and 1.4 times the CPU time, and processes that
share cores take 1.6 times as long.
"""


def usable_cores() -> int:
    """Cores this process may use, which may be fewer than the machine has.

    Its affinity counts, and in a container on Linux the limit on CPU time, rounded up.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return math.ceil(min(cores, cpu_limit()))


def cpu_limit(member: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> float:
    """Seconds of CPU time a second that Linux's control groups allow, version 1 or 2; infinite if no limit.

    Args:
        member: lists the groups of this process.
        root: where the groups are mounted.
    """
    try:
        lines = member.read_text().splitlines()
    except OSError:  # not Linux
        return math.inf
    limits = [math.inf]
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "cpu" if controllers else root
        folder = top / group.lstrip("/")
        # A limit on a group holds for those below it. A container may see its own group as the top one.
        while folder != top and top in folder.parents:
            limits.append(_limit(folder))
            folder = folder.parent
        limits.append(_limit(top))
    return min(limits)


def _limit(group: Path) -> float:
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = (
                (group / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period")
            )
    except OSError:
        return math.inf
    return int(quota) / int(period) if quota.isdigit() else math.inf  # "max" or "-1": no limit
