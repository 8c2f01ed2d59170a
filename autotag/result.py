"""The outcome of one file as a value, good or bad."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    from autotag.audio.mel import Array


class Tag(NamedTuple):
    tag: str
    score: float


@dataclass(frozen=True, slots=True)
class Result:
    """Tags of a file.

    Attributes:
        path: the file as it was named.
        model: name of the model.
        duration: seconds of audio in the file.
        segments: how many segments the scores are the mean of.
        tags: the top tags, highest score first.
        ms: milliseconds spent on `"decode"`, `"mel"` and `"model"`.
        warnings: what a reader of the tags should know, such as that the file breaks off.
        excerpt: seconds in the middle that the tags are of; None for the whole file.
        size, modified: of the file, in bytes and in nanoseconds since 1970, where it was one of a batch.
        embedding: float32 [d], the mean over the segments, where it was asked for; or [segments, d], and then
        times: float64 [segments], seconds at which each segment starts.
    """

    path: str
    model: str
    duration: float
    segments: int
    tags: tuple[Tag, ...]
    ms: dict[str, float]
    warnings: tuple[str, ...] = ()
    excerpt: float | None = None
    size: int | None = None
    modified: int | None = None
    embedding: "Array | None" = field(default=None, compare=False, repr=False)
    times: "NDArray[float64] | None" = field(default=None, compare=False, repr=False)
    ok: ClassVar[bool] = True

    def as_dict(self) -> dict[str, Any]:
        """The result as plain values for JSON."""
        return {
            "path": self.path,
            **_stamp(self),
            "ok": True,
            "model": self.model,
            "duration": round(self.duration, 3),
            **({} if self.excerpt is None else {"excerpt": round(self.excerpt, 3)}),
            "segments": self.segments,
            "tags": [{"tag": tag, "score": round(score, 4)} for tag, score in self.tags],
            "ms": {step: round(ms, 2) for step, ms in self.ms.items()},
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file has no tags: `kind` is the name of the error, such as `"NotAudio"`.

    `size` and `modified` are those of `Result`.
    """

    path: str
    kind: str
    message: str
    size: int | None = None
    modified: int | None = None
    ok: ClassVar[bool] = False

    def as_dict(self) -> dict[str, Any]:
        """The failure as plain values for JSON."""
        error = {"kind": self.kind, "message": self.message}
        return {"path": self.path, **_stamp(self), "ok": False, "error": error}


def _stamp(outcome: Result | Failure) -> dict[str, int]:
    """Size and time of the file, as far as they are known."""
    known = {"size": outcome.size, "modified": outcome.modified}
    return {field: value for field, value in known.items() if value is not None}
