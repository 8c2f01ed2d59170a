"""How fast a folder is tagged, against the bound of only decoding it with the same processes.

python benchmarks/folder.py --files 10000 --hop x10

Makes a folder of hard links to the example song in three formats, then decodes it and tags it in turn, each
in a process of its own with as many workers. Prints files/s of both, their ratio, and on Linux the peak
memory of each with its workers: the proportional set size, in which shared pages count once.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import soundfile

from autotag.audio.decode import Audio
from autotag.audio.folders import audio_files
from autotag.config import DEFAULT
from autotag.system.cores import usable_cores
from autotag.system.pool import in_processes

SONG = Path(__file__).parent.parent / "examples" / "song.mp3"
PROC = Path("/proc")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--hop", default="x2")
    parser.add_argument("--jobs", type=int, default=usable_cores())
    parser.add_argument("--rounds", type=int, default=2, help="how often both are run in turn")
    parser.add_argument("--decode", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.decode:
        decode_all(asked.decode, asked.jobs)
        return
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place, "music"), Path(place, "tags.jsonl")
        make(folder, asked.files)
        jobs = ["--jobs", str(asked.jobs)]
        decoding = [sys.executable, __file__, "--decode", str(folder), *jobs]
        tagging = [sys.executable, "-m", "autotag", str(folder), "--hop", asked.hop, "--out", str(out), *jobs]
        print(f"{asked.files} files, {asked.jobs} jobs, hop {asked.hop}", flush=True)
        for _ in range(asked.rounds):
            decoded = measure("decode", decoding, asked.files)
            out.unlink(missing_ok=True)
            tagged = measure("tag", tagging, asked.files)
            print(f"tagging has {tagged / decoded:.0%} of the speed of decoding", flush=True)


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


def decode_all(folder: Path, jobs: int) -> None:
    for _ in in_processes(partial(decoder, DEFAULT.sr), audio_files([folder]), jobs):
        pass


def decoder(sr: int) -> Callable[[Path], float]:
    def decode(path: Path) -> float:
        audio = Audio(path, sr)
        for _ in audio:
            pass
        return audio.duration

    return decode


def measure(name: str, command: list[str], files: int) -> float:
    """Files/s of a command."""
    started = time.perf_counter()
    peak = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(0.1)
    seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
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
