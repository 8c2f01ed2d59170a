"""Make the pictures of `docs/browse.md`, of a library of songs that are made up, in a Chromium.

PYTHONPATH=. python docs/screenshots.py
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from autotag.config import DEFAULT
from autotag.library.database import Library
from autotag.models.registry import ModelFile, find
from autotag.result import Result
from tests.browser import Browser, browsing

ROOT = Path(__file__).resolve().parent.parent

STYLES = {
    "The Low Tides": ("piano", "classical", "slow", "solo", "quiet", "beautiful"),
    "Marble Street": ("jazz", "piano", "instrumental", "drums", "chillout"),
    "Night Bus Choir": ("choir", "vocals", "female vocalists", "ambient", "beautiful"),
    "Copper Wires": ("electronic", "techno", "beat", "fast", "synth", "House"),
    "Ada & the Engines": ("rock", "guitar", "drums", "male vocalists", "loud", "90s"),
    "Wren": ("folk", "guitar", "acoustic", "female vocalists", "Mellow", "slow"),
}
FIRST = re.findall(r"\w+", "Winter Paper Glass River Slow Late Small Northern Borrowed Silver Open Second")
LAST = re.findall(r"\w+", "Lights Rooms Harbour Letters Clocks Orchard Signals Weather Stairs Gardens")


def songs(folder: Path, model: ModelFile) -> Iterator[Result]:
    """Songs of some styles: what belongs to one is likely, all else hardly."""
    rng = np.random.default_rng(3)
    tags = [output.tag for output in model.metadata.outputs]
    for artist, style in STYLES.items():
        for number in range(24):
            album, title = (f"{rng.choice(FIRST)} {rng.choice(LAST)}" for _ in range(2))
            path = folder / artist / f"{1994 + number // 4} {album}" / f"{number % 8 + 1:02} {title}.mp3"
            scores = rng.beta(0.5, 12, len(tags))
            for tag in style:
                for at in (at for at, each in enumerate(tags) if each == tag):
                    scores[at] = rng.beta(5, 2)
            embedding = rng.standard_normal(128) + 4 * np.random.default_rng(len(artist)).standard_normal(128)
            yield Result(
                str(path),
                model.name,
                model.sha256,
                float(rng.integers(95, 420)),
                9,
                (),
                {},
                size=1,
                modified=number,
                scores=scores.astype(np.float32),
                embedding=embedding.astype(np.float32),
            )


def pictures(browser: Browser, address: str) -> None:
    """Search, open a song and play it, at two widths."""
    for width, height, dark in ((1280, 760, False), (400, 760, True)):
        browser.look(width, dark, height)
        browser.open(address)
        browser.wait("document.querySelector('#tags').children.length > 0")
        browser.type("piano -drums ")
        browser.wait("document.querySelector('.chips .wanted') != null")
        browser.press("ArrowDown")
        browser.press("ArrowDown")
        browser.press("Enter")
        browser.wait("player.audio.currentTime > 0.3")
        browser.get("player.audio.pause()")
        if not dark:
            browser.press("t")
            browser.wait("document.querySelector('#song h2') != null")
        browser.get("document.activeElement.blur(), new Promise(done => setTimeout(done, 300))")
        picture = ROOT / "docs" / f"browse-{width}.png"
        browser.screenshot(picture)
        Image.open(picture).convert("RGB").quantize(128).save(picture, optimize=True)


def main() -> None:
    """Make a library, serve it, and take its pictures."""
    model = find(DEFAULT)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "library.sqlite")
        with Library(path, model) as library:
            for song in songs(Path(folder, "Music"), model):
                library.write(song)
                assert song.path
                Path(song.path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / "examples" / "song.mp3", song.path)
        with browsing(path, Path(folder)) as (browser, address):
            pictures(browser, address)


if __name__ == "__main__":
    main()
