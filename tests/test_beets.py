"""The real beets with its plugin `autotags`: import, query, write, undo."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from autotag import Tagger, TagRequest
from autotag.meaning import meaning_of
from autotag.outputs.containers import FIELDS
from autotag.outputs.kinds import read_tags
from tests.conftest import ROOT, Run, music

pytest.importorskip("beets", reason="beets is not installed: pip install 'autotag-music[beets]'")
pytestmark = pytest.mark.slow

SMALL = "vgg-12k-48-x10-db"
SONGS, BAD = 50, "song 07.wav"
"""How many, and the one that is silence."""

THRESHOLD = 0.05
"""At which each of the others has a tag that is a genre."""

CONFIG = """
plugins: autotags the
directory: {folder}/songs
library: {folder}/library.db
import: {{copy: no, autotag: no}}
format_item: $path
autotags: {{model: {model}, threshold: {threshold}, auto: yes, jobs: 2{more}}}
"""

SHOWN = "$path|$autotags|$autotags_scores|$autotags_genre|$autotags_mood"


@dataclass(frozen=True)
class Beets:
    """A library of beets in a folder, and its command."""

    folder: Path

    @property
    def songs(self) -> Path:
        return self.folder / "songs"

    def configure(self, model: str = SMALL, more: str = "") -> None:
        text = CONFIG.format(folder=self.folder, model=model, threshold=THRESHOLD, more=more)
        (self.folder / "config.yaml").write_text(text, "utf-8")

    def start(self, *words: str) -> subprocess.Popen[str]:
        environment = os.environ | {"BEETSDIR": str(self.folder), "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "beets", *words],
            cwd=self.folder,
            env=environment | {"PYTHONUTF8": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __call__(self, *words: str, code: int = 0) -> tuple[list[str], list[str]]:
        """What the command prints on stdout and on stderr."""
        process = self.start(*words)
        printed = process.communicate(timeout=300)
        assert process.returncode == code, printed
        return printed[0].splitlines(), printed[1].splitlines()

    def ls(self, *query: str) -> list[str]:
        return sorted(Path(path).name for path in self("ls", *query)[0])

    def kept(self) -> list[tuple[object, ...]]:
        """All that the library holds."""
        with sqlite3.connect(self.folder / "library.db") as database:
            return [
                row
                for table in ("items", "item_attributes")
                for row in database.execute(f"SELECT * FROM {table} ORDER BY 1")
            ]

    def files(self) -> dict[str, tuple[bytes, int]]:
        """The bytes and the time of each song."""
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in self.songs.iterdir()}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Beets, list[str]]:
    """Fifty songs that were imported and tagged, and what the import said."""
    beets = Beets(tmp_path_factory.mktemp("beets"))
    beets.configure()
    beets.songs.mkdir()
    for number in range(SONGS):
        path = beets.songs / f"song {number:02}.{('wav', 'flac', 'ogg', 'mp3')[(number + 1) % 4]}"
        soundfile.write(path, music(2, 12000, number) * (path.name != BAD), 12000)
    _, said = beets("import", str(beets.songs))
    return beets, said


@pytest.fixture
def beets(imported: tuple[Beets, list[str]], tmp_path: Path) -> Beets:
    """A copy of that library."""
    shutil.copytree(imported[0].folder, tmp_path, dirs_exist_ok=True)
    copied = Beets(tmp_path)
    copied.configure()
    return copied


def rows(beets: Beets) -> Iterator[tuple[Path, list[str]]]:
    """Path and fields of each song that was tagged."""
    for line in beets("ls", "-f", SHOWN, "autotags_by::.")[0]:
        path, *fields = line.split("|")
        yield Path(path), fields


def test_an_import_tags_as_autotag_does(imported: tuple[Beets, list[str]]) -> None:
    beets, said = imported
    (bad,) = [line for line in said if line.startswith("autotags:")]
    assert bad.startswith(f"autotags: {beets.songs / BAD}: is silence")
    tagger = Tagger(SMALL)
    found = dict(rows(beets))
    assert len(found) == SONGS - 1
    for path, (names, scores, genres, moods) in found.items():
        tags = tagger.tag(path, TagRequest(top=0, threshold=THRESHOLD)).tags
        assert names.split("; ") == [tag for tag, _ in tags[:5]]
        for (tag, score), kept in zip(tags[:5], scores.split("; "), strict=True):
            assert kept.rpartition("=")[0] == tag
            assert float(kept.rpartition("=")[2]) == pytest.approx(score, abs=0.01)  # threads may differ
        assert genres.split("; ") == [genre for tag, _ in tags if (genre := meaning_of(tag).genre)]
        assert [m for m in moods.split("; ") if m] == [m for tag, _ in tags if (m := meaning_of(tag).mood)]


def test_a_query_names_a_whole_tag(beets: Beets) -> None:
    expected = sorted(path.name for path, (names, *_) in rows(beets) if "electro" in names.split("; "))
    longer = [path for path, (names, *_) in rows(beets) if "electronic" in names]
    assert 0 < len(expected) < len(longer)
    assert beets.ls("autotags:Electro") == expected
    assert beets.ls("autotags:electr") == []
    assert len(beets.ls("autotags_genre:electronic")) >= len(expected)


def test_what_is_done_is_skipped_until_its_sound_changes(beets: Beets) -> None:
    done = f"autotags: 1 failed, {SONGS - 1} skipped"
    assert beets("autotags")[1][-1] == done
    beets("modify", "-y", "title=New", "path::(00|01|02|03)")  # beets writes it into the files
    assert beets("autotags")[1][-1] == done
    changed = beets.songs / "song 12.flac"
    soundfile.write(changed, music(2, 12000, 99), 12000)
    said = beets("autotags")[1]
    assert said[-1] == f"autotags: 1 tagged, 1 failed, {SONGS - 2} skipped"
    assert any(line.startswith(f"autotags: {changed}: ") for line in said)
    assert beets("autotags", "--force", "path::0[01]")[1][-1] == "autotags: 2 tagged"


def test_pretending_changes_nothing(beets: Beets) -> None:
    before = beets.kept(), beets.files()
    said = beets("autotags", "--pretend", "--force", "--write", "path::1")[1]
    assert said[-1].endswith("files written (nothing: --pretend)")
    assert any(" GENRE (none) -> " in line for line in said)
    assert (beets.kept(), beets.files()) == before


def test_it_writes_as_autotag_does_and_takes_it_back(beets: Beets, autotag: Run, tmp_path: Path) -> None:
    by_hand = ["song 00.flac", "song 01.ogg", "song 02.mp3"]
    beets("modify", "-y", "genres=Own", "path::0[0-2]")
    beets("modify", "-yW", "genres=Mine", "path::04")  # in beets alone
    before, files = beets.kept(), beets.files()
    shutil.copytree(beets.songs, tmp_path / "other")
    asked = ("--model", SMALL, "--threshold", THRESHOLD, "--genre", "--mood", "--jobs", 2)
    assert autotag("write", tmp_path / "other", *asked).returncode == 1  # one is silence

    said = beets("autotags", "--write")[1]
    assert said[-1] == f"autotags: 1 failed, {SONGS - 1} skipped, {SONGS - 1} files written"
    for path in beets.songs.iterdir():
        ours, theirs = read_tags(path), read_tags(tmp_path / "other" / path.name)
        for field in FIELDS:
            if (path.name, field) == ("song 04.flac", "GENRE"):
                assert ours.get(field) == () != theirs.get(field)
            else:
                assert ours.get(field) == theirs.get(field), (path, field)
        if path.name in by_hand:
            assert ours.get("GENRE") == ("Own",)
    assert beets("update", "--pretend", "^path::04")[0] == []  # beets knows what is in the files
    assert beets("autotags", "--write")[1][-1] == f"autotags: 1 failed, {SONGS - 1} skipped"

    said = beets("autotags", "--undo")[1]
    assert said[-1] == f"autotags: {SONGS - 1} taken back, 1 skipped, {SONGS - 1} files written"
    assert beets.files() == files
    fields = [row for row in before if not str(row[2]).startswith("autotags")]
    assert beets.kept() == fields


def test_songs_that_are_elsewhere_are_said_once(beets: Beets) -> None:
    for name in ("song 10.mp3", "song 11.wav"):
        (beets.songs / name).unlink()
    _, said = beets("autotags", "--write")
    (line,) = [line for line in said if "not there" in line]
    assert line.startswith("autotags: 2 files are not there, such as ")
    assert said[-1] == f"autotags: 1 failed, {SONGS - 3} skipped, {SONGS - 3} files written"
    beets.songs.rename(beets.folder / "elsewhere")
    before = beets.kept()
    for words in (["autotags"], ["autotags", "--undo"]):
        (line,) = beets(*words, code=1)[1]
        assert f": not there, as {SONGS} songs of the library. Mount the disk, or set 'directory'" in line
    assert beets.kept() == before


@pytest.mark.skipif(os.name != "posix", reason="needs SIGINT")
def test_what_is_done_when_it_is_interrupted_is_kept(beets: Beets) -> None:
    beets("autotags", "--undo")
    process = beets.start("autotags")
    assert process.stderr
    lines = [process.stderr.readline()]
    process.send_signal(signal.SIGINT)
    lines += process.communicate(timeout=300)[1].splitlines()
    tagged = sum("song" in line and "silence" not in line and "interrupted" not in line for line in lines)
    if tagged < SONGS - 1:
        assert any(line.startswith("autotags: interrupted. ") for line in lines), lines
    expected = []
    for kept in (tagged, min(tagged + 1, SONGS - 1)):  # a song's line comes just after it is kept
        counts = {"tagged": SONGS - 1 - kept, "failed": 1, "skipped": kept}
        expected.append("autotags: " + ", ".join(f"{n} {what}" for what, n in counts.items() if n))
    assert beets("autotags")[1][-1] in expected


@pytest.mark.parametrize(
    ("model", "more", "words", "message"),
    [
        ("none", "", [], "error: autotags: "),
        (SMALL, ", threshold: 2", [], "error: autotags: threshold is 2"),
        (SMALL, ", top: many", [], "autotags.top"),
        (
            SMALL,
            "",
            ["--undo", "--write"],
            "error: autotags: --undo takes back. Leave out --force and --write.",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(
    beets: Beets, model: str, more: str, words: list[str], message: str
) -> None:
    beets.configure(model, more)
    (line,) = beets("autotags", *words, code=1)[1]
    assert message in line
