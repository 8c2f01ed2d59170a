"""What `pip install autotag` brings: the product and its models, nothing of training."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, SONG


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_it_holds_the_product_and_the_models_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"autotag", "beetsplug"}
    for path in (ROOT / "models").iterdir():
        assert f"autotag/models/{path.name}" in names
    assert {"autotag/py.typed", "autotag/views/page.css", "autotag/views/page.js"} <= set(names)
    assert {f"autotag/browse/{name}" for name in ("page.html", "page.css", "kept.js")} <= set(names)


def test_its_plugin_stands_beside_those_of_beets(wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("beets", reason="beets is not installed: pip install beets")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    assert [path.name for path in (tmp_path / "beetsplug").iterdir()] == ["autotags.py"]  # a namespace
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "BEETSDIR": str(tmp_path)}
    command = [sys.executable, "-m", "beets", "-p", "autotags,the", "version"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "plugins: autotags, the"


def test_it_asks_for_no_torch_and_no_librosa(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
    wanted = [line for line in archive.read(name).decode().splitlines() if line.startswith("Requires-Dist")]
    needed = {re.split(r"[ :<>=]+", line)[1] for line in wanted if "extra ==" not in line}
    assert needed == {"numpy", "onnxruntime", "rich", "soundfile", "soxr", "typer"}


def test_it_tags_from_its_own_models(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = "import autotag.models.registry; print(autotag.models.registry.folders()[-1])"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    where = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()) == tmp_path / "autotag" / "models"
    command = [sys.executable, "-m", "autotag", str(SONG), "--format", "json"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout)[0]["ok"]
