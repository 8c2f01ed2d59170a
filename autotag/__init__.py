"""Tags for music: CNNs on mel-spectrograms of reduced frequency and time resolution.

>>> from autotag import Tagger
>>> result = Tagger("vgg-12k-48-x2-db").tag("examples/song.mp3")
>>> result.tags[0].tag
'slow'
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autotag.config import Config
    from autotag.result import Failure, Result, Tag
    from autotag.tagger import Tagger

__version__ = "0.1.0"

__all__ = ["Config", "Failure", "Result", "Tag", "Tagger", "__version__"]

_HOME = {"Config": "config", "Failure": "result", "Result": "result", "Tag": "result", "Tagger": "tagger"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import autotag` loads no numpy."""
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(f"autotag.{_HOME[name]}"), name)
    raise AttributeError(f"module 'autotag' has no attribute {name!r}")
