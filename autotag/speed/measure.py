"""What each model costs on this machine: every step apart, in turns so that drift hits all models alike."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import NamedTuple

import numpy as np
import soundfile

from autotag.audio.held import Held
from autotag.config import Config, Excerpt
from autotag.library.keep import Progress
from autotag.models.registry import ModelFile
from autotag.scores import Scores
from autotag.tagger import Tagger

BASELINE = Config(mels=96, hop=1)
"""The study's: of the finest resolution that both networks have at 12 kHz."""

WARM_UP = 2
"""Rounds that do not count."""


class Spread(NamedTuple):
    """Median and quartiles."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles of some values; all three are the value where there is one."""
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    low, median, high = quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


@dataclass(slots=True)
class Cost:
    """What one model cost, on some songs.

    Attributes:
        file: the model.
        threads: of one inference.
        batch: segments of one inference; None for those of 30 s.
        load: milliseconds for loading it.
        rounds: milliseconds on `"decode"`, `"mel"` and `"model"` for all songs together, a dict a round.
        scores: of each song, in the last round.
    """

    file: ModelFile
    threads: int
    batch: int | None
    load: float
    rounds: list[dict[str, float]] = field(default_factory=list)
    scores: list[Scores] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.file.name

    def ms(self, *steps: str) -> list[float]:
        """Milliseconds of each round on some steps, or on all."""
        return [sum(ms[step] for step in steps or ms) for ms in self.rounds]

    @property
    def seconds(self) -> float:
        """Seconds of audio that were tagged."""
        return sum(scores.duration if scores.excerpt is None else scores.excerpt for scores in self.scores)

    @property
    def gmac(self) -> float:
        """10^9 multiply-accumulates of the network for all songs together."""
        return sum(len(scores.scores) for scores in self.scores) * self.file.metadata.gmac

    @property
    def spectrogram(self) -> int:
        """Bytes of one segment's log-mel spectrogram."""
        return 4 * self.file.metadata.config.mels * self.file.metadata.frames


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is held in memory for many songs.

    Attributes:
        file: the model.
        tagger: it, loaded.
        threads, batch, load: as of `Cost`.
    """

    file: ModelFile
    tagger: Tagger
    threads: int
    batch: int | None
    load: float

    def cost(self) -> Cost:
        """Its cost, of which nothing is measured yet but loading."""
        return Cost(self.file, self.threads, self.batch, self.load)


def load_models(
    files: Iterable[ModelFile],
    threads: Sequence[int],
    batches: Sequence[int | None] = (None,),
    device: str = "cpu",
) -> list[Loaded]:
    """Load every model once for each number of threads and batch.

    Raises:
        ModelError, DeviceNotFound: a model cannot be loaded.
    """
    loaded = []
    for file in files:
        for count in threads:
            for batch in batches:
                started = time.perf_counter()
                tagger = Tagger(file.path, threads=count, batch=batch, device=device)
                loaded.append(Loaded(file, tagger, count, batch, 1000 * (time.perf_counter() - started)))
    return loaded


def score_song(
    song: Path,
    models: Sequence[Loaded],
    excerpt: Excerpt | float | None = None,
    chance: Random | None = None,
) -> list[Scores]:
    """What each model says of a song, which is decoded once a sample rate, however many models there are.

    Args:
        excerpt: tag only so many seconds from the middle, or several excerpts.
        chance: what shuffles the order in which the models are asked.

    Raises:
        AudioError: the song cannot be tagged.
    """
    rates = [model.tagger.metadata.config.sr for model in models]
    order = list(range(len(models)))
    if chance:
        chance.shuffle(order)
    found = {}
    with ExitStack() as stack:
        held = {sr: stack.enter_context(Held(song, sr, excerpt)) for sr in dict.fromkeys(rates)}
        for place in order:
            sound = held[rates[place]]
            scores = models[place].tagger.scores(sound, name=str(song))
            found[place] = replace(scores, ms=scores.ms | {"decode": sound.decode_ms})
    return [found[place] for place in range(len(models))]


def measure(
    songs: Sequence[Path],
    models: Sequence[Loaded],
    rounds: int,
    excerpt: Excerpt | float | None = None,
    progress: Progress | None = None,
) -> list[Cost]:
    """Tag all songs with one model after another, as often as there are rounds.

    The order is another one in every round. Two more rounds before, or one if there is only one, are not
    counted: they compile and fill caches.

    Args:
        excerpt: tag only so many seconds from the middle of each song, or several excerpts.

    Raises:
        AudioError: a song cannot be tagged.
    """
    costs = [model.cost() for model in models]
    chance = Random(0)
    ignored = min(WARM_UP, rounds)
    for turn in range(ignored + rounds):
        if progress:
            progress(turn, ignored + rounds, None)
        by_model = zip(*(score_song(song, models, excerpt, chance) for song in songs), strict=True)
        for cost, scores in zip(costs, map(list, by_model), strict=True):
            if turn >= ignored:
                cost.scores = scores
                cost.rounds.append({step: sum(s.ms[step] for s in scores) for step in scores[0].ms})
    return costs


def clip_ms(files: Iterable[ModelFile], rounds: int, threads: int, *steps: str) -> list[float]:
    """Median milliseconds that each model takes on some steps, or on all, for 29.1 s of made sound."""
    with tempfile.TemporaryDirectory() as folder:
        costs = measure([clip(Path(folder))], load_models(files, [threads]), rounds)
    return [spread(cost.ms(*steps)).median for cost in costs]


def clip(folder: Path) -> Path:
    """A clip of the study's length, 29.1 s of seeded noise and chords: stereo, 44.1 kHz, MP3."""
    sr, seconds = 44100, 29.1
    chance = np.random.default_rng(0)
    t = np.arange(round(sr * seconds)) / sr
    notes = chance.uniform(100, 2000, (int(seconds) + 1, 3))[t.astype(int)]
    chords = np.sin(2 * np.pi * notes * t[:, None]).sum(axis=1)
    sides = 0.2 * chords[:, None] + 0.02 * chance.standard_normal((len(t), 2))
    path = folder / "clip.mp3"
    with soundfile.SoundFile(path, "w", sr, 2) as file:
        for block in np.array_split(sides, 100):  # libsndfile's encoders do not like much at once
            file.write(block)
    return path


def baseline(costs: Sequence[Cost]) -> Cost:
    """The one that the others are compared with: `BASELINE`, or else what computes most."""
    return max(costs, key=lambda cost: (cost.name == BASELINE.name, cost.gmac, -cost.threads))


def ratio(cost: Cost, other: Cost, *steps: str) -> Spread:
    """How many times as long some steps, or all, take as with another model, round by round."""
    return spread([one / two for one, two in zip(cost.ms(*steps), other.ms(*steps), strict=True)])


def overhead(cost: Cost) -> list[float]:
    """How many times as long as decoding everything took, in each round."""
    return [total / decode for total, decode in zip(cost.ms(), cost.ms("decode"), strict=True)]


class Start(NamedTuple):
    """Seconds from nothing to the tags of a song, and the largest memory in bytes where it is known."""

    seconds: float
    memory: int | None


IMPORTS = "import numpy, onnxruntime, soundfile, soxr"
"""What any program like this one has to import."""

MEMORY = "import atexit; from autotag.system.machine import peak; atexit.register(lambda: print(peak()))"
"""Lets the last line of a process say how much memory it took."""


def cold(
    song: Path, names: Iterable[str], rounds: int, progress: Progress | None = None
) -> dict[str, list[Start]]:
    """Start a new autotag for one model after another; under `IMPORTS`, what those imports alone take."""
    tag = f"{MEMORY}; from autotag.cli.main import main; main()"
    commands = {IMPORTS: ["-c", f"{MEMORY}; {IMPORTS}"]}
    commands |= {name: ["-c", tag, "tag", str(song.absolute()), "--model", name] for name in names}
    found: dict[str, list[Start]] = {name: [] for name in commands}
    for turn in range(rounds):
        if progress:
            progress(turn, rounds, None)
        for name, command in commands.items():
            started = time.perf_counter()
            run = subprocess.run([sys.executable, *command], capture_output=True, check=True)
            took = time.perf_counter() - started
            memory = run.stdout.split()[-1]
            found[name].append(Start(took, int(memory) if memory.isdigit() else None))
    return found
