"""What tags are worth after what real files go through: other encoders, levels, bands."""

import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from autotag.audio.decode import decode
from autotag.audio.mel import Array, log_mel_blocks
from autotag.audio.segments import fill, segments
from autotag.models.model import Model
from train.console import progress
from train.data.dataset import Dataset
from train.measure.evaluate import for_model
from train.measure.metrics import evaluate

EVERY = 6
"""One in so many test clips is disturbed."""

RATE = 44100


def _mp3(kilobits: int) -> Callable[[Array, Path], Path]:
    level = (320 - kilobits) / (320 - 32)  # of 44.1 kHz, from 320 to 32 kbit/s

    def write(samples: Array, folder: Path) -> Path:
        path = folder / "clip.mp3"
        soundfile.write(path, samples, RATE, bitrate_mode="CONSTANT", compression_level=level)
        return path

    return write


def _ogg(samples: Array, folder: Path) -> Path:
    with soundfile.SoundFile(folder / "clip.ogg", "w", RATE, 1, format="OGG", subtype="VORBIS") as file:
        for start in range(0, len(samples), RATE):  # written at once, a long one crashes libsndfile
            file.write(samples[start : start + RATE])
    return folder / "clip.ogg"


def _wav(change: Callable[[Array], Array]) -> Callable[[Array, Path], Path]:
    def write(samples: Array, folder: Path) -> Path:
        soundfile.write(folder / "clip.wav", change(samples), RATE, "FLOAT")
        return folder / "clip.wav"

    return write


def _clipped(samples: Array) -> Array:
    limit = np.float32(np.quantile(np.abs(samples), 0.99))
    found: Array = np.clip(samples, -limit, limit)
    return found


def _phone(samples: Array) -> Array:
    band = butter(4, (300, 3400), "bandpass", fs=RATE, output="sos")
    found: Array = sosfilt(band, samples).astype(np.float32)
    return found


CONDITIONS: dict[str, Callable[[Array, Path], Path]] = {
    "MP3, 64 kbit/s": _mp3(64),
    "MP3, 320 kbit/s": _mp3(320),
    "OGG Vorbis": _ogg,
    "44.1 kHz stereo": _wav(lambda samples: samples[:, None].repeat(2, axis=1)),
    "-20 dB": _wav(lambda samples: np.float32(0.1) * samples),
    "+6 dB": _wav(lambda samples: np.float32(2) * samples),
    "1 % clipped": _wav(_clipped),
    "300 to 3400 Hz": _wav(_phone),
}
"""From samples at 44.1 kHz to a file that holds what became of them."""


def robustness(
    models: list[Model], dataset: Dataset, usable: NDArray[np.bool_]
) -> list[dict[str, dict[str, float]]]:
    """ROC AUC and mean difference of each model, clip by clip against the labels of the undisturbed clip.

    All models hear the same files: every sixth of the `usable` [clips] to test on as it is, and in each of
    `CONDITIONS`.
    """
    rows = dataset.rows("test", usable)[::EVERY]
    conditions = {"as it is": None, **CONDITIONS}
    scores: dict[str, list[list[Array]]] = {name: [] for name in conditions}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for row in progress(rows, "disturbed clips"):
            path = dataset.root / dataset.paths[row]
            samples = soxr.resample(*_read(path), RATE)
            for condition, write in conditions.items():
                heard = path if write is None else write(samples, folder)
                scores[condition].append(list(_scores(models, heard)))
    return [
        {
            name: _metrics(for_model(dataset, model), rows, np.stack([clip[i] for clip in scores[name]]))
            for name in conditions
        }
        for i, model in enumerate(models)
    ]


def _metrics(dataset: Dataset, rows: NDArray[np.intp], scores: Array) -> dict[str, float]:
    found = evaluate(dataset.truth[rows], dataset.target[rows], scores)
    return {name: round(found[name], 4) for name in ("roc_auc", "mean_abs_difference", "clips")}


def _read(path: Path) -> tuple[Array, int]:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.mean(axis=1), rate


def _scores(models: list[Model], path: Path) -> Iterator[Array]:
    """The mean scores of each model for a file, decoded once per sample rate: [tags]."""
    once = cache(decode)
    for model in models:
        config = model.metadata.config
        signal = fill([once(path, config.sr)], config.segment_samples)
        cut = segments(log_mel_blocks(signal, config), config.frames)
        yield model(np.stack(list(cut)))[0].mean(axis=0)
