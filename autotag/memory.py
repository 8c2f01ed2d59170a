"""How much memory this process took."""

import sys
from pathlib import Path


def peak() -> int | None:
    """The most bytes that were in memory at once; None where the system does not say."""
    if sys.platform == "linux":  # not `getrusage`, which begins with what the parent held
        lines = Path("/proc/self/status").read_text().splitlines()
        return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), None)
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None
