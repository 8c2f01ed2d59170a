"""Playlists and lists of paths, as other programs read them."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

_SPOILS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
"""A line break would begin another entry, and a name that is not UTF-8 spoil the file."""

_URL = re.compile("[A-Za-z][A-Za-z0-9+.-]+:")


def m3u(tracks: Iterable[tuple[str, float]], relative_to: Path | None = None) -> tuple[str, list[str]]:
    """An extended M3U8, and the paths that cannot stand in one.

    Args:
        tracks: path and duration in seconds of each.
        relative_to: the folder that paths are written relative to; None for absolute paths.
    """
    lines, left_out = ["#EXTM3U"], []
    for path, duration in tracks:
        if _SPOILS.search(path):
            left_out.append(path)
            continue
        name = Path(path).stem
        lines += [f"#EXTINF:{round(duration)},{name}", _entry(path, relative_to)]
    return "\n".join([*lines, ""]), left_out


def write_paths(paths: Iterable[str], out: BinaryIO, nul: bool = False) -> list[str]:
    """One path a line, or after each a NUL byte, in the bytes that the file system knows it by.

    Returns:
        the paths that cannot stand in lines.
    """
    left_out = []
    for path in paths:
        if not nul and ("\n" in path or "\r" in path):
            left_out.append(path)
            continue
        out.write(os.fsencode(path) + (b"\0" if nul else b"\n"))
    out.flush()
    return left_out


def _entry(path: str, relative_to: Path | None) -> str:
    """The path as a line of a playlist, which is no comment and no address."""
    if relative_to is not None:
        try:
            path = os.path.relpath(path, relative_to)
        except ValueError:  # another drive
            return path
    if path.startswith(("#", " ")) or (_URL.match(path) and not os.path.isabs(path)):  # noqa: PTH117
        return f".{os.sep}{path}"
    return path
