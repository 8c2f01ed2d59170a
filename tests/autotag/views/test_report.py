"""The page that plays songs, in a real browser."""

import shutil
import sys
from pathlib import Path

import pytest
import soundfile

from autotag import Tagger
from autotag.system.text import printable
from tests.browser import Browser
from tests.conftest import AWKWARD, SONG, Run, music

MODELS = ("vgg-12k-48-x10-db", "musicnn-12k-48-x1-db")

SCRIPT = """"><script>document.title = 'injected'</script>.wav"""
"""A folder and a file in it."""

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses such names")


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the example and files of awkward names, of which one is no audio."""
    folder = tmp_path_factory.mktemp("songs")
    shutil.copy(SONG, folder / "a.mp3")
    (folder / SCRIPT).parent.mkdir()
    soundfile.write(folder / SCRIPT, music(4, 12000), 12000)
    (folder / AWKWARD).write_text("no music")
    return folder


@pytest.fixture(scope="module")
def report(autotag: Run, songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of that folder, with two models."""
    out = tmp_path_factory.mktemp("report") / "page.html"
    run = autotag("report", songs, "-o", out, *(word for name in MODELS for word in ("--models", name)))
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith(f"error: {printable(str(songs / AWKWARD))}: not WAV")
    assert run.stderr.count("\n") == 1
    assert [path.name for path in out.parent.iterdir()] == ["page.html"]
    return out


@pytest.fixture
def page(browser: Browser, report: Path) -> Browser:
    """The browser, with the page open."""
    browser.look(1200, dark=False)
    browser.open(report)
    return browser


@on_posix
def test_names_are_text_and_nothing_is_loaded(page: Browser, report: Path, songs: Path) -> None:
    names = [str(songs / "a.mp3"), str(songs / AWKWARD), str(songs / SCRIPT)]
    shown = [printable(name) for name in sorted(names, key=lambda name: (name.endswith(SCRIPT), name))]
    assert page.get("[...document.querySelectorAll('h2')].map(h => h.textContent)") == shown
    assert page.get("[...document.querySelectorAll('nav a')].map(a => a.textContent)") == shown
    assert page.get("document.title") == songs.name
    assert page.get("document.querySelectorAll('b[onclick]').length") == 0
    assert page.get("document.scripts.length") == 3  # the data of two taggrams, and the one that runs
    assert page.get("document.querySelectorAll('#song-2 .warning').length") == 1
    assert page.requests == [report.as_uri()]
    assert page.problems == []


@on_posix
def test_the_tables_say_what_the_models_say(page: Browser) -> None:

    def table(name: str) -> dict[str, list[str]]:
        rows = f"[...document.querySelectorAll('#song-1 .{name} tbody tr')]"
        cells = page.get(f"{rows}.map(row => [...row.cells].map(cell => cell.textContent))")
        return {model: others for model, *others in cells}

    tags = table("tags")
    assert set(tags) == set(MODELS)
    for name, (said, *facts) in tags.items():
        expected = Tagger(name).tag(SONG, merge_synonyms=True)
        assert said == ", ".join(f"{tag} {score:.2f}" for tag, score in expected.tags)
        assert facts == [*name.split("-")[2:4], str(expected.segments)]
    costs = table("costs")
    assert set(costs) == set(MODELS)
    for mel, network, both, *_ in costs.values():
        assert float(mel) + float(network) == pytest.approx(float(both), abs=0.11)
    assert {mark for cells in costs.values() for mark in cells[-1].split(", ")} >= {"fastest", "best"}
    short = "document.querySelector('#song-3 .warning').textContent"
    assert "4.0 s is less than one segment" in page.get(short)


@on_posix
def test_the_taggram_follows_what_is_played(page: Browser) -> None:
    audio, slider = "document.querySelector('audio')", "document.querySelector('[role=slider]')"
    page.wait(f"{audio}.readyState > 0")
    assert page.get(f"{audio}.duration") == pytest.approx(30, abs=0.1)
    assert page.get(f"+{slider}.getAttribute('aria-valuenow')") == 0
    page.get(f"{audio}.play()")
    page.wait(f"+{slider}.getAttribute('aria-valuenow') > 0.3")
    page.get(f"{audio}.pause()")
    page.get(f"{audio}.currentTime = 15")
    page.wait(f"{slider}.getAttribute('aria-valuenow') == '15.0'")
    share = "parseFloat(document.querySelector('.cursor').style.left)"
    assert page.get(share) == pytest.approx(50, abs=0.1)
    tagger = Tagger("musicnn-12k-48-x1-db")
    scores, times = tagger.taggram(SONG)
    at = abs(times + 1.5 - 15).argmin()
    best = tagger.metadata.tags[scores[at].argmax()]
    assert f"0:15  {best} {scores[at].max():.2f}, " in page.get("document.querySelector('.now').textContent")


@on_posix
def test_everything_can_be_done_with_the_keyboard(page: Browser) -> None:
    focused = "document.activeElement"
    for _ in range(3):
        page.press("Tab")
    assert page.get(f"{focused}.getAttribute('href')") == "#song-3"
    while page.get(f"{focused}.tagName") != "SELECT":  # the player has several buttons
        page.press("Tab")
    tags = "[...document.querySelectorAll('#song-1 li')].map(item => item.textContent).join()"
    before = page.get(tags)
    page.press("ArrowDown")
    page.wait(f"{tags} != {before!r}")
    page.press("Tab")
    assert page.get(f"{focused}.getAttribute('role')") == "slider"
    audio = "document.querySelector('audio')"
    for key, second in (("ArrowRight", 1), ("PageUp", 11), ("ArrowLeft", 10), ("End", 30), ("Home", 0)):
        page.press(key)
        page.wait(f"Math.abs({audio}.currentTime - {second}) < 0.1")
    page.press(" ")
    page.wait(f"!{audio}.paused && {audio}.currentTime > 0.1")
    page.press(" ")
    page.wait(f"{audio}.paused")
    for name in ("tags", "costs"):  # which may have to be scrolled
        page.press("Tab")
        assert page.get(f"{focused}.getAttribute('aria-label')") == name
    assert page.get(f"getComputedStyle({focused}).outlineStyle") == "solid"


@on_posix
@pytest.mark.parametrize("width", [1200, 360])
def test_it_fits_and_can_be_read_in_light_and_dark(page: Browser, tmp_path: Path, width: int) -> None:
    from matplotlib.image import imread

    brightness = []
    for dark in (False, True):
        page.look(width, dark)
        page.wait(f"document.querySelector('.heat').width < {width}")
        assert page.get("document.documentElement.scrollWidth") == width
        page.screenshot(tmp_path / "page.png")
        pixels = imread(tmp_path / "page.png")[..., :3]
        brightness.append(float(pixels[5, 5].mean()))
        text = "getComputedStyle(document.querySelector('.facts')).color.match(/\\d+/g).map(Number)"
        assert abs(sum(page.get(text)) / 765 - brightness[-1]) > 0.5
        # The highest score is viridis's yellow.
        assert (abs(pixels - [253 / 255, 231 / 255, 37 / 255]).max(axis=2) < 0.02).sum() > 100
    assert brightness[0] > 0.9
    assert brightness[1] < 0.2
    assert page.problems == []


def test_a_page_of_nothing_is_not_written(autotag: Run, tmp_path: Path) -> None:
    (tmp_path / "text.mp3").write_text("no music")
    run = autotag("report", tmp_path / "text.mp3", "-o", tmp_path / "page.html", "--models", MODELS[0])
    assert run.returncode == 1
    assert "text.mp3: not WAV" in run.stderr
    assert not (tmp_path / "page.html").exists()
    run = autotag("report", tmp_path / "text.mp3", "-o", tmp_path / "page.html", "--models", "best")
    assert run.returncode == 2
    assert "no model at hand is best" in run.stderr
