"""Load a model once, tag any audio."""

import math
import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from autotag.audio.content import AudioInput, is_one
from autotag.audio.decode import Audio
from autotag.audio.held import Held
from autotag.audio.mel import log_mel_blocks
from autotag.audio.segments import fill, is_short, segments
from autotag.config import DEFAULT, HOP, Excerpt
from autotag.errors import AudioError, AutotagError, Crashed
from autotag.models.registry import ModelChoice, load
from autotag.request import TagRequest
from autotag.result import Failure, Outcome, Result
from autotag.scores import Scores
from autotag.system.progress import progressed

Array = NDArray[np.float32]
Item = TypeVar("Item")

SECONDS_AT_ONCE = 30
"""Audio that one run of the network sees, however long the file."""


class Tagger:
    """Tags audio with one model.

    Args:
        model: a configuration, the name of an installed model, or an ONNX file.
        threads: of one inference; by default all cores this process may use.
        batch: segments of one inference; by default those of 30 s: one of VGG-CNN, ten of MUSICNN.
        device: one of `autotag.models.model.PROVIDERS`.

    Raises:
        ModelNotFound, ModelError, DeviceNotFound

    Attributes:
        metadata: what the model says of itself.

    >>> Tagger("vgg-12k-48-x10-db")
    Tagger('vgg-12k-48-x10-db')
    """

    def __init__(
        self,
        model: ModelChoice = DEFAULT,
        *,
        threads: int | None = None,
        batch: int | None = None,
        device: str = "cpu",
    ) -> None:
        self._arguments = {"model": model, "threads": threads, "batch": batch, "device": device}
        self._model = load(model, threads, device)
        self.metadata = self._model.metadata
        config = self.metadata.config
        self._batch = batch or max(1, round(SECONDS_AT_ONCE * config.sr / config.segment_samples))

    def __repr__(self) -> str:
        return f"Tagger({self.metadata.name!r})"

    def __getstate__(self) -> dict[str, Any]:
        return self._arguments

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        """Load the model in the process that unpickles this."""
        self.__init__(**arguments)  # type: ignore[misc]

    def tag(
        self, audio: AudioInput, request: TagRequest = TagRequest(), *, name: str | None = None
    ) -> Result:
        """The tags of a sound by the mean score over its segments.

        Args:
            audio: a path; bytes or a file object of an encoded file; or samples and their rate in Hz,
                [n] or [n, channels].
            request: which tags, and what else.
            name: `Result.path`, and what errors call a sound that has no path.

        Raises:
            AudioError: it cannot be tagged; see its subclasses.
            VocabularyNotFound: the model has no output of the request's vocabulary.
            TypeError: `audio` is none of these.
        """
        path = str(Path(os.fsdecode(audio))) if name is None and isinstance(audio, str | PathLike) else name
        return self.scores(audio, request.excerpt, name=name).result(request, path)

    def tag_all(
        self, audios: "Iterable[AudioInput] | AudioInput", request: TagRequest = TagRequest()
    ) -> Iterator[Outcome]:
        """Tag sound after sound; one that cannot be tagged is a Failure and stops nothing.

        Args:
            audios: as of `tag`; one is a list of one.
            request: as of `tag`.
        """
        for audio in [audios] if is_one(audios) else audios:  # type: ignore[union-attr]
            yield self.attempt(audio, request)  # type: ignore[arg-type]

    def attempt(
        self, audio: AudioInput, request: TagRequest = TagRequest(), *, name: str | None = None
    ) -> Outcome:
        """The outcome of `tag`: an error about the sound is a Failure, and is not raised."""
        if name is None:
            name = os.fsdecode(audio) if isinstance(audio, str | PathLike) else None
        try:
            return self.tag(audio, request, name=name)
        except Exception as error:  # whatever it is, the next sound can be tagged
            return failure(error, name, f"{audio!r:.60}")

    def embed(self, audio: AudioInput) -> Array:
        """The network's embedding of a sound, float32 [d]: the mean over its segments.

        Raises:
            AudioError: it cannot be tagged; see its subclasses.
        """
        return self.scores(audio).embedding()

    def scores(
        self,
        audio: AudioInput | Held,
        excerpt: Excerpt | float | None = None,
        step: float | None = None,
        *,
        name: str | None = None,
    ) -> Scores:
        """Scores and embeddings of each segment of a sound, in constant memory but for these.

        Args:
            audio: as of `tag`; or a sound that is held at the model's rate, its excerpts taken.
            excerpt: take only so many seconds from the middle, or several excerpts.
            step: seconds from one segment to the next; less than a segment, and they overlap. By default
                each begins where the one before ends. The last one is moved back to end with the file.

        Raises:
            AudioError: it cannot be tagged; see its subclasses.
            ValueError: `excerpt` is not above 0; `step` is less than a frame, or more than a segment.
        """
        config = self.metadata.config
        ms = dict.fromkeys(("decode", "mel", "model"), 0.0)
        sound = audio if isinstance(audio, Held) else Audio(audio, config.sr, excerpt, name=name)
        frames_apart = self._frames(step)
        places: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        cut = timed(self._segments(sound, frames_apart, ms, places), ms, "mel")
        outputs = []
        while batch := list(islice(cut, self._batch)):
            started = time.perf_counter()
            outputs.append(self._model(np.stack(batch)))
            progressed()
            ms["model"] += 1000 * (time.perf_counter() - started)
        ms["mel"] -= ms["decode"]  # its clock ran while it waited for samples

        length = config.segment_samples / config.sr
        part = sound.seconds_read if sound.seconds_read < sound.duration else None
        warnings = list(sound.warnings)
        if self.metadata.untrained:
            warnings.append(f"{self.metadata.name} is untrained: its tags mean nothing")
        if part is None and is_short(round(sound.duration * config.sr), config.segment_samples):
            warnings.append(
                f"{sound.duration:.1f} s is less than one segment of {length:.1f} s: repeated to fill it"
            )
        scores, embeddings = (np.concatenate(output) for output in zip(*outputs, strict=True))
        starts, times = (np.concatenate(each) for each in zip(*places, strict=True))
        return Scores(
            outputs=self.metadata.outputs,
            uncalibrated=self.metadata.uncalibrated_tags,
            scores=scores,
            embeddings=embeddings,
            weights=sound.weights(starts, length),
            times=times,
            segment_seconds=length,
            duration=sound.duration,
            excerpt=part,
            model=self.metadata.name,
            sha256=self._model.sha256,
            ms=ms,
            warnings=tuple(warnings),
        )

    def _segments(
        self,
        sound: Audio | Held,
        frames_apart: int,
        ms: dict[str, float],
        places: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    ) -> Iterator[Array]:
        """The segments that the network sees, float32 [mels, frames], excerpt after excerpt.

        Args:
            frames_apart: from the start of one segment to the next.
            ms: gets the time of decoding.
            places: gets a pair for each excerpt, once it is read: seconds [segments] at which its segments
                start in all that was read, and in the file.
        """
        config = self.metadata.config
        read = 0.0
        for start, blocks in timed(sound.parts(), ms, "decode"):
            part = Counted(timed(blocks, ms, "decode"))
            signal = fill(part, config.segment_samples)
            count = 0
            for segment in segments(log_mel_blocks(signal, config), config.frames, frames_apart):
                count += 1
                yield segment
            seconds = part.samples / config.sr
            starts = np.arange(count) * frames_apart * config.hop * HOP / config.sr
            starts = np.minimum(starts, max(0.0, seconds - config.segment_samples / config.sr))
            places.append((read + starts, start + starts))
            read += seconds

    def _frames(self, step: float | None) -> int:
        """Frames from one segment to the next."""
        config = self.metadata.config
        if step is None:
            return config.frames
        frames = round(step * config.sr / (HOP * config.hop)) if 0 < step < math.inf else 0
        if not 1 <= frames <= config.frames:
            frame = HOP * config.hop / config.sr
            raise ValueError(
                f"The step is {step:g} s. Use one from {frame:.3f} s, a frame of {config.name}, to "
                f"{config.frames * frame:.2f} s, its segment."
            )
        return frames


class Counted:
    """Blocks of samples, and how many samples have passed."""

    def __init__(self, blocks: Iterable[Array]) -> None:
        self._blocks = blocks
        self.samples = 0

    def __iter__(self) -> Iterator[Array]:
        for block in self._blocks:
            self.samples += len(block)
            yield block


def failure(error: Exception, path: str | None, what: str = "") -> Failure:
    """An error about a sound as a value; an error about the request is raised again.

    Args:
        path: of the sound; None for one that has none.
        what: names such a sound in the message.
    """
    if isinstance(error, AudioError):
        return Failure(path, type(error).__name__, str(error))
    if isinstance(error, AutotagError):
        raise error
    return Failure(path, Crashed.__name__, f"{path or what}: {type(error).__name__}: {error}")


def timed(items: Iterable[Item], ms: dict[str, float], step: str) -> Iterator[Item]:
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
