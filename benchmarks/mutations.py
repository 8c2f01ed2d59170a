"""Damage audio of all formats at random, decode it, and count what comes of it.

    python benchmarks/mutations.py --count 10000 --seed 1

Every input must decode or raise an `AudioError`. Whatever else comes of one is counted under "anything else",
its bytes are kept in a folder that is named, and the exit code is 1. Each input takes a moment at most
(--most); what takes longer is "anything else" too. An input is made from the seed and its number alone, so
one can be made again.
"""

import argparse
import io
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile

from autotag.audio.decode import decode
from autotag.errors import AudioError

SR = 22050
ENCODED = (
    *("aac.m4a", "alac.m4a", "adts.aac", "wmav2.wma", "opus.mka", "vorbis.webm", "ac3.ac3", "dca.dts"),
    *(
        "wavpack.wv",
        "tta.tta",
        "flac.oga",
        "aac.caf",
        "adpcm_ms.wav",
        "pcm_s16le.w64",
        "mp3.avi",
        "mp2.mp3",
    ),
)


def main() -> int:
    """Damage, decode, count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="how many inputs")
    parser.add_argument("--seconds", type=float, help="stop after so many seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=float, default=20.0, help="seconds that one input may take")
    asked = parser.parse_args()
    songs = originals()
    print(f"{len(songs)} formats: {', '.join(songs)}", flush=True)
    counts: Counter[str] = Counter()
    kept: Path | None = None
    path = os.environ.get("PATH", "")
    started = time.monotonic()
    for number in range(asked.count):
        if asked.seconds is not None and time.monotonic() - started > asked.seconds:
            break
        name, data = mutated(songs, np.random.default_rng([asked.seed, number]))
        # An ffmpeg program takes longer to start than all else together, so most inputs are done without one.
        os.environ["PATH"] = path if number % 20 == 0 else ""
        begun = time.monotonic()
        excerpt = (None, 1.0)[number % 2]
        try:
            decode(data, 12000, excerpt, name=name)
            outcome = "ok"
        except AudioError as error:
            outcome = type(error).__name__
        except Exception as error:
            outcome = f"anything else: {type(error).__name__}: {error}"
        if time.monotonic() - begun > asked.most:
            outcome = f"anything else: took {time.monotonic() - begun:.0f} s"
        if outcome.startswith("anything else"):
            kept = kept or Path(tempfile.mkdtemp(prefix="mutations"))
            (kept / f"{number}-{name}").write_bytes(data)
            print(f"{kept}/{number}-{name}: {outcome}", flush=True)
        counts[outcome.split(":")[0]] += 1
    for outcome, count in counts.most_common():
        print(f"{count:8} {outcome}")
    return int(counts["anything else"] > 0)


def originals() -> dict[str, bytes]:
    """A few seconds of sound in every format that can be written here."""
    rng = np.random.default_rng(0)
    t = np.arange(3 * SR) / SR
    tones = sum(np.sin(2 * np.pi * f * t) for f in rng.integers(100, 2000, 5))
    sound = 0.1 * np.stack([tones, tones[::-1]], 1) + 0.02 * rng.standard_normal((len(t), 2))
    songs = {}
    for name, container, subtype in (
        *(("pcm.wav", "WAV", "PCM_16"), ("float.wav", "WAV", "FLOAT"), ("ulaw.wav", "WAV", "ULAW")),
        *(("large.wav", "RF64", "PCM_16"), ("song.flac", "FLAC", "PCM_16"), ("song.ogg", "OGG", "VORBIS")),
        *(
            ("song.opus", "OGG", "OPUS"),
            ("song.mp3", "MP3", "MPEG_LAYER_III"),
            ("song.aiff", "AIFF", "PCM_16"),
        ),
        *(("song.au", "AU", "PCM_16"), ("song.caf", "CAF", "PCM_16"), ("song.w64", "W64", "PCM_16")),
    ):
        file = io.BytesIO()
        sr = 24000 if subtype == "OPUS" else SR
        soundfile.write(file, sound, sr, subtype, format=container)
        songs[name] = file.getvalue()
    if (program := shutil.which("ffmpeg")) is not None:
        with tempfile.TemporaryDirectory() as folder:
            soundfile.write(Path(folder, "song.wav"), sound, SR)
            for name in ENCODED:
                codec, out = name.split(".")[0], Path(folder, name)
                options = [
                    "-c:a",
                    {"adts": "aac", "vorbis": "libvorbis", "mp3": "libmp3lame"}.get(codec, codec),
                ]
                options += ["-ar", "48000"] if codec in ("opus", "ac3", "dca") else []
                command = [
                    program,
                    "-v",
                    "quiet",
                    "-i",
                    f"{folder}/song.wav",
                    "-strict",
                    "-2",
                    *options,
                    str(out),
                ]
                if subprocess.run(command).returncode == 0:
                    songs[name] = out.read_bytes()
    return songs


def mutated(songs: dict[str, bytes], rng: np.random.Generator) -> tuple[str, bytes]:
    """One of the songs, damaged in one to four ways."""
    name = str(rng.choice(list(songs)))
    data = bytearray(songs[name])
    for _ in range(rng.integers(1, 5)):
        # Half of the damage is to the first 200 bytes, where headers stand.
        reach = min(200, len(data)) if rng.random() < 0.5 else len(data)
        at = int(rng.integers(0, max(1, reach)))
        size = min(1 << int(rng.integers(0, 16)), len(data) - at)
        match rng.integers(0, 10):
            case 0:
                data[at : at + size] = rng.bytes(size)
            case 1:
                data[at : at + size] = bytes(size)
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = data[at : at + size]
            case 4:
                del data[at:]
            case 5 if data:
                data[at] ^= 1 << int(rng.integers(0, 8))
            case 6:
                value = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)[rng.integers(0, 5)]
                data[at : at + 4] = struct.pack(str(rng.choice(["<I", ">I"])), value)
            case 7:
                other = songs[str(rng.choice(list(songs)))]
                data += other[: int(rng.integers(0, len(other)))]
            case 8:
                data[:0] = b"ID3\4\0\0" + rng.bytes(4)
            case _:
                other = songs[str(rng.choice(list(songs)))]
                data[at : at + size] = other[at : at + size]
    return name, bytes(data)


if __name__ == "__main__":
    sys.exit(main())
