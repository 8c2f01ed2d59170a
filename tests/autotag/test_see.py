"""The commands that show what the networks see and hear, as a user meets them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from autotag import Tagger
from tests.conftest import ROOT, SONG, Run, music

SMALL = "vgg-12k-48-x10-db"

NAME = """it's <b onclick="x">Ü & so\non.wav"""


def without(package: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line where a package is not installed."""
    code = f"import sys; sys.modules[{package!r}] = None; from autotag.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example, a file of an awkward name, and one that is no audio."""
    folder = tmp_path_factory.mktemp("songs")
    shutil.copy(SONG, folder / "a.mp3")
    name = NAME if sys.platform != "win32" else "it's Ü.wav"
    soundfile.write(folder / name, music(70, 12000), 12000)
    (folder / "text.mp3").write_text("no music")
    return folder


def names(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.iterdir()) if path.name != "text.mp3"]


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("jobs", [1, 2])
def test_embeddings_of_songs_in_an_array_with_their_names(
    autotag: Run, songs: Path, tmp_path: Path, jobs: int
) -> None:
    run = autotag("embed", songs, "--hop", "x10", "-o", tmp_path / "e.npy", "--jobs", jobs)
    assert run.returncode == 1
    assert run.stdout == ""
    assert "text.mp3: not WAV" in run.stderr
    assert "2 rows, 1 failed -> " in run.stderr
    found = np.load(tmp_path / "e.npy", mmap_mode="r")
    assert found["path"].tolist() == names(songs)
    assert set(found["model"].tolist()) == {SMALL}
    tagger = Tagger(SMALL)
    expected = np.stack([tagger.embed(name) for name in names(songs)])
    np.testing.assert_allclose(found["embedding"], expected, rtol=1e-4, atol=1e-5)
    assert listed(tmp_path) == ["e.npy"]


def test_embeddings_of_segments_in_parquet(autotag: Run, songs: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    autotag("embed", songs, "--hop", "x10", "--segments", "-o", tmp_path / "e.parquet")
    found = parquet.read_table(tmp_path / "e.parquet").to_pydict()
    assert found["path"] == [
        name for name, count in zip(names(songs), (2, 3), strict=True) for _ in range(count)
    ]
    heard = [Tagger(SMALL).scores(name) for name in names(songs)]
    np.testing.assert_allclose(found["start"], np.concatenate([h.times for h in heard]))
    embeddings = np.concatenate([h.embeddings for h in heard])
    np.testing.assert_allclose(found["embedding"], embeddings, rtol=1e-4, atol=1e-5)
    again = autotag("embed", songs, "--hop", "x10", "--segments", "-o", tmp_path / "e.npy")
    assert "5 rows" in again.stderr
    assert np.load(tmp_path / "e.npy")["start"].tolist() == found["start"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_embeddings_of_a_name_that_is_not_utf_8(autotag: Run, tmp_path: Path) -> None:
    name = tmp_path / os.fsdecode(b"caf\xe9.mp3")
    shutil.copy(SONG, name)
    for ending in ("npy", "parquet"):
        run = autotag("embed", tmp_path, "--hop", "x10", "-o", tmp_path / f"e.{ending}")
        assert run.returncode == 0, run.stderr
    assert np.load(tmp_path / "e.npy")["path"].tolist() == [str(name)]
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(tmp_path / "e.parquet")["path"].to_pylist()[0].endswith("caf\\udce9.mp3")


def test_more_rows_than_are_held_at_once(tmp_path: Path) -> None:
    from autotag.embed import AT_ONCE, write_embeddings
    from autotag.result import Result

    parquet = pytest.importorskip("pyarrow.parquet")
    total = 2 * AT_ONCE + 5
    for ending in ("npy", "parquet"):
        results = (
            Result(f"{n}.mp3", "m", 1.0, 1, (), {}, embedding=np.array([n, -n], np.float32))
            for n in range(total)
        )
        assert write_embeddings(tmp_path / f"e.{ending}", results, 8) == total
    found = np.load(tmp_path / "e.npy")
    assert found["embedding"].tolist() == [[n, -n] for n in range(total)]
    table = parquet.read_table(tmp_path / "e.parquet")
    assert table["path"].to_pylist() == found["path"].tolist() == [f"{n}.mp3" for n in range(total)]
    assert table["embedding"].to_pylist() == found["embedding"].tolist()


def test_no_embedding_leaves_the_old_file(autotag: Run, songs: Path, tmp_path: Path) -> None:
    (tmp_path / "e.npy").write_text("old")
    assert autotag("embed", songs / "text.mp3", "-o", tmp_path / "e.npy").returncode == 1
    assert (tmp_path / "e.npy").read_text() == "old"
    assert listed(tmp_path) == ["e.npy"]


def test_an_extra_that_is_missing_is_named(tmp_path: Path) -> None:
    run = without("pyarrow", "embed", SONG, "-o", tmp_path / "e.parquet")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "error: Parquet needs a package more: pip install 'autotag[parquet]'\n"
    assert listed(tmp_path) == []


@pytest.mark.parametrize(
    ("command", "out", "message"),
    [
        ("embed", "e.txt", "'e.txt': use a name that ends in .npy or .parquet"),
        ("embed", "none/e.npy", "'none/e.npy': its folder is not there"),
        ("embed", "e.npy", "'e.npy': a folder"),
    ],
)
def test_where_to_write_is_checked_first(command: str, out: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "e.npy").mkdir()
    run = subprocess.run(
        [sys.executable, "-m", "autotag", command, str(SONG), "-o", out],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert message in run.stderr
