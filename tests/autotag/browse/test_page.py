"""The page, driven in a real browser."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import soundfile

from autotag.library.database import Library
from autotag.system.text import printable
from tests.autotag.browse.conftest import SCRIPT, serving
from tests.browser import Browser
from tests.conftest import AWKWARD, Run

NAMES = "[...document.querySelectorAll('.row')].sort((a, b) => a.ariaPosInSet - b.ariaPosInSet)" + (
    ".map(row => row.querySelector('.name b').textContent)"
)
STATUS = "document.querySelector('#status').textContent"
PLAYING = "document.querySelector('.row.playing .name b')?.textContent"


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Browser]:
    """The browser, with the page open and ready."""
    browser.look(1200, dark=False)
    browser.open(address)
    browser.wait("document.querySelector('#tags').children.length > 0")
    yield browser
    browser.open("about:blank")


def shows(page: Browser, names: list[str]) -> None:
    """Wait until the list holds these songs, in this order."""
    page.wait(f"JSON.stringify({NAMES}) == JSON.stringify({json.dumps(names)})")


def set_to(page: Browser, name: str, value: str) -> None:
    """Put a value into a field of the form, as a person does."""
    page.get(
        f"(field => {{ field.value = {json.dumps(value)};"
        f" field.dispatchEvent(new Event('input', {{ bubbles: true }})); }})(form.elements.{name})"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses such names")
def test_names_are_text_and_only_this_machine_is_asked(page: Browser, address: str) -> None:
    shown = page.get(NAMES)
    assert len(shown) == 7
    assert {printable(Path(AWKWARD).name), Path(SCRIPT).name} <= set(shown)
    assert "caf\\xe9.wav" in shown or sys.platform != "linux"
    assert page.get("document.title") == "autotag"
    assert page.get("document.querySelectorAll('#list script, #list [onclick]').length") == 0
    page.get("list.move(6), panelOf(list.row)")
    page.wait("document.querySelector('#song h2') != null")
    assert {urlsplit(url).netloc for url in page.requests} == {urlsplit(address).netloc}
    assert page.problems == []


def test_what_is_typed_is_searched_and_put_in_order(page: Browser, library: Path) -> None:
    page.type("pian")
    page.wait(f"{STATUS}.includes(\"'pian' is no tag\")")
    page.type("o")
    shows(page, ["loud piano.wav", "piano.wav"])
    page.wait(f"{STATUS} == '2 songs'")
    page.type(" -lou")
    page.get("document.querySelector('#hints button').click()")  # loud
    shows(page, ["piano.wav"])
    assert page.get("words.value") == "piano -loud "
    page.wait("location.search == '?words=piano+-loud'")
    page.press("Escape")
    page.type("piano fem")
    page.wait(f"{STATUS} == '2 songs. Go on typing: female vocal'")
    page.press("Tab")
    assert page.get("document.activeElement.textContent") == "female vocal"
    page.press("Tab")
    page.press("Tab")
    assert page.get("document.querySelectorAll('#hints button').length") == 0
    page.press("/")
    page.press("Escape")
    set_to(page, "folder", "b/")
    set_to(page, "sort", "longest")
    shows(page, ["she sings.wav", "rock.wav"])
    set_to(page, "most", "0:03")
    shows(page, ["rock.wav"])
    page.call("Page.reload")
    page.wait("document.readyState == 'complete' && typeof list != 'undefined'")
    shows(page, ["rock.wav"])
    set_to(page, "most", "soon")
    page.wait(f"{STATUS}.includes('is no duration')")
    shows(page, ["rock.wav"])
    set_to(page, "most", "")
    set_to(page, "words", "choir")
    page.wait("!document.querySelector('#none').hidden")
    assert all("400" in problem for problem in page.problems), "but for what is no duration"
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.call("Network.emulateNetworkConditions", offline=True, **offline)
    set_to(page, "words", "rock")
    page.wait(f"{STATUS}.startsWith('autotag browse does not answer.')")
    page.call("Network.emulateNetworkConditions", offline=False, **offline)


def test_a_tag_of_the_list_is_wanted_then_unwanted_then_neither(page: Browser) -> None:
    piano = "document.querySelector('#tags [data-tag=piano]')"
    assert page.get(f"{piano}.textContent") == "piano2"
    page.get(f"{piano}.click()")
    shows(page, ["loud piano.wav", "piano.wav"])
    assert page.get(f"{piano}.ariaPressed") == "true"
    page.get(f"{piano}.click()")
    page.wait(f"{NAMES}.length == 5")
    assert page.get("words.value") == "-piano "
    page.get(f"{piano}.click()")
    page.wait(f"{NAMES}.length == 7")


def test_it_plays_by_the_keyboard_and_the_next_song_follows(page: Browser) -> None:
    page.type("piano")
    shows(page, ["loud piano.wav", "piano.wav"])
    page.press("ArrowDown")
    page.press("Enter")
    page.wait(f"{PLAYING} == 'loud piano.wav' && !player.audio.paused")
    page.press("/")
    page.get("words.select()")
    page.type("rock")  # what is searched meanwhile changes nothing
    shows(page, ["rock.wav"])
    page.wait("player.row.name == 'piano.wav' && player.audio.currentTime > 0")
    page.get("player.audio.pause(), box.focus()")
    page.press("ArrowRight")
    page.wait("player.audio.currentTime >= 2 || player.audio.ended")  # 5 s on is the end
    page.press("p")
    page.wait("player.row.name == 'loud piano.wav'")
    page.wait("!player.audio.paused")
    page.press(" ")
    page.wait("player.audio.paused")
    assert page.problems == []


def test_what_a_browser_cannot_play_is_converted(page: Browser, library: Path) -> None:
    song = library.parent / "music" / "b" / "rock.wav"
    samples, rate = soundfile.read(song)
    soundfile.write(song, samples, rate, format="AIFF")
    page.type("rock")
    shows(page, ["rock.wav"])
    page.press("ArrowDown")
    page.press("Enter")
    page.wait("player.audio.currentTime > 0 && player.audio.src.includes('sound.mp3')")
    assert page.get("player.audio.duration") == pytest.approx(3, abs=0.2)
    page.get("player.audio.pause()")
    song.write_text("no music")
    page.get("player.play(list.row, 0)")
    page.wait("document.querySelector('#notice').textContent.includes('cannot be played')")


def test_a_tag_is_corrected_by_hand_and_stays(page: Browser, library: Path, autotag: Run) -> None:
    song = library.parent / "music" / "a" / "piano.wav"
    page.type("piano")
    shows(page, ["loud piano.wav", "piano.wav"])
    page.press("ArrowDown")
    page.press("ArrowDown")
    page.press("t")
    button = "document.querySelector('#song [data-tag=piano] .no')"
    page.wait(f"{button} != null")
    page.get(f"{button}.focus()")
    page.press("Enter")
    page.wait(f"{button}.ariaPressed == 'true'")
    page.wait("document.querySelector('#tags [data-tag=piano]').textContent == 'piano1'")
    page.get(
        "document.querySelector('.add input').value = 'jazz', document.querySelector('.add button').click()"
    )
    page.wait("document.querySelector('#song [data-tag=jazz] .yes')?.ariaPressed == 'true'")
    with Library(library) as opened:
        assert opened.corrections(str(song)) == {"jazz": True, "piano": False}
    assert autotag("find", "jazz", "-piano", "--paths", "--library", library).stdout == f"{song}\n"
    page.press("Escape")
    page.press("/")
    page.get("words.select()")
    page.type("jazz")
    shows(page, ["piano.wav"])
    assert page.get("document.querySelector('.row .score').textContent") == "1.00"
    assert page.problems == []


def test_similar_songs_are_listed_and_the_search_comes_back(page: Browser) -> None:
    page.type("piano")
    shows(page, ["loud piano.wav", "piano.wav"])
    page.press("ArrowDown")
    page.press("s")
    page.wait(f"{NAMES}.length == 6")
    assert page.get(STATUS) == "6 songs that sound like loud piano.wav; the number is how near"
    page.press("Escape")
    shows(page, ["loud piano.wav", "piano.wav"])


def test_what_was_found_is_saved_as_a_playlist(page: Browser, library: Path, tmp_path: Path) -> None:
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    set_to(page, "words", "harp")
    page.wait(f"{STATUS} == '3 songs'")
    page.get("document.querySelector('#save').click()")
    page.wait("document.querySelector('#notice').textContent.startsWith('Saved 1 song')")
    assert "2 songs left out" in page.get("document.querySelector('#notice').textContent")
    saved = tmp_path / "autotag.m3u8"
    for _ in range(100):
        if saved.exists():
            break
        page.get("new Promise(done => setTimeout(done, 50))")
    lines = saved.read_text("utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    assert lines[2] == str(library.parent / "music" / SCRIPT)


def test_a_song_that_is_gone_is_said_and_its_folder_scanned(page: Browser, library: Path) -> None:
    (library.parent / "music" / "b" / "rock.wav").unlink()
    page.type("rock")
    shows(page, ["rock.wav"])
    page.press("ArrowDown")
    page.press("Enter")
    page.wait("!document.querySelector('#notice').hidden")
    assert "rock.wav is not there any more" in page.get("document.querySelector('#notice').textContent")
    folder = library.parent / "music" / "b"
    assert page.get("document.querySelector('#rescan').textContent") == f"Scan {folder}"
    page.get("document.querySelector('#rescan').click()")
    page.wait("document.querySelector('#notice').textContent.includes('1 deleted')")
    page.wait(f"{STATUS} == '0 songs'")


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_nothing_is_wider_than_the_window(page: Browser, width: int) -> None:
    page.look(width, dark=width == 800)
    page.get("list.move(0), panelOf(list.row)")
    page.wait("!document.querySelector('#song').hidden")
    page.get("document.querySelector('#more').click()")
    assert page.get("document.documentElement.scrollWidth") <= width
    assert page.get(
        "document.querySelector('#list').scrollWidth <= document.querySelector('#list').clientWidth"
    )


def test_everything_is_in_reach_of_the_tab_key(page: Browser) -> None:
    page.get("list.move(0), panelOf(list.row)")
    page.wait("!document.querySelector('#song').hidden")
    page.get("words.focus()")
    reached = set()
    for _ in range(60):
        page.press("Tab")
        reached.add(
            page.get(
                "document.activeElement.id || document.activeElement.name || document.activeElement.ariaLabel"
            )
        )
    assert {
        "help",
        "minimum",
        "folder",
        "sort",
        "save",
        "list",
        "close",
        "alike",
        "harp: it has not",
    } <= reached


def test_without_javascript_there_is_a_table(browser: Browser, address: str) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(f"{address}?words=piano&sort=path")
        rows = "[...document.querySelectorAll('noscript tbody tr')].map(row => row.textContent.trim())"
        names = [row.split(".wav")[0] for row in browser.get(rows)]
        assert names == ["loud piano", "piano"]
        assert browser.get("document.querySelector('noscript a').getAttribute('href')").startswith(
            "sound?id="
        )
        assert browser.get("document.querySelector('#save').getAttribute('href')") == (
            "playlist.m3u8?words=piano&sort=path"
        )
        assert browser.get("getComputedStyle(document.querySelector('#list')).display") == "none"
        assert browser.problems == []
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_library_of_many_songs_scrolls(browser: Browser, tmp_path: Path) -> None:
    from tests.autotag.library.made import model_of, track

    model = model_of()
    with Library(tmp_path / "library.sqlite", model) as made:
        for number in range(1500):
            made.write(track(f"/m/{number:04}.mp3", model, 0, number, piano=0.8999 - number / 3000))
    with serving(tmp_path / "library.sqlite") as address:
        browser.look(1200, dark=False)
        browser.open(address)
        browser.type("piano")
        browser.wait(f"{STATUS} == '1,200 songs'")
        assert browser.get("document.querySelectorAll('.row').length") < 40
        browser.press("ArrowDown")
        browser.press("End")
        browser.wait(f"{NAMES}.at(-1) == '1199.mp3'")
        assert browser.get("list.row?.name") == "1199.mp3"
        browser.press("PageUp")
        browser.press("Home")
        browser.wait(f"{NAMES}[0] == '0000.mp3'")
        browser.open("about:blank")
