"""What decoding to mono at 12 kHz costs, by autotag and by other decoders; writes benchmarks/decoders.md.

    python benchmarks/decoders.py [SONG]

`pip install av miniaudio` adds those, ffmpeg makes the files.
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


def with_soundfile(path: Path, dtype: str = "float32", quality: str = "HQ") -> Any:
    """Libsndfile by soundfile alone, channels averaged, resampled at once."""
    samples, sr = soundfile.read(path, dtype=dtype, always_2d=True)
    mono = samples.mean(axis=1, dtype=np.float32) / (32768 if dtype == "int16" else 1)
    return soxr.resample(mono, sr, SR, quality)


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
    "soundfile, soxr at low quality": lambda path: with_soundfile(path, quality="LQ"),
    "soundfile, soxr at very high quality": lambda path: with_soundfile(path, quality="VHQ"),
    "PyAV": with_av,
    "PyAV, its resampler": lambda path: with_av(path, False),
    "miniaudio": with_miniaudio,
    "miniaudio, its resampler": lambda path: with_miniaudio(path, False),
}


HEAD = f"""# Decoders

Written by `python benchmarks/decoders.py`: {SECONDS} s in stereo to mono at 12 kHz, in turns on one thread;
medians of {ROUNDS} rounds of the processor's milliseconds, and of the ratios within a round. The last column
is how far, at most, a score of the default model moves when it hears that decoder's samples instead.

| format | decoder | ms | of autotag's | a score moves by |
|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("song", nargs="?", type=Path, default=Path("examples/song.mp3"))
    song = parser.parse_args().song
    tagger = Tagger(threads=1)
    rows = ""
    with tempfile.TemporaryDirectory() as folder:
        for ending, options in FORMATS.items():
            path = Path(folder, f"clip.{ending}")
            rate = "48000" if ending == "opus" else "44100"
            stereo = "stereowiden,aresample=" + rate  # two channels that differ
            command = ["ffmpeg", "-v", "error", "-i", song, "-t", str(SECONDS), "-ac", "2", "-af", stereo]
            subprocess.run([*command, *options, path], check=True)
            rows += table(ending, path, tagger)
    Path(__file__).with_suffix(".md").write_text(HEAD + rows, "utf-8")
    print(HEAD + rows)


def table(ending: str, path: Path, tagger: Tagger) -> str:
    """A row for each decoder that reads the file."""
    rows = ""
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
        rows += f"| {ending} | {name} | {median(found):.1f} | {ratio:.2f} | {moved:.4f} |\n"
    return rows


if __name__ == "__main__":
    main()
