"""Where this system keeps what belongs to a user's programs."""

import os
import sys
from pathlib import Path


def data() -> Path:
    """The folder for what must last, such as a library."""
    return _folder("XDG_DATA_HOME", ".local/share", "Application Support")


def cache() -> Path:
    """The folder for what can be made again."""
    return _folder("XDG_CACHE_HOME", ".cache", "Caches")


def _folder(variable: str, linux: str, macos: str) -> Path:
    if sys.platform == "win32":
        place = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        place = Path.home() / "Library" / macos
    else:
        place = Path(os.environ.get(variable) or Path.home() / linux)
    return place / "autotag"
