"""What a network says of a sound, before any tag is chosen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autotag.meaning import Output
from autotag.request import TagRequest
from autotag.result import Result

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scores:
    """What a network says of each segment of a sound.

    Attributes:
        outputs: what the network scores.
        uncalibrated: tags whose scores do not say how likely they are.
        scores: float32 [segments, outputs], in 0..1.
        embeddings: float32 [segments, d].
        weights: float32 [segments], the share of each segment that sounds: silence does not count in a mean.
        times: float64 [segments], seconds at which each segment starts in the file, to within a frame.
        segment_seconds: seconds of one segment.
        duration: seconds of audio in the file.
        excerpt: seconds of it that were tagged, None for all.
        model, sha256: the model's name, and the hash of its file.
        ms: milliseconds spent on `"decode"`, `"mel"` and `"model"`.
        warnings: what a reader of the scores should know.
    """

    outputs: tuple[Output, ...]
    uncalibrated: frozenset[str]
    scores: Array
    embeddings: Array
    weights: Array
    times: NDArray[np.float64]
    segment_seconds: float
    duration: float
    excerpt: float | None
    model: str
    sha256: str
    ms: dict[str, float]
    warnings: tuple[str, ...]

    def mean(self) -> Array:
        """The score of each output, the mean over the segments: float32 [outputs]."""
        return self._mean(self.scores)

    def embedding(self) -> Array:
        """The mean embedding over the segments: float32 [d]."""
        return self._mean(self.embeddings)

    def _mean(self, values: Array) -> Array:
        """Over the segments, weighed by how much of each sounds."""
        mean: Array = np.average(values, axis=0, weights=self.weights).astype(np.float32)
        return mean

    def result(self, request: TagRequest, path: str | None = None) -> Result:
        """The tags that a request chooses.

        Raises:
            VocabularyNotFound: the model has no output of the request's vocabulary.
        """
        scores = self.mean()
        whole = request.embed == "segments"
        embedding = None if request.embed is None else self.embeddings if whole else self.embedding()
        return Result(
            path,
            self.model,
            self.sha256,
            self.duration,
            len(self.scores),
            request.choose(self.outputs, scores),
            self.ms,
            self.warnings,
            self.excerpt,
            scores=scores,
            embedding=embedding,
            times=self.times if whole else None,
            uncalibrated=self.uncalibrated,
        )
