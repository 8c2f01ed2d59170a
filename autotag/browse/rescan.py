"""Bring the library up to date with a folder, while the page goes on."""

from pathlib import Path
from threading import Lock, Thread
from typing import Any

from autotag.browse.songs import Songs
from autotag.errors import AutotagError
from autotag.library.scan import scan
from autotag.result import Outcome
from autotag.system.text import printable


class Rescan:
    """One scan at a time.

    Args:
        songs: of the library.
    """

    def __init__(self, songs: Songs) -> None:
        self._songs = songs
        self._lock = Lock()
        self._running = False
        self._line = ""

    def state(self) -> dict[str, Any]:
        """Whether it is running, and how far it is or what it did."""
        return {"running": self._running, "line": self._line}

    def folder(self, path: str) -> Path | None:
        """What is scanned to find out what became of a file: the nearest folder above it that is there.

        None where that would be a whole file system.
        """
        *folders, _ = Path(path).absolute().parents
        return next((folder for folder in folders if folder.is_dir()), None)

    def start(self, path: str) -> None:
        """Scan in another thread, unless a scan is running."""
        with self._lock:
            folder = self.folder(path)
            if self._running or folder is None:
                return
            self._running, self._line = True, "looking at what is there"
            Thread(target=self._scan, args=(folder,), daemon=True).start()

    def _scan(self, folder: Path) -> None:
        try:
            done = scan([folder], self._songs.library.path, progress=self._tell)
            counts = (
                f"{getattr(done, kind)} {kind}" for kind in ("new", "changed", "moved", "deleted", "failed")
            )
            notes = [*done.notes, *done.problems]
            self._line = printable(f"{folder}: {', '.join(counts)}. {' '.join(notes)}".strip())
        except (AutotagError, OSError) as error:
            self._line = printable(str(error))
        finally:
            self._running = False

    def _tell(self, done: int, total: int, _: Outcome | None = None) -> None:
        self._line = f"{done} of {total} files"
