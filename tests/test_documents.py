"""The documents say what the code, the manifest and the measurements say."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

import pytest

from autotag.library.keep import tag_into
from autotag.library.scan import scan
from autotag.models.registry import MANIFEST, ModelFile, manifest
from autotag.request import TagRequest
from autotag.tagger import Tagger
from tests.conftest import ROOT, SONG
from train.report.card import TABLES, TEMPLATE, in_order
from train.report.measured import MEASURED

BUNDLED = manifest(ROOT / "models")
MEASUREMENTS = json.loads((ROOT / "models" / MEASURED).read_text("utf-8"))
NAMES = [file.name for file in BUNDLED]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "models" / "README.md"]
WITH_COMMANDS = [path for path in DOCUMENTS if "```console" in path.read_text("utf-8")]
IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="session")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words(text: str) -> list[str]:
    """Its words: how versions of a library draw boxes and break lines does not matter."""
    return re.sub(r"[^\w`.,:;<>|\[\]()*-]+", " ", text).split()


@pytest.mark.parametrize("name", ["commands.md", "api.md"])
def test_the_pages_that_follow_from_the_code_are_those_of_this_code(
    name: str, generate: ModuleType, tmp_path: Path
) -> None:
    generate.write_pages(tmp_path)
    written, committed = ((folder / name).read_text("utf-8") for folder in (tmp_path, ROOT / "docs"))
    assert words(written) == words(committed), "run: python docs/generate.py"


def figures_left_out(text: str) -> list[str]:
    """The lines without what differs from machine to machine: numbers, bars, and the order of near scores."""
    return sorted(re.sub(r"[\d.]+|[█▏▎▍▌▋▊▉]+| +", " ", line).strip() for line in text.splitlines())


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_commands_print_what_the_documents_show(page: Path, generate: ModuleType, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    text = page.read_text("utf-8")
    shown = generate.examples(text, tmp_path.resolve())
    assert figures_left_out(shown) == figures_left_out(text), "run: python docs/generate.py --examples"


def test_the_python_of_the_readme_runs_as_scripts(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    shutil.copy(SONG, tmp_path)
    printed = []
    for block in blocks:
        (tmp_path / "script.py").write_text(block, "utf-8")
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "script.py"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        printed += done.stdout.splitlines()
    starts = ("(Tag(tag=", "(Tag(tag=", "broken.mp3: no such file", "Tally(tagged=1,")
    assert all(map(str.startswith, printed, starts)) and len(printed) == len(starts), printed


def test_pandas_reads_results_and_libraries_as_the_pages_say(tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    shutil.copy(SONG, tmp_path / "song.mp3")
    (tmp_path / "empty.mp3").touch()
    both = [tmp_path / "song.mp3", tmp_path / "empty.mp3"]
    request, model = TagRequest(top=3), "vgg-12k-48-x10-db"
    tag_into(both, tmp_path / "tags.jsonl", model, request)
    scan(tmp_path, tmp_path / "music.sqlite", model)
    pages = "".join((ROOT / "docs" / name).read_text("utf-8") for name in ("folders.md", "library.md"))
    blocks = [block for block in re.findall(r"```python\n(.*?)```", pages, re.S) if "pandas" in block]
    printed = []
    for block in blocks:
        command = [sys.executable, "-c", block]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        printed.append(done.stdout)
    table, rows = printed
    best = Tagger(model).tag(SONG, request)
    assert all(tag in table and f"{round(score, 4):g}" in table for tag, score in best.tags)
    assert len(table.splitlines()) == 3, "a heading of two lines, and a row of the song that has tags"
    assert rows.split()[:3] == ["path", "tag", "score"]
    assert all(tag in rows for tag in ("guitar", "folk", "vocals")), "every tag, whatever its score"


def test_the_readme_is_read_in_ten_minutes() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def anchors(path: Path) -> set[str]:
    """What links into a page can point at."""
    headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(path.read_text("utf-8")):
        file, _, anchor = link.partition("#")
        if not file.startswith(("http:", "https:")):
            target = (path.parent / file).resolve() if file else path
            assert target.exists(), f"{path.name}: {link}"
            assert not anchor or anchor in anchors(target), f"{path.name}: {link}"


def test_each_test_that_the_page_of_faults_names_is_there() -> None:
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", (ROOT / "docs" / "faults.md").read_text("utf-8"))
    assert len(named) > 50
    for file, test in named:
        assert f"\ndef {test}(" in (ROOT / "tests" / "autotag" / file).read_text("utf-8"), f"{file}::{test}"


def changed_names(heading: str) -> list[tuple[str, str]]:
    """The rows of a table of the changelog."""
    _, _, below = (ROOT / "CHANGELOG.md").read_text("utf-8").partition(f"| {heading} |\n|---|---|\n")
    return re.findall(r"^\| (.*) \| (.*) \|$", below.partition("\n\n")[0], re.M)


def test_names_that_changed_are_found_from_either_side_and_are_there() -> None:
    by_old, by_new = changed_names("old | new"), changed_names("new | old")
    assert len(by_old) > 30
    assert sorted(by_old) == sorted((old, new) for new, old in by_new)
    options = {word for page in DOCUMENTS for word in page.read_text("utf-8").split("`")}
    for _, new in by_old:
        first, *others = re.findall("`(.+?)`", new)
        folder = first.rpartition(".")[0]
        for name in (first, *(folder + other if other.startswith(".") else other for other in others)):
            if name.startswith("--"):
                assert name in options
            else:
                resolve_name(name if name.startswith(("autotag.", "train.")) else f"autotag.{name}")


@pytest.mark.parametrize("name", TABLES)
def test_the_card_holds_the_tables_of_the_models_that_are_there(name: str) -> None:
    card = (ROOT / "models" / "README.md").read_text("utf-8")
    assert f"{{{name}}}" in TEMPLATE.read_text("utf-8")
    assert TABLES[name](in_order(BUNDLED), MEASUREMENTS) in card


@pytest.mark.parametrize("file", BUNDLED, ids=NAMES)
def test_what_was_measured_is_the_file_that_is_there(file: ModelFile) -> None:
    assert MEASUREMENTS[file.name]["sha256"] == file.sha256


@pytest.mark.parametrize("file", BUNDLED, ids=NAMES)
def test_int8_is_within_0001_of_float32(file: ModelFile) -> None:
    fp32, int8 = (file.metadata.metrics[precision]["test"] for precision in ("fp32", "int8"))
    assert int8["roc_auc"] > fp32["roc_auc"] - 0.001


@pytest.mark.parametrize("file", BUNDLED, ids=NAMES)
def test_noise_gets_no_confident_tag(file: ModelFile) -> None:
    said = MEASUREMENTS[file.name]["sounds"]
    assert said["silence"] == []
    for sound in ("white noise", "pink noise", "brown noise", "faint noise"):
        assert said[sound][0][1] < 0.3, sound


def test_the_models_are_small_enough_to_carry() -> None:
    assert sum(path.stat().st_size for path in (ROOT / "models").iterdir()) < 200e6
    assert (ROOT / "models" / MANIFEST).exists()
