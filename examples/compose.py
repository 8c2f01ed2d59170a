"""Compose and synthesise song.mp3: a plucked guitar, a violin and a cello, 30 s.

    python examples/compose.py

Needs only numpy and soundfile. Released under the licence of autotag.
"""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

Sound = NDArray[np.float64]

RATE = 44100
BEAT = 60 / 96  # seconds
CHORDS = [  # two bars of four beats each: the cello's note and the guitar's arpeggio, as MIDI numbers
    (45, (57, 60, 64, 69)),  # A minor
    (41, (57, 60, 65, 69)),  # F
    (48, (55, 60, 64, 67)),  # C
    (43, (55, 59, 62, 67)),  # G
    (45, (57, 60, 64, 69)),  # A minor
    (41, (57, 60, 65, 69)),  # F
]
MELODY = [(69, 3), (72, 1), (76, 4), (77, 3), (76, 1), (72, 4), (74, 2), (76, 2), (79, 4)]  # note, beats
MELODY += [(74, 3), (71, 1), (67, 4), (69, 3), (72, 1), (76, 4), (77, 4), (69, 4)]

rng = np.random.default_rng(2020)


def hertz(note: int) -> float:
    return float(440 * 2 ** ((note - 69) / 12))


def pluck(note: int, seconds: float) -> Sound:
    """A plucked string (Karplus and Strong 1983): a burst of noise that circulates through a low-pass."""
    period = round(RATE / hertz(note))
    string = rng.uniform(-1, 1, period)
    turns = [string]
    for _ in range(int(seconds * RATE / period)):
        string = 0.996 * (0.5 * string + 0.5 * np.roll(string, 1))
        turns.append(string)
    return np.concatenate(turns)


def bow(note: int, seconds: float) -> Sound:
    """Bowed strings: three detuned voices with vibrato, partials falling as 1/n."""
    t = np.arange(int(seconds * RATE)) / RATE
    vibrato = 0.004 * np.sin(2 * np.pi * 5.5 * t) * np.minimum(1, t / 0.4)
    sound = np.zeros_like(t)
    for detune in (-0.003, 0.0, 0.003):
        phase = 2 * np.pi * np.cumsum(hertz(note) * (1 + detune + vibrato)) / RATE
        for n in range(1, 13):
            sound += np.sin(n * phase) / n * np.exp(-n / 8)
    swell = np.minimum(1, t / 0.25) * np.minimum(1, (seconds - t) / 0.2)
    return sound * swell / 3


def add(track: Sound, sound: Sound, beat: float, gain: float) -> None:
    start = int(beat * BEAT * RATE)
    sound = sound[: len(track) - start]
    track[start : start + len(sound)] += gain * sound


def compose() -> Sound:
    """The song, stereo [samples, 2]: guitar to the left, violin to the right, cello in the middle."""
    guitar, violin, cello = (np.zeros(30 * RATE) for _ in range(3))
    for chord, (bass, notes) in enumerate(CHORDS):
        start = 8 * chord
        for eighth in range(16):
            note = notes[(0, 1, 2, 3, 2, 1, 2, 3)[eighth % 8]]
            add(guitar, pluck(note, 1.6), start + eighth / 2, 0.5)
        if chord >= 1:
            add(cello, bow(bass, 8 * BEAT), start, 0.12)
    beat = 0
    for note, beats in MELODY:
        if beat >= 8:
            add(violin, bow(note, beats * BEAT), beat, 0.2)
        beat += beats
    fade = np.minimum(1, np.linspace(30, 0, 30 * RATE) / 2)
    stereo = np.stack([guitar + 0.4 * violin + cello, 0.4 * guitar + violin + cello], axis=1)
    return 0.8 * stereo / np.abs(stereo).max() * fade[:, None]


if __name__ == "__main__":
    soundfile.write(Path(__file__).with_name("song.mp3"), compose(), RATE)
