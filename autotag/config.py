"""One resolution at which music is tagged: a frozen value whose name is its identity everywhere.

The grid is the study's (Ferraro et al., arXiv 1911.04824, Table 2). Nothing here needs numpy.
"""

import math
import re
from dataclasses import dataclass
from typing import Self

from autotag.errors import ConfigError

FRAME = 512
"""Samples in one frame of the short-time Fourier transform."""

HOP = 256
"""Samples between two frames at hop x1."""

RATES = (12000, 16000)
LOGS = ("log", "db")
HOPS = (1, 2, 3, 4, 5, 10)

RESOLUTIONS: dict[str, tuple[tuple[int, int], ...]] = {
    "vgg": tuple((mels, hop) for mels in (128, 96, 48) for hop in HOPS)
    + tuple((mels, 1) for mels in (32, 24, 16, 8)),
    "musicnn": tuple((mels, 1) for mels in (128, 96, 48)),
    "crnn": ((96, 1), (48, 2), (48, 10)),
}
"""Mel bands and hop multiple of every configuration, per architecture."""

STUDY = ("vgg", "musicnn")
"""The architectures of the study; there may be others."""

SEGMENT_FRAMES = {
    ("vgg", 12000): 1366,
    ("vgg", 16000): 1820,
    ("musicnn", 12000): 140,
    ("musicnn", 16000): 187,
    ("crnn", 12000): 1366,
    ("crnn", 16000): 1820,
}
"""Frames at x1 that one pass of a network sees: 29.1 s for VGG-CNN and CRNN, 3 s for MUSICNN."""


@dataclass(frozen=True, slots=True)
class Config:
    """Architecture and resolution of a model.

    Args:
        arch: `"vgg"` (VGG-CNN, 29.1 s segments), `"musicnn"` (MUSICNN, 3 s segments) or another one.
        sr: sample rate in Hz, 12000 or 16000.
        mels: number of mel bands.
        hop: hop as a multiple of 256 samples.
        log: `"log"` for log10(1 + 10000 x), `"db"` for 10 log10(x).

    Raises:
        ConfigError: there is no such configuration: `RESOLUTIONS` has all.

    >>> Config(mels=48, hop=10).name
    'vgg-12k-48-x10-db'
    >>> Config.parse("vgg-12k-48-x10-db").frames
    137
    """

    arch: str = "vgg"
    sr: int = 12000
    mels: int = 48
    hop: int = 2
    log: str = "db"

    def __post_init__(self) -> None:
        _allow("architecture", self.arch, tuple(RESOLUTIONS))
        _allow("sample rate", self.sr, RATES)
        _allow("log type", self.log, LOGS)
        resolutions = RESOLUTIONS[self.arch]
        _allow(f"mel bands of {self.arch}", self.mels, tuple(dict(resolutions)))
        hops = tuple(hop for mels, hop in resolutions if mels == self.mels)
        _allow(f"hop multiple of {self.arch} at {self.mels} bands", self.hop, hops)

    @property
    def name(self) -> str:
        return f"{self.arch}-{self.sr // 1000}k-{self.mels}-x{self.hop}-{self.log}"

    @property
    def frames(self) -> int:
        """Frames of one segment at this hop."""
        return -(-SEGMENT_FRAMES[self.arch, self.sr] // self.hop)

    @property
    def segment_samples(self) -> int:
        """Samples of one segment, the same for every hop."""
        return (SEGMENT_FRAMES[self.arch, self.sr] - 1) * HOP

    @classmethod
    def parse(cls, name: str) -> Self:
        """The configuration of a name such as `vgg-12k-48-x2-db`."""
        match = re.fullmatch(r"([a-z]+)-(\d+)k-(\d+)-x(\d+)-([a-z]+)", name)
        if not match:
            raise ConfigError(f"{name!r} is not a configuration. Write one like 'vgg-12k-48-x2-db'.")
        arch, sr, mels, hop, log = match.groups()
        return cls(arch, int(sr) * 1000, int(mels), int(hop), log)

    def distance(self, other: Self) -> tuple[int, float]:
        """How far apart two configurations are: how many of arch, sr and log differ, then by what ratio bands
        and hop do.
        """
        kinds = sum(getattr(self, f) != getattr(other, f) for f in ("arch", "sr", "log"))
        ratio = (self.mels / other.mels, self.hop / other.hop)
        return kinds, sum(max(r, 1 / r) for r in ratio)


def model_name(config: Config, vocabulary: str) -> str:
    """The name of a model trained on one vocabulary: plain for MagnaTagATune's tags, else with its prefix.

    The bundled models, whose outputs are of both vocabularies, have plain names too.

    >>> model_name(Config(), "mtat"), model_name(Config(), "mytags")
    ('vgg-12k-48-x2-db', 'mytags-vgg-12k-48-x2-db')
    """
    return config.name if vocabulary == "mtat" else f"{vocabulary}-{config.name}"


def parse_model_name(name: str) -> tuple[Config, str]:
    """The configuration of a model's name, and the prefix before it.

    >>> parse_model_name("mytags-vgg-12k-48-x2-db")
    (Config(arch='vgg', sr=12000, mels=48, hop=2, log='db'), 'mytags')
    """
    prefix, dash, rest = name.partition("-")
    if dash and prefix not in RESOLUTIONS:
        return Config.parse(rest), prefix
    return Config.parse(name), ""


def _allow(what: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{what} {value!r} is not available. Use {', '.join(map(str, allowed))}.")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a sound: each of `count` excerpts is the middle of one of as many equal parts.

    Attributes:
        seconds: of one excerpt; by default as much as the study listens to.
        count: how many there are.
    """

    seconds: float = 29.1
    count: int = 1

    @classmethod
    def of(cls, value: "Self | float | None") -> Self | None:
        """An excerpt by what a caller gives: one, or its seconds from the middle; None for all of a sound.

        Raises:
            ValueError: no number of seconds above 0, or no number of excerpts from 1 to 100.
        """
        if value is None:
            return None
        seconds, count = (value.seconds, value.count) if isinstance(value, Excerpt) else (value, 1)
        try:
            seconds = math.nan if isinstance(seconds, str | bool) else float(seconds)
        except (TypeError, ValueError):
            seconds = math.nan
        if not 0 < seconds < math.inf:
            raise ValueError(f"excerpt is {value!r}. Use a number of seconds above 0.")
        if isinstance(count, bool) or not hasattr(count, "__index__") or not 1 <= count <= MOST_EXCERPTS:
            raise ValueError(f"excerpts is {count!r}. Use a number from 1 to {MOST_EXCERPTS}.")
        return cls(seconds, count.__index__())

    def __str__(self) -> str:
        """The option that asks for it."""
        return f"--excerpt {self.seconds:g}" if self.count == 1 else f"--excerpts {self.count}"


MOST_EXCERPTS = 100
"""The most excerpts of 29.1 s, which are held at once."""

DEFAULT = Config()
"""What the command line and `Tagger` use where no other model is asked for."""


def configurations(arch: str) -> tuple[Config, ...]:
    """All configurations of an architecture."""
    return tuple(
        Config(arch, sr, mels, hop, log) for sr in RATES for log in LOGS for mels, hop in RESOLUTIONS[arch]
    )


GRID = tuple(config for arch in STUDY for config in configurations(arch))
"""All 100 configurations of the study: 88 of VGG-CNN, 12 of MUSICNN."""
