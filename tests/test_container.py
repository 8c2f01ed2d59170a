"""The steps of the Dockerfile, done by hand: they need root on Linux, and no Docker.

Everything runs in namespaces of its own, in a root folder that holds what the Dockerfile puts there. This
machine's programs and its Python stand in for the image that the Dockerfile begins with.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import ROOT, SONG

BASE = Path(sys.base_prefix)
BEGUN = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LD_LIBRARY_PATH": "/usr/local/lib",  # where this machine's Python is not at home
}
APART = ["unshare", "--mount", "--pid", "--fork"]
ADDED = 320e6
"""Bytes that the steps may add: 450 MB without the image that they begin with."""
USER = 4321
"""A user id that nobody has."""


def reason_to_skip() -> str:
    if sys.platform != "linux" or os.geteuid():
        return "needs root on Linux"
    if not (BASE / "bin" / "pip").exists() or Path("/usr") == BASE:
        return "needs a Python with pip in a folder of its own"
    namespaces = [*APART, "--net", "mount", "-t", "tmpfs", "none", "/mnt"]
    if not shutil.which("unshare") or subprocess.run(namespaces, capture_output=True).returncode:
        return "needs namespaces"
    index = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed"]
    if subprocess.run([*index, "hatchling"], capture_output=True).returncode:
        return "needs a package index"
    return ""


pytestmark = pytest.mark.slow


@dataclass
class Image:
    """What the steps of one stage made: its files, and how it is run."""

    root: Path
    environment: dict[str, str] = field(default_factory=BEGUN.copy)
    entry: list[str] = field(default_factory=list)
    folder: str = "/"

    def own(self, path: str) -> Path:
        return self.root / path.strip("/")

    def mounts(self) -> list[list[str]]:
        """What puts folders of this machine in place of those that are there first; no step changes them."""
        found = []
        for path in sorted(Path("/").iterdir()):
            place = self.root / path.name
            if place.is_dir() and not place.is_symlink() and any(place.iterdir()):
                continue  # put there by a step
            if path.is_symlink():
                place.unlink(missing_ok=True)
                place.symlink_to(path.readlink())
            elif path.is_dir() and path.name != "proc":
                place.mkdir(exist_ok=True)
                found.append(["mount", "--rbind", str(path), str(place)])
                if path.name not in ("dev", "sys", "tmp"):
                    found.append(["mount", "-o", "remount,bind,ro", str(place)])
        self.own("proc").mkdir(exist_ok=True)
        found.append(["mount", "-t", "proc", "proc", str(self.own("proc"))])
        return [*found, ["mount", "--bind", str(BASE), str(self.own("usr/local"))]]

    def build(self, command: str) -> None:
        """Do a RUN step."""
        inside = ["chroot", str(self.root), "sh", "-ec", command]
        script = "\n".join(map(shlex.join, [*self.mounts(), inside]))
        done = subprocess.run(
            [*APART, "sh", "-ec", script],
            env={name: os.environ[name] for name in os.environ if name != "PYTHONPATH"} | self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def start(self, music: Path, library: Path, *words: str) -> subprocess.Popen[str]:
        """Run it as process 1 of any user, without a network, with nothing to write to but the library."""
        for place in ("music", "library"):
            self.own(place).mkdir(exist_ok=True)
        root = str(self.root)
        values = [f"{name}={value}" for name, value in (self.environment | {"HOME": "/"}).items()]
        user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        steps = [
            ["mount", "--bind", root, root],
            *self.mounts(),
            ["mount", "--bind", str(music), str(self.own("music"))],
            ["mount", "-o", "remount,bind,ro", str(self.own("music"))],
            ["mount", "--bind", str(library), str(self.own("library"))],
            ["mount", "-t", "tmpfs", "-o", "ro", "none", str(self.own("tmp"))],
            ["mount", "-t", "tmpfs", "-o", "ro", "none", str(self.own("var/tmp"))],
            ["mount", "-o", "remount,bind,ro", root],
            ["exec", "chroot", root, *user, "env", "-i", "-C", self.folder, *values, *self.entry, *words],
        ]
        return subprocess.Popen(
            [*APART, "--net", "sh", "-ec", "\n".join(map(shlex.join, steps))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def context(folder: Path) -> None:
    """Copy what `.dockerignore` lets into a build."""
    first, *lines = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert first == "*"
    for line in lines:
        if line.startswith("!"):
            copy(ROOT / line[1:], folder / line[1:])
    assert "**/__pycache__" in lines


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__") if ROOT in source.parents else None
        shutil.copytree(source, target, symlinks=True, ignore=ignored, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """What the last stage of the Dockerfile makes."""
    if why := reason_to_skip():
        pytest.skip(why)
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.M)
    stages: dict[str, Image] = {}
    for line in filter(None, text.splitlines()):
        step, rest = line.split(maxsplit=1)
        if step == "FROM":
            assert rest.startswith("python:")
            name = rest.partition(" AS ")[2]
            image = stages[name] = Image(tmp_path_factory.mktemp("image"))
            image.root.chmod(0o755)
        elif step == "COPY" and rest.startswith("--from="):
            stage, source, target = rest.removeprefix("--from=").split()
            copy(stages[stage].own(source), image.own(target))
        elif step == "COPY":
            assert rest.startswith(". ")
            context(image.own(rest[2:]))
        elif step == "RUN":
            image.build(rest)
        elif step == "ENV":
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                image.environment[name] = value.replace("$PATH", image.environment["PATH"])
        elif step == "WORKDIR":
            image.folder = rest
        elif step == "ENTRYPOINT":
            image.entry = json.loads(rest)
        else:
            assert (step, rest) == ("VOLUME", "/library")
    yield list(stages.values())[-1]
    for made in stages.values():
        shutil.rmtree(made.root)


@pytest.fixture
def places(image: Image, tmp_path: Path) -> tuple[Path, Path]:
    """Two folders to mount: of some songs, and for the library."""
    music, library = tmp_path / "music", tmp_path / "library"
    music.mkdir()
    library.mkdir(mode=0o700)
    os.chown(library, USER, USER)
    for number in range(40):
        shutil.copy(SONG, music / f"{number}.mp3")
    return music, library


def test_it_is_small_and_holds_no_more_than_autotag(image: Image) -> None:
    found = [path for path in image.root.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in found)
    print(f"{size / 1e6:.0f} MB")
    assert 200e6 < size < ADDED
    (packages,) = image.own("autotag/lib").glob("python3.*/site-packages")
    names = {path.name for path in packages.iterdir()}
    assert {"autotag", "mutagen"} <= names
    assert not names & {"av", "beets", "pip", "tests", "train"}
    assert {path.relative_to(image.root).parts[0] for path in found} == {"autotag"}


def test_any_user_scans_and_finds_with_a_root_that_is_read_only(
    image: Image, places: tuple[Path, Path]
) -> None:
    (places[0] / "broken.mp3").write_text("words")
    scan = image.start(*places, "scan", ".", "--jobs", "2")
    printed = scan.communicate(timeout=300)
    assert "40 new, 0 changed, 0 moved, 0 deleted, 1 failed" in "".join(printed)
    library = places[1] / "autotag" / "library.sqlite"
    assert library.stat().st_uid == USER
    find = image.start(*places, "find", "guitar", "--min", "0.1", "--paths")
    assert "/music/0.mp3" in find.communicate(timeout=300)[0].splitlines()


def test_it_ends_when_it_is_asked_to(image: Image, places: tuple[Path, Path]) -> None:
    run = image.start(*places, ".", "--format", "jsonl", "--top", "0", "--jobs", "2")
    assert run.stdout  # it holds less than all results, so that the run cannot end before it is asked to
    assert json.loads(run.stdout.readline())["ok"]
    (first,) = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    os.kill(int(first), signal.SIGTERM)  # as `docker stop` does; SIGKILL, ten seconds later, would be 137
    said = run.communicate(timeout=300)[1]
    assert (run.returncode, said.splitlines()[-1]) == (143, "interrupted.")
