"""How fast a folder is tagged, against the bound of decoding, mel-spectrogram and network alone.

python benchmarks/folder.py --files 10000 --hop x10

Makes a folder of hard links to the example song in three formats. Then in turn bare processes, one a job,
score each their share of it and forget the scores, and `autotag` tags it into a file or, with
`--out tags.sqlite`, into a library. Prints files/s of both, their ratio, and on Linux the peak memory of each
with its workers: the proportional set size, in which shared pages count once.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import soundfile

from autotag import Tagger
from autotag.audio.folders import audio_files
from autotag.system.cores import ONE_THREAD, usable_cores

SONG = Path(__file__).parent.parent / "examples" / "song.mp3"
PROC = Path("/proc")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--hop", default="x2")
    parser.add_argument("--jobs", type=int, default=usable_cores())
    parser.add_argument("--rounds", type=int, default=2, help="how often both are run in turn")
    parser.add_argument("--out", default="tags.jsonl", help="name of the file of results")
    parser.add_argument("--share", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.share:
        score(Path(asked.share[0]), int(asked.share[1]), asked.jobs, asked.hop)
        return
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place, "music"), Path(place, asked.out)
        make(folder, asked.files)
        options = ["--jobs", str(asked.jobs), "--hop", asked.hop]
        bare = [
            [sys.executable, __file__, "--share", str(folder), str(number), *options]
            for number in range(asked.jobs)
        ]
        tagging = [sys.executable, "-m", "autotag", str(folder), "--out", str(out), *options]
        print(f"{asked.files} files, {asked.jobs} jobs, hop {asked.hop}", flush=True)
        for _ in range(asked.rounds):
            alone = measure("alone", bare, asked.files)
            out.unlink(missing_ok=True)
            tagged = measure("tag", [tagging], asked.files)
            print(f"tagging has {tagged / alone:.0%} of the speed of what it is made of", flush=True)


def make(folder: Path, files: int) -> None:
    """A folder of so many files, a hundred in each folder below it."""
    folder.mkdir()
    samples, sr = soundfile.read(SONG)
    variants = [folder.parent / f"song{ending}" for ending in (".mp3", ".ogg", ".flac")]
    shutil.copy(SONG, variants[0])
    for variant in variants[1:]:
        with soundfile.SoundFile(variant, "w", sr, samples.shape[1]) as file:
            for start in range(0, len(samples), sr):  # libsndfile crashes on a long OGG in one piece
                file.write(samples[start : start + sr])
    for number in range(files):
        variant = variants[number % len(variants)]
        link = folder / f"{number // 100:04}" / f"{number % 100:02}{variant.suffix}"
        link.parent.mkdir(exist_ok=True)
        link.hardlink_to(variant)


def score(folder: Path, number: int, jobs: int, hop: str) -> None:
    """Score every file of a share on one thread."""
    tagger = Tagger(f"vgg-12k-48-{hop}-db", threads=1)
    for path in list(audio_files([folder]))[number::jobs]:
        tagger.scores(path)


def measure(name: str, commands: list[list[str]], files: int) -> float:
    """Files/s of commands that run at the same time."""
    started = time.perf_counter()
    peak = 0
    processes = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | ONE_THREAD)
        for command in commands
    ]
    while any(process.poll() is None for process in processes):
        peak = max(peak, sum(memory(process.pid) for process in processes))
        time.sleep(0.1)
    seconds = time.perf_counter() - started
    if any(process.returncode for process in processes):
        sys.exit(f"{' '.join(commands[0])} failed")
    print(
        f"{name}: {seconds:.1f} s, {files / seconds:.1f} files/s" + f", {peak / 2**20:.0f} MiB" * bool(peak)
    )
    return files / seconds


def memory(process: int) -> int:
    """Bytes of a process and those below it; 0 where there is no /proc."""
    own = 0
    with suppress(OSError, StopIteration):
        lines = (PROC / str(process) / "smaps_rollup").read_text().splitlines()
        own = 1024 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])
        for task in (PROC / str(process) / "task").iterdir():
            own += sum(map(memory, map(int, (task / "children").read_text().split())))
    return own


if __name__ == "__main__":
    main()
