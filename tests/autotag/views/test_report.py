"""The page that plays songs, in a real browser."""

import shutil
import sys
from pathlib import Path

import pytest
import soundfile

from autotag import Tagger, TagRequest
from autotag.meaning import meaning_of
from autotag.models.registry import auc, find
from autotag.system.text import printable
from autotag.views.report import name_below
from autotag.views.taggram import preference
from tests.browser import Browser
from tests.conftest import AWKWARD, SONG, Run, music

MODELS = ("vgg-12k-48-x10-db", "musicnn-12k-48-x1-db", "musicnn-12k-96-x1-db")
BEST = max(MODELS, key=lambda name: auc(find(name)))
LONG = max(MODELS, key=lambda name: preference(find(name)))
"""The best one of short segments, whose tags over time are shown."""

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
    assert f"error: {printable(str(songs / AWKWARD))}: not WAV" in run.stderr
    assert run.stderr.endswith(f"2 songs by 3 models, 1 failed -> {out}\n")
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
    shown = ["a.mp3", printable(AWKWARD), printable(SCRIPT)]
    assert page.get("[...document.querySelectorAll('h2')].map(h => h.textContent)") == shown
    assert page.get("[...document.querySelectorAll('nav a')].map(a => a.textContent)") == shown
    assert page.get("document.title") == songs.name
    assert page.get("document.querySelectorAll('b[onclick]').length") == 0
    assert page.get("document.scripts.length") == 2  # the data of one taggram, and the one that runs
    short = "document.querySelector('#song-3 .facts:not(.answer + *)').textContent"
    assert "less than 8 segments of 3.0 s" in page.get(short)
    assert page.get("document.querySelectorAll('#song-2 .warning').length") == 1
    marked = "[...document.querySelectorAll('.index tbody tr')].map(row => !!row.querySelector('.warning'))"
    assert page.get(marked) == [False, True, False]
    assert str(songs) not in report.read_text("utf-8"), "a page goes to others"
    assert str(Path.home()) not in report.read_text("utf-8")
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
        expected = Tagger(name).tag(SONG)
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
def test_the_first_lines_of_a_song_are_its_answer(page: Browser) -> None:
    first = "document.querySelector('#song-1 h2').nextElementSibling"
    assert page.get(f"{first}.className") == "answer"
    cells = "row => [...row.children].map(cell => cell.textContent)"
    rows = page.get(f"[...{first}.querySelectorAll('div')].map({cells})")
    expected = Tagger(BEST).tag(SONG)  # the default is not among them
    for kind, tags in rows:
        said = [f"{tag} {score:.2f}" for tag, score in expected.tags if meaning_of(tag).kind == kind]
        assert tags == ", ".join(said)
    assert sum(len(tags.split(", ")) for _, tags in rows) == len(expected.tags)
    assert not page.get("document.querySelector('#song-1 details').open")
    assert not page.get("document.querySelector('#song-1 .costs').checkVisibility()")


@on_posix
def test_the_index_can_be_sorted(page: Browser) -> None:
    names = "[...document.querySelectorAll('.index tbody th')].map(cell => cell.textContent)"
    before = page.get(names)
    page.get("document.querySelector('.index thead button').click()")
    assert page.get(names) == sorted(before, key=str.lower) or page.get(names) != before
    page.get("document.querySelector('.index thead button').click()")
    assert page.get("document.querySelector('.index thead th').getAttribute('aria-sort')") == "descending"
    length = "document.querySelectorAll('.index thead button')[1].click()"
    page.get(length)
    lengths = "[...document.querySelectorAll('.index tbody tr')].map(row => row.cells[1].textContent)"
    assert page.get(lengths) == ["", "0:04", "0:30"]


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
    tagger = Tagger(LONG)
    scores = tagger.scores(SONG)
    at = abs(scores.times + 1.5 - 15).argmin()
    best, *_ = TagRequest().choose(scores.outputs, scores.scores[at])
    time, _, said = page.get("document.querySelector('.now').textContent").partition("  ")
    assert time == "0:15"
    shown = [(tag, float(score)) for tag, _, score in (words.rpartition(" ") for words in said.split(", "))]
    assert dict(shown)[best.tag] == pytest.approx(best.score, abs=0.011)
    assert shown[0][1] == pytest.approx(best.score, abs=0.011)  # of others nearly as high too


@on_posix
def test_everything_can_be_done_with_the_keyboard(page: Browser) -> None:
    focused = "document.activeElement"

    def tab_to(what: str) -> None:
        for _ in range(30):  # the player has several buttons
            page.press("Tab")
            if page.get(f"{focused}.matches({what!r})"):
                return
        raise AssertionError(f"{what} is out of reach")

    tab_to("[href='#song-3']")
    tab_to("select")
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
    page.press("Tab")
    assert page.get(f"{focused}.tagName") == "SUMMARY"
    page.press(" ")
    page.wait(f"{focused}.parentElement.open")
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
        page.get("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert page.get("document.documentElement.scrollWidth") == width
        page.screenshot(tmp_path / "page.png")
        pixels = imread(tmp_path / "page.png")[..., :3]
        brightness.append(float(pixels[5, 5].mean()))
        text = "getComputedStyle(document.querySelector('.facts')).color.match(/\\d+/g).map(Number)"
        assert abs(sum(page.get(text)) / 765 - brightness[-1]) > 0.5
        # A score of 0.25 is viridis's middle, the same for all songs.
        assert (abs(pixels - [33 / 255, 145 / 255, 140 / 255]).max(axis=2) < 0.1).sum() > 100
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
    assert "No installed model is best" in run.stderr


def test_networks_of_long_segments_draw_no_stripes(autotag: Run, tmp_path: Path) -> None:
    autotag("report", SONG, "-o", tmp_path / "page.html", "--models", "vgg-12k-48-x10-db")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<figure" not in page
    assert "less than 8 segments of 29.1 s" in page


@pytest.mark.parametrize(
    ("song", "roots", "name"),
    [
        ("music/a/b.mp3", ["music"], "a/b.mp3"),
        ("music/a/b.mp3", ["music", "music/a"], "a/b.mp3"),
        ("music/a/b.mp3", ["more", "music"], "music/a/b.mp3"),
        ("music/a/b.mp3", ["music/a/b.mp3"], "b.mp3"),
        ("b.mp3", ["."], "b.mp3"),
        ("elsewhere/b.mp3", ["music"], "b.mp3"),
    ],
)
def test_a_song_is_named_below_what_was_asked_for(song: str, roots: list[str], name: str) -> None:
    assert Path(name_below(Path(song), [Path(root) for root in roots])) == Path(name)


def test_the_files_are_chosen_as_for_tag(autotag: Run, songs: Path, tmp_path: Path) -> None:
    run = autotag("report", songs, "-o", tmp_path / "p.html", "--models", MODELS[0], "--include", "a.mp3")
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "p.html").read_text("utf-8").count("<audio") == 1
