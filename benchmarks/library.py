"""How long `find`, `similar` and `stats` take in a library of 100,000 generated tracks.

    python benchmarks/library.py            # or with another number of tracks

Prints medians of 15: of the functions in one process, and of the whole commands.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from autotag.library.alike import duplicates, similar
from autotag.library.database import Library
from autotag.library.query import find, stats
from autotag.models.registry import ModelFile
from autotag.models.registry import find as named
from autotag.result import Result

MODEL = "vgg-12k-48-x2-db"
TIMES = 15
FINDS = (
    ["piano"],
    ["piano", "beat"],
    ["piano", "beat", "-male"],
    ["guitar", "slow", "-drums", "-female"],
    ["female vocal", "-male", "-techno"],
    ["-vocals"],
    ["piano or guitar", "quiet<0.3"],
    ["piano", "path:artist 12", "duration>3:00"],
)


def tracks(model: ModelFile, number: int) -> Iterator[Result]:
    """Tracks in which some tags go together and others exclude each other; most scores are low."""
    rng = np.random.default_rng(0)
    count = len(model.metadata.outputs)
    moods = rng.normal(0, 0.9, (8, count))
    common = rng.normal(-3.5, 1.2, count)
    for n in range(number):
        logits = common + rng.normal(size=8) @ moods + rng.normal(0, 0.4, count)
        scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
        path = f"/music/artist {n // 100}/album {n // 10}/{n}.mp3"
        yield Result(
            path,
            model.name,
            model.sha256,
            60 + n % 400,
            7,
            (),
            {},
            size=n,
            modified=n,
            scores=scores,
            embedding=rng.standard_normal(128, np.float32),
        )


def milliseconds(what: Callable[[], object]) -> float:
    """Median time of a call."""
    times = []
    for _ in range(TIMES):
        started = time.perf_counter()
        what()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def main(number: int) -> None:
    """Generate a library and ask it."""
    model = named(MODEL)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "library.sqlite")
        started = time.perf_counter()
        with Library(path, model) as library:
            for track in tracks(model, number):
                library.write(track)
        seconds = time.perf_counter() - started
        print(f"{number} tracks: {path.stat().st_size / 1e6:.0f} MB, made in {seconds:.0f} s")

        def command(*arguments: str) -> Callable[[], object]:
            line = [sys.executable, "-m", "autotag", *arguments, "--library", str(path)]
            return lambda: subprocess.run(line, check=True, capture_output=True)

        song = "/music/artist 0/album 3/33.mp3"
        with Library(path) as library:
            for terms in FINDS:
                wanted = [term for term in terms if term[0] != "-"]
                unwanted = [term[1:] for term in terms if term[0] == "-"]
                every = len(find(library, wanted, unwanted, limit=0))
                ms = milliseconds(lambda w=wanted, u=unwanted: find(library, w, u))  # type: ignore[misc]
                print(f"find {' '.join(terms)}: {ms:.1f} ms for the best 50 of {every}")
            print(f"similar: {milliseconds(lambda: similar(library, song)):.1f} ms")
            print(f"stats: {milliseconds(lambda: stats(library)):.1f} ms")
            started = time.perf_counter()
            duplicates(library)
            print(f"stats --duplicates: {time.perf_counter() - started:.1f} s")
        print(f"autotag {' '.join(['find', *FINDS[2]])}: {milliseconds(command('find', *FINDS[2])):.0f} ms")
        print(f"autotag similar: {milliseconds(command('similar', song)):.0f} ms")
        print(f"autotag stats: {milliseconds(command('stats')):.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
