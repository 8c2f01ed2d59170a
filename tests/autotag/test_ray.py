"""A real cluster of Ray on this machine, with two workers, one of which is killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from autotag import Tagger, TagRequest
from autotag.errors import VocabularyNotFound
from tests.conftest import ROOT, SONG, music

pytest.importorskip("ray", reason="Ray is not installed: pip install 'ray[data]'")
parquet = pytest.importorskip("pyarrow.parquet")

SMALL = "vgg-12k-48-x10-db"


SCRIPT = """
import os, signal, sys
from pathlib import Path

import ray
from autotag import TagRequest
from autotag.ray import RayTagger

songs, out = map(Path, sys.argv[1:])
ray.init(num_cpus=4, include_dashboard=False, configure_logging=False, log_to_driver=False)
ray.data.DataContext.get_current().enable_progress_bars = False

class Mortal(RayTagger):
    def __call__(self, batch):
        if any(path.endswith("5.flac") for path in batch["path"]) and not (out / "died").exists():
            (out / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)

files = ray.data.read_binary_files(str(songs), include_paths=True)
asked = {"model": "vgg-12k-48-x10-db", "request": TagRequest(top=3)}
workers = ray.data.ActorPoolStrategy(size=2)
rows = files.map_batches(Mortal, batch_size=2, compute=workers, fn_constructor_kwargs=asked)
rows.write_parquet(str(out / "rows"))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Ray's clusters are for Linux")
def test_a_killed_worker_costs_no_song(tmp_path: Path) -> None:
    songs, out = tmp_path / "songs", tmp_path / "out"
    songs.mkdir()
    out.mkdir()
    for number in range(9):
        soundfile.write(songs / f"sóng {number}.flac", music(2, 12000, number), 12000)
    (songs / "broken.mp3").write_text("words")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-c", SCRIPT, str(songs), str(out)]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
    assert (out / "died").exists()
    rows = {Path(row["path"]).name: row for row in parquet.read_table(out / "rows").to_pylist()}
    assert len(rows) == parquet.read_table(out / "rows").num_rows == 10
    bad = rows.pop("broken.mp3")
    assert (bad["ok"], bad["error_kind"]) == (False, "NotAudio")
    assert bad["error_message"].startswith(f"{bad['path']}: not ")
    tagger = Tagger(SMALL)
    for name, row in rows.items():
        expected = tagger.tag(songs / name, TagRequest(top=3)).to_dict()
        assert row["tags"] == expected["tags"]
        assert row["size"] == (songs / name).stat().st_size


def test_files_by_their_paths_alone() -> None:
    from autotag.ray import RayTagger

    (row,) = RayTagger(SMALL)({"path": [str(SONG)]}).to_pylist()
    assert row["path"] == str(SONG)
    assert row["size"] == SONG.stat().st_size
    assert len(row["tags"]) == 5


def test_files_by_their_content_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autotag.ray import RayTagger

    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))  # there is no place for temporary files
    monkeypatch.setattr("tempfile.tempdir", None)
    content = SONG.read_bytes()
    batch: dict[str, list[object]] = {
        "path": ["s3://bucket/a.mp3", "s3://bucket/b.mp3"],
        "bytes": [content, b"words"],
    }
    good, bad = RayTagger(SMALL, TagRequest(top=3))(batch).to_pylist()
    expected = Tagger(SMALL).tag(SONG, TagRequest(top=3)).to_dict()
    assert (good["path"], good["size"], good["tags"]) == (
        *("s3://bucket/a.mp3", len(content)),
        expected["tags"],
    )
    assert (bad["path"], bad["size"], bad["ok"], bad["error_kind"]) == (
        *("s3://bucket/b.mp3", 5),
        *(False, "NotAudio"),
    )
    assert bad["error_message"].startswith("s3://bucket/b.mp3: not ")


def test_what_cannot_be_done_is_said_before_the_first_file() -> None:
    from autotag.ray import RayTagger

    with pytest.raises(VocabularyNotFound):
        RayTagger(SMALL, TagRequest(vocabulary="mine"))
