"""The machine in words: figures of speed mean nothing without it."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from autotag.system.cores import usable_cores

PACKAGES = ("onnxruntime", "numpy", "soundfile", "soxr", "autotag-music")
"""What speed depends on; the last one is this package, as it is called where packages are published."""


def machine_facts() -> dict[str, str | int]:
    """Processor, cores this process may use, and the versions that speed depends on."""
    return {
        "processor": processor(),
        "cores": usable_cores(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def processor() -> str:
    """The processor's name as the system gives it, or else its architecture."""
    name = ""
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        name = next((line.partition(":")[2] for line in lines if line.startswith("model name")), "")
    elif sys.platform == "darwin":
        asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        name = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    elif sys.platform == "win32":
        name = os.environ.get("PROCESSOR_IDENTIFIER", "")
    return name.strip() or platform.machine()


def peak() -> int | None:
    """The most bytes that were in memory at once; None where the system does not say."""
    if sys.platform == "linux":  # not `getrusage`, which begins with what the parent held
        lines = Path("/proc/self/status").read_text().splitlines()
        return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), None)
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None
