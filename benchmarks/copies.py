"""What cosine re-encodings of a recording reach, and what other recordings do: `alike.SAME` rests on it.

    python benchmarks/copies.py FOLDER [MODEL] [NUMBER]

Writes the first NUMBER songs of a folder again as MP3, OGG, Opus and WAV of other qualities, rates and
levels, and compares compact embeddings as a library keeps them; and all songs with each other, which are to
be different recordings, an album a folder.
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

BOUNDS = (0.9, 0.95, 0.97, SAME, 0.99)

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
    """Print how high the cosines are."""
    tagger = Tagger(model)
    originals: list[bytes] = []
    albums: list[str] = []
    found: dict[str, list[float]] = {name: [] for name, *_ in COPIES}
    with tempfile.TemporaryDirectory() as place:
        for path in audio_files([Path(folder)]):
            try:
                vector = compact(tagger.embed(path))
                samples, rate = soundfile.read(path, dtype="float32")
            except (AudioError, soundfile.LibsndfileError):
                continue
            originals.append(vector)
            albums.append(str(path.parent))
            if len(originals) > number:
                continue
            for name, ending, options, gain, sr in COPIES:
                copy = Path(place, f"copy{ending}")
                sound = soxr.resample(samples, rate, sr) * gain
                kind = {".opus": ("OGG", "OPUS"), ".mp3": ("MP3", None), ".ogg": ("OGG", "VORBIS")}
                container, codec = kind.get(ending, ("WAV", "PCM_16"))
                channels = 1 if sound.ndim == 1 else sound.shape[1]
                with soundfile.SoundFile(copy, "w", sr, channels, codec, None, container, **options) as file:
                    for start in range(0, len(sound), sr):  # in one piece libsndfile does not survive OGG
                        file.write(sound[start : start + sr])
                found[name].append(float(cosines(compact(tagger.embed(copy)), vector)[0]))
    if not originals:
        sys.exit(f"{folder}: no song in it can be tagged. Name a folder of music.")
    every = np.array([cosines(b"".join(originals), each) for each in originals])
    one, other = np.triu_indices(len(originals), 1)
    of_one_album = np.array(albums)[one] == np.array(albums)[other]
    found["other recordings of one album"] = every[one, other][of_one_album].tolist()
    found["other recordings"] = every[one, other][~of_one_album].tolist()
    for name, values in filter(lambda each: each[1], found.items()):
        reached = ", ".join(f"{np.mean(np.array(values) >= bound):.1%} reach {bound}" for bound in BOUNDS)
        print(
            f"{name}: {len(values)}, from {min(values):.3f} to {max(values):.3f}, "
            f"median {np.median(values):.3f}; {reached}"
        )


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv))
    main(sys.argv[1], arguments.get(2, "vgg-12k-48-x2-db"), int(arguments.get(3, 60)))
