"""What is heard: from the spectrogram back to sound, in a file and on a page."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from autotag.audio.decode import decode
from autotag.audio.mel import log_mel
from autotag.config import DEFAULT
from autotag.system.text import printable
from autotag.views.page import write_page
from autotag.views.picture import spectrogram
from autotag.views.sonify import correlation, decibels, likeness, sonify
from autotag.views.sonify_page import sonified
from tests.browser import Browser
from tests.conftest import AWKWARD, ROOT, SONG, Run


def test_what_is_heard_looks_like_the_song_at_its_resolution(autotag: Run, tmp_path: Path) -> None:
    run = autotag("sonify", SONG, "--mels", 48, "--hop", "x2", "-o", tmp_path / "heard.flac")
    assert (run.returncode, run.stdout) == (0, "")
    heard, sr = soundfile.read(tmp_path / "heard.flac", dtype="float32")
    song = decode(SONG, 12000)
    assert (sr, heard.shape) == (12000, song.shape)
    like = np.corrcoef(log_mel(song, DEFAULT).ravel(), log_mel(heard, DEFAULT).ravel())[0, 1]
    assert 0.98 < like < 1
    left = likeness([song], [heard], 12000)
    assert run.stderr.endswith(f"30.000 s, likeness to the song {left:.3f} -> {tmp_path / 'heard.flac'}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["heard.flac"]


def test_a_song_is_not_overwritten(autotag: Run, tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(SONG.read_bytes())
    run = autotag("sonify", tmp_path / "song.mp3", "-o", tmp_path / "song.mp3")
    assert (run.returncode, run.stdout) == (2, "")
    assert "is the file that is read. Name another file." in run.stderr
    assert (tmp_path / "song.mp3").read_bytes() == SONG.read_bytes()


def test_without_a_place_for_what_is_compiled_one_is_asked_for(tmp_path: Path) -> None:
    code = (
        "from numba.core.caching import CacheImpl; CacheImpl._locator_classes = []; "
        "from autotag.cli.main import main; main()"
    )
    command = [sys.executable, "-c", code, "sonify", str(SONG), "-o", str(tmp_path / "heard.wav")]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode == 2
    assert "Set NUMBA_CACHE_DIR to one." in run.stderr
    assert run.stderr.count("\n") == 1


def test_another_format_and_an_excerpt(autotag: Run, tmp_path: Path) -> None:
    out = tmp_path / "heard.mp3"
    run = autotag("sonify", SONG, "--sr", "16k", "--excerpt", 5, "-o", out)
    assert run.returncode == 0
    assert 0.6 < float(run.stderr.split()[-3]) < 0.9
    assert soundfile.info(out).samplerate == 16000
    assert soundfile.info(out).duration == pytest.approx(5, abs=0.05)


@pytest.mark.parametrize("samples", [600, 3000, 120000, 12000 * 31 + 7])
@pytest.mark.parametrize(("mels", "hop"), [(8, 1), (128, 10)])
def test_what_is_heard_is_as_long_as_the_song(samples: int, mels: int, hop: int) -> None:
    """From a frame or two to more than is inverted at once."""
    signal = decode(SONG, 12000)
    signal = np.concatenate([signal, signal])[:samples]
    heard = np.concatenate(list(sonify(np.array_split(signal, 7), 12000, mels, hop)))
    assert heard.shape == signal.shape
    assert np.isfinite(heard).all()
    seen = (decibels([sound], 12000, mels, hop) for sound in (signal, heard))
    assert samples < 12000 or correlation(*seen) > 0.97


def test_likeness_falls_with_what_is_lost() -> None:
    song = decode(SONG, 12000)[: 12000 * 10]

    def left(mels: int, hop: int) -> float:
        return likeness([song], sonify([song], 12000, mels, hop), 12000)

    assert left(128, 1) > 0.97
    pairs = (((128, 1), (48, 1)), ((48, 1), (16, 1)), ((48, 1), (48, 10)), ((128, 1), (128, 10)))
    for finer, coarser in pairs:
        assert left(*finer) > left(*coarser) + 0.05


def test_correlation_is_pearson_s() -> None:
    one, other = np.random.default_rng(0).normal(-40, 10, (2, 8, 50)).astype(np.float32)
    blocks = ([one[:, :20], one[:, 20:]], [other[:, :3], other[:, 3:]])
    assert correlation(*blocks) == pytest.approx(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_a_page_that_plays_what_is_heard(tmp_path: Path, browser: Browser) -> None:
    song = decode(SONG, 12000)[: 12000 * 8]
    write_page(tmp_path / "heard.html", AWKWARD, sonified(song, 12000, [(48, 2), (8, 1)]))
    browser.open(tmp_path / "heard.html")
    assert browser.get("document.querySelector('h1').textContent") == printable(AWKWARD)
    assert browser.get("document.querySelectorAll('b[onclick]').length") == 0
    sizes = "[...document.images].map(image => [image.naturalWidth, image.naturalHeight])"
    assert browser.get(sizes) == [[376, 128], [188, 48], [376, 8]], "the song's own first"
    cell = "document.querySelector('.grid tbody tr:nth-child({}) > :nth-child({}) img').alt"
    assert browser.get(cell.format(1, 3)) == "Spectrogram of 48 bands at hop x2"
    assert browser.get(cell.format(2, 2)) == "Spectrogram of 8 bands at hop x1"
    heads = "[...document.querySelectorAll('.grid thead th')].map(head => head.innerText.split('\\n')[0])"
    assert browser.get(heads) == ["hop x1", "hop x2", "hop x3", "hop x4", "hop x5", "hop x10"]
    assert "loudest" in browser.get("document.querySelector('.greys').textContent")
    audio = "document.querySelectorAll('audio')"
    browser.wait(f"[...{audio}].every(audio => audio.readyState > 0)")
    assert browser.get(f"[...{audio}].map(audio => audio.duration)") == pytest.approx([8, 8, 8], abs=0.2)
    browser.get(f"{audio}[0].currentTime = 3, {audio}[0].play()")
    browser.wait(f"{audio}[0].currentTime > 3")
    browser.get(f"{audio}[2].play()")
    browser.wait(f"{audio}[2].currentTime > 3")
    assert browser.get(f"{audio}[0].paused")
    browser.get(f"{audio}[2].pause()")
    assert browser.problems == []
    assert len(browser.requests) == 1


def test_the_whole_grid(autotag: Run, tmp_path: Path) -> None:
    run = autotag("sonify", SONG, "--all", "--excerpt", 1, "-o", tmp_path / "heard.html")
    assert (run.returncode, run.stdout) == (0, "")
    assert run.stderr.endswith(f"22 sounds of 1.0 s -> {tmp_path / 'heard.html'}\n")
    page = (tmp_path / "heard.html").read_text("utf-8")
    assert (page.count("<audio"), page.count("<img")) == (23, 23)


def test_a_picture_of_a_spectrogram_has_a_pixel_a_value() -> None:
    from matplotlib.image import imread

    values = np.array([[0, -20, -40], [-80, -100, 0]], np.float32)
    found: NDArray[np.float32] = imread(io.BytesIO(spectrogram([values[:, :1], values[:, 1:]])))
    np.testing.assert_allclose(found, np.array([[1, 1, 0], [0, 0.25, 0.5]]), atol=1 / 255)
    assert imread(io.BytesIO(spectrogram([np.zeros((4, 4000), np.float32)]))).shape == (4, 1334)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--all", "--hop", "x2", "-o", "h.html"], "--all takes all bands and hops"),
        (["--all", "-o", "h.flac"], "--all writes a page. Name one (.html)."),
        (["-o", "h.html"], "h.html is a page. Add --all."),
        (
            ["-o", "h.m4a"],
            "'h.m4a' is not allowed. Use a name that ends in .flac or .wav or .mp3 or .ogg or .html",
        ),
        (["--mels", 50, "-o", "h.flac"], "mel bands of vgg 50 is not available. Use 128, 96, 48"),
        (
            ["--mels", 32, "--hop", "x2", "-o", "h.flac"],
            "hop multiple of vgg at 32 bands 2 is not available",
        ),
    ],
)
def test_a_wrong_resolution_is_exit_2(autotag: Run, arguments: list[object], message: str) -> None:
    run = autotag("sonify", SONG, *arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr
