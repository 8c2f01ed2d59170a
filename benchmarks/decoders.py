"""What decoding 29.1 s to mono at 12 kHz costs, format by format, by autotag and by other kept decoders.

    python benchmarks/decoders.py [SONG]

All in turns on one thread, and as milliseconds of the processor's time; a ratio is formed within a round.
`pip install av miniaudio` adds those, ffmpeg makes the files. The last column of each row says how far the
best-known tag of the default model moves when that decoder's samples are tagged instead of autotag's.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
import soxr

from autotag import Tagger
from autotag.audio.decode import decode

ROUNDS = 15
SR = 12000
SECONDS = 29.1
FORMATS = {
    "mp3": ("-b:a", "192k"),
    "flac": (),
    "wav": (),
    "ogg": ("-c:a", "libvorbis", "-q:a", "5"),
    "opus": ("-b:a", "128k"),
    "m4a": ("-b:a", "192k"),
}


def with_soundfile(path: Path, dtype: str = "float32") -> Any:
    """Libsndfile by soundfile alone, channels averaged, resampled at once."""
    samples, sr = soundfile.read(path, dtype=dtype, always_2d=True)
    mono = samples.mean(axis=1, dtype=np.float32) / (32768 if dtype == "int16" else 1)
    return soxr.resample(mono, sr, SR)


def with_av(path: Path, native: bool = True) -> Any:
    """FFmpeg by PyAV: resampled by soxr, or by FFmpeg itself."""
    import av

    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        if native:
            blocks = [frame.to_ndarray() for frame in file.decode(stream)]
            samples = np.concatenate(blocks, axis=1)
            if samples.dtype == np.int16:
                samples = samples.reshape(-1, stream.channels).T.astype(np.float32) / 32768
            elif samples.dtype == np.int32:
                samples = samples.reshape(-1, stream.channels).T.astype(np.float32) / (1 << 31)
            elif len(samples) == 1:
                samples = samples.reshape(-1, stream.channels).T
            return soxr.resample(samples.mean(axis=0), stream.rate, SR)
        resampler = av.AudioResampler("flt", "mono", SR)
        frames = [out for frame in file.decode(stream) for out in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])


def with_miniaudio(path: Path, native: bool = True) -> Any:
    """miniaudio: resampled by soxr, or by itself, linearly."""
    import miniaudio

    if native:
        info = miniaudio.get_file_info(str(path))
        form = miniaudio.SampleFormat.FLOAT32
        found = miniaudio.decode_file(str(path), form, info.nchannels, info.sample_rate)
        samples = np.frombuffer(found.samples, np.float32).reshape(-1, info.nchannels)
        return soxr.resample(samples.mean(axis=1), info.sample_rate, SR)
    found = miniaudio.decode_file(str(path), miniaudio.SampleFormat.FLOAT32, 1, SR)
    return np.frombuffer(found.samples, np.float32)


DECODERS: dict[str, Callable[[Path], Any]] = {
    "autotag": lambda path: decode(path, SR),
    "soundfile": with_soundfile,
    "soundfile, 16 bits": lambda path: with_soundfile(path, "int16"),
    "PyAV": with_av,
    "PyAV, its resampler": lambda path: with_av(path, False),
    "miniaudio": with_miniaudio,
    "miniaudio, its resampler": lambda path: with_miniaudio(path, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("song", nargs="?", type=Path, default=Path("examples/song.mp3"))
    song = parser.parse_args().song
    tagger = Tagger(threads=1)
    print("| format | decoder | ms | of autotag's | tag moves by |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for ending, options in FORMATS.items():
            path = Path(folder, f"clip.{ending}")
            rate = "48000" if ending == "opus" else "44100"
            stereo = "stereowiden,aresample=" + rate  # two channels that differ
            command = ["ffmpeg", "-v", "error", "-i", song, "-t", str(SECONDS), "-ac", "2", "-af", stereo]
            subprocess.run([*command, *options, path], check=True)
            report(ending, path, tagger)


def report(ending: str, path: Path, tagger: Tagger) -> None:
    """A row for each decoder that reads the file."""
    milliseconds: dict[str, list[float]] = {}
    scores = {}
    for name, decoder in DECODERS.items():
        try:
            samples = decoder(path)
        except Exception:  # it is not installed, or does not know the format
            continue
        scores[name] = tagger.scores((samples, SR)).mean()
        milliseconds[name] = []
    for _ in range(ROUNDS):
        for name, found in milliseconds.items():
            started = time.process_time()
            DECODERS[name](path)
            found.append(1000 * (time.process_time() - started))
    for name, found in milliseconds.items():
        ratio = median(a / b for a, b in zip(found, milliseconds["autotag"], strict=True))
        moved = float(np.abs(scores[name] - scores["autotag"]).max())
        print(f"| {ending} | {name} | {median(found):.1f} | {ratio:.2f} | {moved:.4f} |", flush=True)


if __name__ == "__main__":
    main()
