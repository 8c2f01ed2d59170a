"""How much of a song is enough: what its best tags share with those of all of it, and what they cost.

    python benchmarks/excerpts.py FOLDER [MODEL ...] [CURVE.svg]

For each song of two minutes or more of a folder: the share of its five best tags that `--excerpts N` finds
too, with a 95 % interval (bootstrap over songs), the same share of its even with its odd segments, and the
processor's time against that for all of the song, one thread, in one run; and the curve of it.
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
HALVES = "even and odd segments"
MODELS = ("vgg-12k-48-x2-db", "vgg-12k-48-x5-db", "vgg-12k-48-x10-db")


def main(folder: str, *asked: str) -> None:
    """Print a table for each model, and draw the curve."""
    figures = [Path(name) for name in asked if name.endswith(".svg")]
    models = [name for name in asked if not name.endswith(".svg")] or MODELS
    curves = {name: table(Tagger(find(name).path, threads=1), Path(folder)) for name in models}
    for figure in figures:
        draw(curves, figure)


def table(tagger: Tagger, folder: Path) -> dict[str, tuple[float, float, float]]:
    """Print the table of a model: by what was tagged, the mean share and its interval."""
    shares: dict[str, list[float]] = {}
    times: dict[str, float] = {}
    for path in audio_files([folder]):
        try:
            if tagger.tag(path, TagRequest(excerpt=1)).duration < SECONDS:
                continue
            started = time.process_time()
            scores = tagger.scores(path)
            times["all"] = times.get("all", 0) + time.process_time() - started
        except AudioError:
            continue
        halves = [_best(tagger, scores.scores[start::2].mean(axis=0)) for start in (0, 1)]
        shares.setdefault(HALVES, []).append(_shared(*halves))
        whole = _names(scores.result(TagRequest(), None))
        for count in COUNTS:
            part, costs = _timed(tagger, path, TagRequest(excerpt=Excerpt(count=count)))
            shares.setdefault(f"--excerpts {count}", []).append(_shared(whole, _names(part)))
            times[f"--excerpts {count}"] = times.get(f"--excerpts {count}", 0) + costs
    print(f"{tagger.metadata.name}, {len(shares[HALVES])} songs\n")
    print("| | top 5 shared with all of the song | times as fast |\n|---|---|---|")
    found = {}
    for what, values in shares.items():
        drawn = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
        mean, low, high = found[what] = float(np.mean(values)), *np.percentile(drawn, (2.5, 97.5))
        faster = f"{times['all'] / times[what]:.1f}" if what in times else ""
        print(f"| {what} | {mean:.3f} ({low:.3f} to {high:.3f}) | {faster} |", flush=True)
    print()
    return found


def draw(curves: dict[str, dict[str, tuple[float, float, float]]], path: Path) -> None:
    """The share over the number of excerpts, with its interval; dashed that of even with odd segments."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "autotag"
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for shift, (name, found) in enumerate(curves.items()):
        means, lows, highs = zip(*(found[f"--excerpts {count}"] for count in COUNTS), strict=True)
        errors = np.subtract(means, lows), np.subtract(highs, means)
        line = axes.errorbar(np.add(COUNTS, 0.06 * shift), means, errors, marker="o", capsize=3, label=name)
        axes.axhline(found[HALVES][0], color=line[0].get_color(), linestyle="--", linewidth=1)
    axes.set(
        xlabel="excerpts of 29.1 s", ylabel="top 5 shared with all of the song", xticks=COUNTS, ylim=(None, 1)
    )
    axes.legend(loc="lower right", title="dashed: even with odd segments")
    figure.savefig(path, metadata={"Date": None})


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
