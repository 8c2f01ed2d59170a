"""How much of a song is enough: what its best tags share with those of all of it, and what they cost.

    python benchmarks/excerpts.py FOLDER [MODEL ...]

For each song of two minutes or more of a folder: the share of its five best tags that `--excerpts N` finds
too, with a 95 % interval (bootstrap over songs), the same share of its even with its odd segments, and the
processor's time against that for all of the song, one thread, in one run.
"""

import sys
import time
from pathlib import Path

import numpy as np

from autotag import Excerpt, Result, Tagger, TagRequest
from autotag.audio.folders import audio_files
from autotag.errors import AudioError
from autotag.models.registry import find

COUNTS = (1, 2, 3, 4, 6)
SECONDS = 120
MODELS = ("vgg-12k-48-x2-db", "vgg-12k-48-x5-db", "vgg-12k-48-x10-db")


def main(folder: str, *models: str) -> None:
    """Print a table for each model."""
    for name in models or MODELS:
        tagger = Tagger(find(name).path, threads=1)
        shares: dict[str, list[float]] = {}
        times: dict[str, float] = {}
        for path in audio_files([Path(folder)]):
            try:
                if tagger.tag(path, TagRequest(excerpt=1)).duration < SECONDS:
                    continue
                whole, costs = _timed(tagger, path, TagRequest())
            except AudioError:
                continue
            times["all"] = times.get("all", 0) + costs
            scores = tagger.scores(path)
            halves = [_best(tagger, scores.scores[start::2].mean(axis=0)) for start in (0, 1)]
            shares.setdefault("even and odd segments", []).append(_shared(*halves))
            for count in COUNTS:
                request = TagRequest(excerpt=Excerpt(count=count))
                part, costs = _timed(tagger, path, request)
                shares.setdefault(f"--excerpts {count}", []).append(_shared(_names(whole), _names(part)))
                times[f"--excerpts {count}"] = times.get(f"--excerpts {count}", 0) + costs
        print(f"{name}, {len(next(iter(shares.values())))} songs\n")
        print("| | top 5 shared with all of the song | times as fast |\n|---|---|---|")
        for what, found in shares.items():
            values, random = np.array(found), np.random.default_rng(0)
            means = random.choice(values, (2000, len(values))).mean(axis=1)
            low, high = np.percentile(means, (2.5, 97.5))
            faster = f"{times['all'] / times[what]:.1f}" if what in times else ""
            print(f"| {what} | {values.mean():.3f} ({low:.3f} to {high:.3f}) | {faster} |")
        print()


def _timed(tagger: Tagger, path: Path, request: TagRequest) -> tuple[Result, float]:
    started = time.process_time()
    return tagger.tag(path, request), time.process_time() - started


def _best(tagger: Tagger, scores: np.ndarray) -> set[str]:
    return {tag.tag for tag in TagRequest().choose(tagger.metadata.outputs, scores)}


def _names(result: Result) -> set[str]:
    return {tag.tag for tag in result.tags}


def _shared(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, len(one))


if __name__ == "__main__":
    main(*sys.argv[1:])
