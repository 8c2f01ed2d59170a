"""Tag many files in one process, and show that descriptors, threads and memory stay as they are.

    python benchmarks/flat.py --files 5000

The files are short songs in several formats, and such that cannot be tagged: damaged, cut off, empty and
missing ones. Prints a line for every tenth of them. The exit code is 1 if there are more descriptors or
threads at the end than after the first fifth, or over a tenth more memory. Linux only: it reads /proc.
"""

import argparse
import gc
import io
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from autotag import Tagger
from autotag.config import Config

SONG = Path(__file__).parent.parent / "examples" / "song.mp3"
SECONDS = 3
PARTS = 10


class Held(NamedTuple):
    """What this process holds: open files, threads, bytes of memory."""

    descriptors: int
    threads: int
    memory: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=5000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        files = make(Path(place))
        tagger = Tagger(Config(hop=10), threads=1)
        counts: Counter[str] = Counter()
        seen = []
        rest = islice(cycle(files), asked.files)
        print("files  descriptors  threads    MiB")
        for part in range(1, PARTS + 1):
            for path in islice(rest, asked.files // PARTS):
                outcome = tagger.attempt(path)
                counts["ok" if outcome.ok else getattr(outcome, "error", "")] += 1
            gc.collect()  # an error and its traceback hold each other, and with them a decoder's threads
            seen.append(held())
            descriptors, threads, memory = seen[-1]
            done = part * (asked.files // PARTS)
            print(f"{done:5}  {descriptors:11}  {threads:7}  {memory / 2**20:5.1f}", flush=True)
    print(", ".join(f"{count} {what}" for what, count in counts.most_common()))
    first, last = seen[1], seen[-1]
    grown = last.descriptors > first.descriptors or last.threads > first.threads
    sys.exit(grown or last.memory > 1.1 * first.memory)


def held() -> Held:
    status = Path("/proc/self/status").read_text("ascii").splitlines()
    value = {line.split(":")[0]: line.split()[1] for line in status if len(line.split()) > 1}
    return Held(len(list(Path("/proc/self/fd").iterdir())), int(value["Threads"]), 1024 * int(value["VmRSS"]))


def make(folder: Path) -> list[Path]:
    """Songs in what libsndfile writes and, with PyAV, in AAC; and what is left of each when it is damaged."""
    samples, sr = soundfile.read(SONG, frames=SECONDS * 44100, dtype="float32")
    songs = []
    for number, ending in enumerate((".mp3", ".ogg", ".opus", ".flac", ".wav", ".aiff")):
        path = folder / f"{number}{ending}"
        subtype = "OPUS" if ending == ".opus" else None
        rate = 48000 if ending == ".opus" else sr
        soundfile.write(path, samples, rate, subtype, format="OGG" if ending == ".opus" else None)
        songs.append(path)
    with suppress(ImportError):
        songs.append(aac(folder / "6.m4a", samples, sr))
    rng = np.random.default_rng(0)
    damaged = []
    for song in songs:
        data = np.frombuffer(song.read_bytes(), np.uint8).copy()
        (cut := folder / f"cut-{song.name}").write_bytes(data[: len(data) // 2].tobytes())
        data[rng.integers(0, len(data), len(data) // 50)] ^= 255
        (changed := folder / f"changed-{song.name}").write_bytes(data.tobytes())
        damaged += [cut, changed]
    (folder / "empty.mp3").write_bytes(b"")
    (folder / "noise.mp3").write_bytes(rng.bytes(20000))
    return [*songs, *damaged, folder / "empty.mp3", folder / "noise.mp3", folder / "missing.mp3"]


def aac(path: Path, samples: np.ndarray, sr: int) -> Path:
    import av

    encoded = io.BytesIO()
    with av.open(encoded, "w", format="ipod") as file:
        stream = file.add_stream("aac", rate=sr, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), "fltp", "stereo")
        frame.sample_rate = sr
        resampler = av.AudioResampler(stream.format, "stereo", sr, stream.frame_size or 1024)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    path.write_bytes(encoded.getvalue())
    return path


if __name__ == "__main__":
    main()
