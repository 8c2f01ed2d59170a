"""What the models say of sounds whose content is known: rendered instruments, speech, noise."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import mido
import numpy as np
import soundfile

from autotag.audio.mel import Array
from autotag.errors import SilentAudio
from autotag.request import TagRequest
from autotag.tagger import Tagger
from train.errors import RunError

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
"""Where Debian's package fluid-soundfont-gm puts it."""

RATE, SECONDS, TOP = 44100, 30, 3

INSTRUMENTS = {
    "piano": 0,
    "harpsichord": 6,
    "guitar": 24,
    "violin": 40,
    "strings": 48,
    "choir": 52,
    "flute": 73,
}
"""Programs of General MIDI, counted from 0."""

SPEECH = (
    "The quick brown fox jumps over the lazy dog. She sells sea shells by the sea shore, and reads the news. "
)


def sounds(folder: Path, soundfont: Path = SOUNDFONT) -> Iterator[tuple[str, Path]]:
    """Write the sounds, and name each: silence, noises, a tone, instruments, drums and speech.

    Raises:
        RunError: fluidsynth, its soundfont or espeak-ng is not there.
    """
    for name, signal in _noises().items():
        soundfile.write(folder / f"{name}.wav", signal, RATE, "FLOAT")
        yield name, folder / f"{name}.wav"
    if not soundfont.exists():
        raise RunError(f"{soundfont}: no such soundfont. Install fluid-soundfont-gm, or name another.")
    for name, program in (INSTRUMENTS | {"drums": None}).items():
        score, target = folder / f"{name}.mid", folder / f"{name}.wav"
        (_drums() if program is None else _melody(program)).save(score)
        _call(
            "fluidsynth",
            "-ni",
            "-q",
            "-g",
            "1",
            "-r",
            str(RATE),
            "-F",
            str(target),
            str(soundfont),
            str(score),
        )
        yield name, target
    _call("espeak-ng", "-w", str(folder / "speech.wav"), 5 * SPEECH)
    yield "speech", folder / "speech.wav"


def heard(taggers: list[Tagger]) -> list[dict[str, list[tuple[str, float]]]]:
    """The top tags of every sound, for each model; none where the product refuses it as silent."""
    found: list[dict[str, list[tuple[str, float]]]] = [{} for _ in taggers]
    with tempfile.TemporaryDirectory() as folder:
        for name, path in sounds(Path(folder)):
            for tagger, said in zip(taggers, found, strict=True):
                try:
                    tags = tagger.tag(path, TagRequest(top=TOP)).tags
                except SilentAudio:
                    tags = ()
                said[name] = [(tag, round(score, 3)) for tag, score in tags]
    return found


def _noises() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    samples = RATE * SECONDS
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency = np.maximum(np.arange(len(spectrum)), 1)

    def noise(exponent: float, level: float = 0.1) -> Array:
        signal = np.fft.irfft(spectrum * frequency ** (-exponent / 2), samples)
        scaled: Array = (level * signal / signal.std()).astype(np.float32)
        return scaled

    hum = 0.1 * np.sin(2 * np.pi * 50 * np.arange(samples) / RATE)
    return {
        "silence": np.zeros(samples, np.float32),
        "white noise": noise(0),
        "pink noise": noise(1),
        "brown noise": noise(2),
        "faint noise": noise(0, 0.001),
        "50 Hz hum": hum.astype(np.float32),
    }


def _melody(program: int) -> mido.MidiFile:
    """Slow broken chords in C major, a bar each."""
    rng = np.random.default_rng(program)
    file = mido.MidiFile()
    track = file.add_track()
    track.append(mido.Message("program_change", program=program))
    for root in rng.choice([60, 62, 65, 67, 69], SECONDS // 2):  # a bar of two seconds
        for note in (root, root + 7, root + 12, root + 7):
            track.append(mido.Message("note_on", note=int(note), velocity=80))
            track.append(mido.Message("note_off", note=int(note), time=file.ticks_per_beat))
    return file


def _drums() -> mido.MidiFile:
    """Bass drum, hi-hat and snare of a rock beat, on the channel for drums."""
    file = mido.MidiFile()
    track = file.add_track()
    for step in range(4 * SECONDS):
        hit = [42] + ([36] if step % 4 == 0 else []) + ([38] if step % 4 == 2 else [])
        for note in hit:
            track.append(mido.Message("note_on", note=note, velocity=100, channel=9))
        for i, note in enumerate(hit):
            time = 0 if i else file.ticks_per_beat // 2
            track.append(mido.Message("note_off", note=note, time=time, channel=9))
    return file


def _call(program: str, *arguments: str) -> None:
    if shutil.which(program) is None:
        raise RunError(f"{program}: no such program on the PATH. Install it to render the known sounds.")
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"{program} failed: {done.stderr.strip() or done.stdout.strip()}")
