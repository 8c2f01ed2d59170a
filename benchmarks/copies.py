"""What cosine re-encodings of a recording reach, and what other recordings do: `alike.SAME` rests on it.

    python benchmarks/copies.py FOLDER [MODEL] [NUMBER]

Takes the first NUMBER songs of a folder, writes each again as MP3, OGG, Opus and WAV of other qualities,
rates and levels, and compares compact embeddings as a library keeps them.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

from autotag.audio.folders import audio_files
from autotag.errors import AudioError
from autotag.library.alike import SAME
from autotag.library.vectors import compact, cosines
from autotag.tagger import Tagger

COPIES: tuple[tuple[str, str, dict[str, float], float, int], ...] = (
    ("mp3, best", ".mp3", {"compression_level": 0.0}, 1.0, 44100),
    ("mp3, middle", ".mp3", {"compression_level": 0.5}, 1.0, 44100),
    ("mp3, worst", ".mp3", {"compression_level": 0.99}, 1.0, 44100),
    ("ogg, worst", ".ogg", {"compression_level": 0.9}, 1.0, 44100),
    ("opus", ".opus", {}, 1.0, 48000),
    ("wav, 22 kHz", ".wav", {}, 1.0, 22050),
    ("wav, -12 dB", ".wav", {}, 0.25, 44100),
)


def main(folder: str, model: str = "vgg-12k-48-x2-db", number: int = 60) -> None:
    """Print percentiles of the cosines."""
    tagger = Tagger(model)
    originals: list[bytes] = []
    found: dict[str, list[float]] = {name: [] for name, *_ in COPIES}
    with tempfile.TemporaryDirectory() as place:
        for path in audio_files([Path(folder)]):
            if len(originals) == number:
                break
            try:
                vector = compact(tagger.embed(path))
                samples, rate = soundfile.read(path, dtype="float32")
            except (AudioError, soundfile.LibsndfileError):
                continue
            originals.append(vector)
            for name, ending, options, gain, sr in COPIES:
                copy = Path(place, f"copy{ending}")
                sound = soxr.resample(samples, rate, sr) * gain
                kind = {".opus": ("OGG", "OPUS"), ".mp3": ("MP3", None), ".ogg": ("OGG", "VORBIS")}
                container, codec = kind.get(ending, ("WAV", "PCM_16"))
                soundfile.write(copy, sound, sr, format=container, subtype=codec, **options)
                found[name].append(float(cosines(compact(tagger.embed(copy)), vector)[0]))
    for name, values in found.items():
        share = np.mean(np.array(values) >= SAME)
        lowest, low, rather, median = np.percentile(values, (0, 1, 5, 50))
        print(
            f"{name}: lowest {lowest:.3f}, 1 % {low:.3f}, 5 % {rather:.3f}, median {median:.3f}; {share:.1%}"
        )
    others = [np.delete(cosines(b"".join(originals), each), n).max() for n, each in enumerate(originals)]
    print(
        f"nearest other recording: median {np.median(others):.3f}, 95 % {np.percentile(others, 95):.3f}, "
        f"highest {max(others):.3f}; {np.mean(np.array(others) >= SAME):.1%} of at least {SAME}"
    )


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv))
    main(sys.argv[1], arguments.get(2, "vgg-12k-48-x2-db"), int(arguments.get(3, 60)))
