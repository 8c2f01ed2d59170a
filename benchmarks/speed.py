"""How fast autotag is, warm and cold, beside the same task done by others; writes benchmarks/speed.md.

    python benchmarks/speed.py [--teacher MTT_musicnn.onnx] [--musicnn PYTHON]

Runs `autotag bench` twice, and says how well the two agree. With `--teacher` (an ONNX file of the network
that the musicnn package ships) and `--musicnn` (a Python that has the package: Python 3.11 with
tensorflow-cpu 2.15.1, numpy 1.26 and librosa 0.10, then `pip install --no-deps musicnn`), a clip of 29.1 s
is tagged by each in turn: warm in processes that wait for their turn, and by commands from a cold start.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from autotag.system.cores import ONE_THREAD

HERE = Path(__file__).parent
MODELS = {"x2": "vgg-12k-48-x2-db", "x10": "vgg-12k-48-x10-db"}
ROUNDS = 10
ALONE = ONE_THREAD | {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

AUTOTAG = """
from autotag import Tagger
tagger = Tagger({0!r}, threads=1)
run = lambda: tagger.tag({1!r})
"""
TEACHER = """
import numpy, onnxruntime
from autotag.audio.decode import decode
from autotag.audio.mel import log_mel
from autotag.config import Config
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession({0!r}, options, providers=["CPUExecutionProvider"])
config = Config("musicnn", 16000, 96, 1, "log")
def run():
    mel = log_mel(decode({1!r}, config.sr), config).T
    starts = range(0, len(mel) - config.frames + 1, config.frames)
    patches = numpy.stack([mel[start:start + config.frames] for start in starts])
    return session.run(["probs"], {{"logmel": patches}})[0].mean(axis=0)
"""
MUSICNN = """
from musicnn.tagger import top_tags
run = lambda: top_tags({1!r}, model="MTT_musicnn", topN=5, print_tags=False)
"""
TURNS = """
import sys, time
said, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    started = time.perf_counter()
    run()
    print(time.perf_counter() - started, file=said, flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--musicnn", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make = "import sys, pathlib, autotag.speed.measure as m; m.clip(pathlib.Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", make, folder], check=True)
        song = str(Path(folder, "clip.mp3"))
        programs = {
            f"autotag --hop {hop}": (sys.executable, AUTOTAG.format(name, song))
            for hop, name in MODELS.items()
        }
        commands = {
            f"autotag --hop {hop}": [sys.executable, "-m", "autotag", song, "--hop", hop] for hop in MODELS
        }
        imports = "import numpy, onnxruntime, soundfile, soxr"
        commands[imports] = [sys.executable, "-c", imports]
        if asked.teacher:
            program = TEACHER.format(str(asked.teacher.absolute()), song)
            programs["MTT_musicnn on onnxruntime"] = (sys.executable, program)
        if asked.musicnn:
            programs["musicnn"] = (str(asked.musicnn), MUSICNN.format("", song))
            commands["musicnn"] = [str(asked.musicnn), "-m", "musicnn.tagger", song, "--print"]
        started = cold(commands)  # first: the memory of a process begins with that of the one that starts it
        warmed = warm(programs)
        benches = [bench(song) for _ in range(2)]
    text = report(started, warmed, benches)
    (HERE / "speed.md").write_text(text, "utf-8")
    print(text)


def cold(commands: dict[str, list[str]]) -> dict[str, tuple[float, float]]:
    """Median seconds and largest megabytes of each command, in turns, with all cores."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    memory = dict.fromkeys(commands, 0.0)
    for turn in range(ROUNDS + 1):
        for name, command in commands.items():
            began = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            if status:
                sys.exit(f"{name} failed: {' '.join(command)}")
            if turn:
                seconds[name].append(time.perf_counter() - began)
            memory[name] = max(memory[name], used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3))
    return {name: (median(found), memory[name]) for name, found in seconds.items()}


def warm(programs: dict[str, tuple[str, str]]) -> dict[str, float]:
    """Median milliseconds of each program for the clip, end to end, in turns, with one thread."""
    processes = {
        name: subprocess.Popen(
            [python, "-c", code + TURNS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | ALONE,
        )
        for name, (python, code) in programs.items()
    }
    found: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(ROUNDS + 2):
        for name, process in processes.items():
            assert process.stdin
            assert process.stdout
            process.stdin.write("\n")
            process.stdin.flush()
            milliseconds = 1000 * float(process.stdout.readline())
            if turn > 1:
                found[name].append(milliseconds)
    for process in processes.values():
        process.communicate()
    return {name: median(times) for name, times in found.items()}


def bench(song: str) -> dict[str, Any]:
    run = [sys.executable, "-m", "autotag", "bench", song, "--json"]
    found: dict[str, Any] = json.loads(subprocess.run(run, capture_output=True, check=True).stdout)
    return found


def report(
    started: dict[str, tuple[float, float]], warmed: dict[str, float], benches: list[dict[str, Any]]
) -> str:
    """All of it in Markdown."""
    first, second = benches
    machine = ", ".join(f"{name} {value}" for name, value in first["machine"].items())
    lines = [
        "# Speed",
        "",
        f"Written by `python benchmarks/speed.py` on {datetime.now(UTC):%Y-%m-%d}: {machine}.",
        f"All is run in turns; medians of {ROUNDS} rounds, or of {first['rounds']} in the last table. What",
        "counts are ratios: other machines have other times.",
        "",
        "## A clip of 29.1 s, warm, from file to tags, one thread",
        "",
        "| | ms | times as long as x2 |",
        "|---|---|---|",
    ]
    base = warmed["autotag --hop x2"]
    lines += [f"| {name} | {ms:.0f} | {ms / base:.1f} |" for name, ms in warmed.items()]
    lines += ["", "## From a cold start, all cores", "", "| | s | times as long as x2 | peak MB |"]
    lines += ["|---|---|---|---|"]
    base = started["autotag --hop x2"][0]
    lines += [f"| {name} | {s:.2f} | {s / base:.2f} | {mb:.0f} |" for name, (s, mb) in started.items()]
    lines += ["", f"## Every model, one thread (`autotag bench`, / {first['baseline']})", ""]
    lines += [
        "GMAC is the work of a configuration as the study counts it; an INT8 file with split convolutions"
    ]
    lines += ["does 0.4 of it ([how](../models/README.md#how-small-they-are)).", ""]
    lines += ["| model | GMAC | mel ms | model ms | / baseline | in a second run | GMAC/s |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for one, two in zip(first["models"], second["models"], strict=True):
        ms, ratio = one["ms"], one["relative_to_baseline"]
        lines.append(
            f"| {one['model']} | {one['gmac']:.2f} | {ms['mel']['median']:.1f} | {ms['model']['median']:.1f} "
            f"| {ratio['median']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f}) "
            f"| {two['relative_to_baseline']['median']:.3f} | {one['gmac_per_second']:.0f} |"
        )
    decoding = first["models"][0]["ms"]["decode"]["median"]
    lines += ["", f"Decoding the clip (stereo MP3, 44.1 kHz) takes {decoding:.1f} ms.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
