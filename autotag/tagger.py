"""Load a model once, tag many files."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from autotag.audio.decode import Audio
from autotag.audio.mel import Array, log_mel_blocks
from autotag.audio.segments import fill, is_short, segments
from autotag.config import DEFAULT, HOP
from autotag.errors import AudioError
from autotag.models.metadata import Metadata
from autotag.models.registry import load
from autotag.request import choose
from autotag.result import Failure, Result

Item = TypeVar("Item")

SECONDS_AT_ONCE = 30
"""Audio that one run of the network sees, however long the file."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the network says of each segment of a file, before any choice is made.

    Attributes:
        scores: float32 [segments, tags], in 0..1.
        embeddings: float32 [segments, d].
        weights: float32 [segments], the share of each segment that sounds: silence does not count in a mean.
        times: float64 [segments], seconds at which each segment starts in the file, to within a frame.
        seconds: of audio in the file.
        excerpt: seconds of it that were heard, None for all.
        ms: milliseconds spent on `"decode"`, `"mel"` and `"model"`.
        warnings: what a reader of the scores should know.
    """

    scores: Array
    embeddings: Array
    weights: Array
    times: NDArray[np.float64]
    seconds: float
    excerpt: float | None
    ms: dict[str, float]
    warnings: tuple[str, ...]

    def result(
        self,
        path: str | Path,
        metadata: Metadata,
        top: int = 5,
        threshold: float | str | None = None,
        merge_synonyms: bool = False,
        embed: bool | str = False,
    ) -> Result:
        """The top tags by the mean over the segments; arguments as of `Tagger.tag`."""
        tags = choose(self._mean(self.scores), metadata, top, threshold, merge_synonyms)
        found = Result(
            *(str(path), metadata.name, self.seconds, len(self.scores), tags, self.ms, self.warnings),
            excerpt=self.excerpt,
        )
        if embed == "segments":
            return replace(found, embedding=self.embeddings, times=self.times)
        return replace(found, embedding=self._mean(self.embeddings)) if embed else found

    def _mean(self, values: Array) -> Array:
        """Over the segments, weighed by how much of each sounds."""
        mean: Array = np.average(values, axis=0, weights=self.weights).astype(np.float32)
        return mean


class Tagger:
    """Tags audio files with one model.

    Args:
        model: name of a model at hand, or an ONNX file.
        threads: of one inference; by default all cores this process may use.
        batch: segments of one inference; by default those of 30 s: one of VGG-CNN, ten of MUSICNN.
        device: one of `autotag.models.model.PROVIDERS`.

    Raises:
        ModelNotFound, ModelError, DeviceNotFound
    """

    def __init__(
        self,
        model: str | Path = DEFAULT.name,
        threads: int | None = None,
        batch: int | None = None,
        device: str = "cpu",
    ) -> None:
        self._model = load(model, threads, device)
        self.metadata = self._model.metadata
        config = self.metadata.config
        self._batch = batch or max(1, round(SECONDS_AT_ONCE * config.sr / config.segment_samples))

    def tag(
        self,
        path: str | Path,
        top: int = 5,
        threshold: float | str | None = None,
        merge_synonyms: bool = False,
        seconds: float | None = None,
        embed: bool | str = False,
    ) -> Result:
        """The top tags of a file by the mean score over its segments: see `autotag.request.choose`.

        Args:
            seconds: hear only an excerpt of that length, from the middle: 29.1 is the study's.
            embed: put the mean embedding into the result too, or with `"segments"` that of each segment.

        Raises:
            AudioError: the file cannot be tagged; see its subclasses.
            ValueError: as `choose` does, or `seconds` is not above 0.
        """
        heard = self.scores(path, seconds)
        return heard.result(path, self.metadata, top, threshold, merge_synonyms, embed)

    def taggram(self, path: str | Path, step: float | None = None) -> tuple[Array, NDArray[np.float64]]:
        """Tags over time: scores float32 [segments, tags], and times float64 [segments] in seconds.

        A segment starts at its time and is `metadata.config.segment_samples / metadata.config.sr` s long; its
        tags are in the order of `metadata.tags`.

        Args:
            step: seconds from one segment to the next; less than a segment, and they overlap. By default
                each begins where the one before ends. The last one is moved back to end with the file.

        Raises:
            AudioError: the file cannot be tagged; see its subclasses.
            ValueError: `step` is less than a frame, or more than a segment.
        """
        heard = self.scores(path, step=step)
        return heard.scores, heard.times

    def embed(self, path: str | Path) -> Array:
        """The network's embedding of a file, float32 [d]: the mean over its segments.

        `scores` has that of each segment.

        Raises:
            AudioError: the file cannot be tagged; see its subclasses.
        """
        heard = self.scores(path)
        return heard._mean(heard.embeddings)

    def scores(self, path: str | Path, seconds: float | None = None, step: float | None = None) -> Scores:
        """Scores and embeddings of each segment of a file, in constant memory but for these.

        Args:
            seconds: as of `tag`.
            step: as of `taggram`.

        Raises:
            AudioError: the file cannot be tagged; see its subclasses.
            ValueError: `seconds` is not above 0, or `step` as in `taggram`.
        """
        config = self.metadata.config
        frames_apart = self._frames(step)
        ms = dict.fromkeys(("decode", "mel", "model"), 0.0)
        audio = Audio(path, config.sr, seconds)
        signal = fill(_timed(audio, ms, "decode"), config.segment_samples)
        cut = _timed(segments(log_mel_blocks(signal, config), config.frames, frames_apart), ms, "mel")
        outputs = []
        while batch := list(islice(cut, self._batch)):
            started = time.perf_counter()
            outputs.append(self._model(np.stack(batch)))
            ms["model"] += 1000 * (time.perf_counter() - started)
        ms["mel"] -= ms["decode"]  # its clock ran while it waited for samples

        warnings = list(audio.warnings)
        excerpt = audio.seconds_read if audio.seconds_read < audio.duration else None
        if excerpt is None and is_short(round(audio.duration * config.sr), config.segment_samples):
            whole = config.segment_samples / config.sr
            warnings.append(
                f"{audio.duration:.1f} s is less than one segment of {whole:.1f} s: repeated to fill it"
            )
        scores, embeddings = (np.concatenate(output) for output in zip(*outputs, strict=True))
        starts = np.arange(len(scores)) * frames_apart * config.hop * HOP / config.sr
        last = max(0.0, audio.seconds_read - config.segment_samples / config.sr)
        starts = np.minimum(starts, last)
        weights = audio.weights(starts, config.segment_samples / config.sr)
        return Scores(
            scores, embeddings, weights, audio.start + starts, audio.duration, excerpt, ms, tuple(warnings)
        )

    def _frames(self, step: float | None) -> int:
        """Frames from one segment to the next."""
        config = self.metadata.config
        if step is None:
            return config.frames
        frames = round(step * config.sr / (HOP * config.hop)) if 0 < step < math.inf else 0
        if not 1 <= frames <= config.frames:
            frame = HOP * config.hop / config.sr
            raise ValueError(
                f"a step of {step:g} s: use one from {frame:.3f} s, a frame of {config.name}, to "
                f"{config.frames * frame:.2f} s, its segment"
            )
        return frames

    def tag_all(
        self,
        paths: Iterable[str | Path],
        top: int = 5,
        threshold: float | str | None = None,
        merge_synonyms: bool = False,
        seconds: float | None = None,
    ) -> Iterator[Result | Failure]:
        """Tag file after file; one that cannot be tagged is a Failure and stops nothing."""
        for path in paths:
            try:
                yield self.tag(path, top, threshold, merge_synonyms, seconds)
            except AudioError as error:
                yield Failure(str(path), error.kind, str(error))


def _timed(items: Iterable[Item], ms: dict[str, float], step: str) -> Iterator[Item]:
    """The items, with the milliseconds spent on making them added to `ms[step]`."""
    iterator = iter(items)
    while True:
        started = time.perf_counter()
        try:
            item = next(iterator)
        except StopIteration:
            return
        finally:
            ms[step] += 1000 * (time.perf_counter() - started)
        yield item
