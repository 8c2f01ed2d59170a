"""Tags for music: CNNs on mel-spectrograms of reduced frequency and time resolution.

>>> from autotag import Tagger, TagRequest
>>> tagger = Tagger("vgg-12k-48-x10-db")
>>> result = tagger.tag("examples/song.mp3", TagRequest(top=3))
>>> len(result.tags), round(result.duration, 3)
(3, 30.0)
>>> with open("examples/song.mp3", "rb") as file:
...     tagger.tag(file.read(), TagRequest(top=3)).tags == result.tags
True
>>> [outcome.ok for outcome in tagger.tag_all(["examples/song.mp3", "missing.mp3"])]
[True, False]
"""

import os
from importlib import import_module

from autotag.errors import (
    AudioError,
    AudioNotFound,
    AutotagError,
    BadSamples,
    BudgetError,
    ConfigError,
    Crashed,
    DeviceNotFound,
    EmptyAudio,
    ExtraMissing,
    LibraryError,
    LibraryNotFound,
    ModelError,
    ModelNotFound,
    NoHome,
    NoRoom,
    NotAudio,
    PortInUse,
    SilentAudio,
    SinkError,
    TagNotFound,
    TagsUnreadable,
    TagsUnwritable,
    UnreadableAudio,
    VocabularyNotFound,
    WorkerError,
)

TYPE_CHECKING = False  # as in typing, whose import takes longer than all else that is imported here
if TYPE_CHECKING:
    from typing import Any

    from autotag.audio.decode import decode
    from autotag.batch import tag_files
    from autotag.config import Config, Excerpt
    from autotag.library.alike import similar
    from autotag.library.database import Library
    from autotag.library.keep import read_outcomes, tag_into
    from autotag.library.query import find, stats
    from autotag.library.scan import scan
    from autotag.request import Selection, TagRequest
    from autotag.result import Failure, Result, Tag
    from autotag.scores import Scores
    from autotag.tagger import Tagger

__version__ = "0.1.0"

# From 1.29 on onnxruntime reports to its makers, unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOME = {
    "Config": "config",
    "Excerpt": "config",
    "Failure": "result",
    "Library": "library.database",
    "Result": "result",
    "Scores": "scores",
    "Selection": "request",
    "Tag": "result",
    "TagRequest": "request",
    "Tagger": "tagger",
    "decode": "audio.decode",
    "find": "library.query",
    "read_outcomes": "library.keep",
    "scan": "library.scan",
    "similar": "library.alike",
    "stats": "library.query",
    "tag_files": "batch",
    "tag_into": "library.keep",
}

__all__ = [
    "AudioError",
    "AudioNotFound",
    "AutotagError",
    "BadSamples",
    "BudgetError",
    "Config",
    "ConfigError",
    "Crashed",
    "DeviceNotFound",
    "EmptyAudio",
    "Excerpt",
    "ExtraMissing",
    "Failure",
    "Library",
    "LibraryError",
    "LibraryNotFound",
    "ModelError",
    "ModelNotFound",
    "NoHome",
    "NoRoom",
    "NotAudio",
    "PortInUse",
    "Result",
    "Scores",
    "Selection",
    "SilentAudio",
    "SinkError",
    "Tag",
    "TagNotFound",
    "TagRequest",
    "Tagger",
    "TagsUnreadable",
    "TagsUnwritable",
    "UnreadableAudio",
    "VocabularyNotFound",
    "WorkerError",
    "__version__",
    "decode",
    "find",
    "read_outcomes",
    "scan",
    "similar",
    "stats",
    "tag_files",
    "tag_into",
]


def __getattr__(name: str) -> "Any":
    """Import a public name when it is first used, so that `import autotag` loads no numpy."""
    if name in _HOME:
        return getattr(import_module(f"autotag.{_HOME[name]}"), name)
    raise AttributeError(f"module 'autotag' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
