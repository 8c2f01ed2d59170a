"""How long the page of `autotag browse` takes in a Chromium, over a library of 100,000 generated tracks.

    PYTHONPATH=. python benchmarks/browse.py            # or with another number of tracks, or with a library

Prints medians and the fastest of 9: until the first rows are painted, from an empty cache, and from a change
of the search until the rows that it finds are painted.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path

from library import MODEL, tracks

from autotag.library.database import Library
from autotag.models.registry import find as named
from tests.browser import Browser, browsing

TIMES = 9
ASKED: tuple[dict[str, str], ...] = (
    {"words": "piano"},
    {"words": "piano beat -male"},
    {"words": "rock"},
    {"words": "vocals"},
    {"words": "-vocals"},
    {"words": "artist 12"},
    {"words": "piano", "folder": "12", "least": "3:00"},
    {"sort": "longest"},
    {"words": "-opera", "minimum": "0.25", "sort": "newest"},
)

PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"

SEARCH = """
new Promise(done => {
  form.reset();
  for (const [name, value] of Object.entries(%s)) form.elements[name].value = value;
  const fill = list.fill.bind(list), started = performance.now();
  list.fill = (...rows) => {
    fill(...rows);
    delete list.fill;
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - started)));  // painted by then
  };
  form.dispatchEvent(new Event("input"));
})
"""


def measure(browser: Browser, address: str) -> None:
    """Print how long it takes to open the page, and to search."""
    painted = []
    for _ in range(TIMES):
        browser.call("Network.clearBrowserCache")
        browser.open(address)
        browser.wait("document.querySelector('.row') && " + PAINTED)
        painted.append(browser.get(PAINTED))
    print(f"first paint: {statistics.median(painted):.0f} ms")
    browser.wait("document.querySelector('#tags').children.length > 0")
    for asked in ASKED:
        times = []
        for number in range(TIMES):  # another score each time, for the server remembers what it found
            another = asked | {"minimum": f"{float(asked.get('minimum', 0.5)) + number / 1000:.3f}"}
            browser.get("form.elements.minimum.step = 'any'")
            times.append(browser.get(SEARCH % json.dumps(another)))
        found = browser.get("document.querySelector('#status').textContent").split(".")[0]
        words = ", ".join(f"{name} {value}" for name, value in asked.items())
        print(f"{words}: {statistics.median(times):.0f} ms, the fastest {min(times):.0f} ms; {found}")


def main(number: int, given: Path | None) -> None:
    """Generate a library unless one is given, serve it, and open its page."""
    with tempfile.TemporaryDirectory() as folder:
        path = given or Path(folder, "library.sqlite")
        if given is None:
            with Library(path, named(MODEL)) as library:
                for track in tracks(named(MODEL), number):
                    library.write(track)
        with browsing(path, Path(folder)) as (browser, address):
            browser.look(1200, dark=False)
            measure(browser, address)


if __name__ == "__main__":
    word = sys.argv[1] if len(sys.argv) > 1 else "100000"
    main(int(word) if word.isdigit() else 0, None if word.isdigit() else Path(word))
