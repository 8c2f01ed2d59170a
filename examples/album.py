"""Compose and synthesise an album of five short pieces, to try a library with.

    python examples/album.py music

Needs only numpy and soundfile. Released under the licence of autotag.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile
from compose import CHORDS, RATE, Sound, bow, hertz, pluck, rng

SECONDS = 30

Note = tuple[float, float, Sound]
"""When it begins, in seconds, how loud it is, and its sound."""


def struck(note: int, seconds: float) -> Sound:
    """A struck string: partials that are a little sharp, the higher ones die first."""
    t = np.arange(int(seconds * RATE)) / RATE
    sound = np.zeros_like(t)
    for n in range(1, 7):
        sound += (
            np.sin(2 * np.pi * hertz(note) * n * np.sqrt(1 + 0.0004 * n * n) * t)
            / n**1.3
            * np.exp(-(3 + n) * t)
        )
    return sound


def sawtooth(note: int, seconds: float) -> Sound:
    t = np.arange(int(seconds * RATE)) / RATE
    return (2 * (hertz(note) * t % 1) - 1) * np.exp(-4 * t)


def kick() -> Sound:
    t = np.arange(int(0.3 * RATE)) / RATE
    return np.sin(2 * np.pi * (50 * t + 20 * (1 - np.exp(-40 * t)))) * np.exp(-9 * t)


def hat() -> Sound:
    noise = rng.standard_normal(int(0.08 * RATE))
    return np.diff(noise, prepend=0) * np.exp(-60 * np.arange(len(noise)) / RATE)


def piano() -> list[Note]:
    """Broken chords."""
    chords = [CHORDS[beat // 4 % len(CHORDS)] for beat in range(SECONDS)]
    return [
        (beat, 0.3, struck(note + 12 * (beat % 2), 2.5))
        for beat, (bass, notes) in enumerate(chords)
        for note in (bass, *notes[:3])
    ]


def strings() -> list[Note]:
    """Long chords."""
    return [
        (3.0 * bar, 0.2, bow(note + 12, 3.2))
        for bar in range(SECONDS // 3)
        for note in CHORDS[bar % len(CHORDS)][1]
    ]


def guitar() -> list[Note]:
    """A slow arpeggio."""
    notes = [CHORDS[step // 8 % len(CHORDS)][1][step % 4] for step in range(int(SECONDS / 0.3))]
    return [(step * 0.3, 0.5, pluck(note, 1.6)) for step, note in enumerate(notes)]


def machine() -> list[Note]:
    """Four on the floor."""
    notes: list[Note] = []
    for step in range(int(SECONDS / 0.115)):
        notes.append((step * 0.115, 0.25, sawtooth(33 + (0, 0, 12, 3)[step % 4], 0.12)))
        if step % 4 == 0:
            notes.append((step * 0.115, 1.0, kick()))
        if step % 4 == 2:
            notes.append((step * 0.115, 0.25, hat()))
    return notes


def mixed(notes: list[Note]) -> Sound:
    """Notes as one sound, mono [samples], as loud as can be."""
    track = np.zeros((SECONDS + 5) * RATE)
    for start, gain, sound in notes:
        at = int(start * RATE)
        track[at : at + len(sound)] += gain * sound
    track = track[: SECONDS * RATE]
    return 0.8 * track / np.abs(track).max()


def main(folder: Path) -> None:
    """Write the album into a folder, and one piece of it twice."""
    folder.mkdir(parents=True, exist_ok=True)
    for make in (piano, strings, guitar, machine):
        soundfile.write(folder / f"{make.__name__}.flac", mixed(make()), RATE)
    sound, _ = soundfile.read(folder / "piano.flac")
    soundfile.write(folder / "piano (copy).wav", sound, RATE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
