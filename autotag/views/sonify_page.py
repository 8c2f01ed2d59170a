"""What networks hear of a song at many resolutions, to be played beside pictures of what they see."""

from collections.abc import Iterable, Iterator

import numpy as np

from autotag.audio.encode import mp3
from autotag.audio.mel import Array
from autotag.config import HOP, RESOLUTIONS
from autotag.views.page import data_url
from autotag.views.picture import spectrogram
from autotag.views.sonify import correlation, decibels, sonify

GRID = RESOLUTIONS["vgg"]
"""All bands and hops that there are."""


def heard(signal: Array, sr: int, resolutions: Iterable[tuple[int, int]] = GRID) -> Iterator[str]:
    """The body of the page, piece by piece.

    Args:
        signal: samples [n] of a song, mono, at `sr` Hz.
        resolutions: bands and hops.
    """
    yield f"""<p>As networks hear it at {sr // 1000} kHz: mel-spectrograms, and the sound that they hold. What
is played next begins where the last one was.</p>
<div class="heard">
<figure>{_audio(signal, sr)}<figcaption>the song itself, at {sr // 1000} kHz</figcaption></figure>"""
    for mels, hop in resolutions:
        yield _figure(signal, sr, mels, hop)
    yield "</div>"


def _figure(signal: Array, sr: int, mels: int, hop: int) -> str:
    sound = np.concatenate(list(sonify([signal], sr, mels, hop)))
    seen = list(decibels([signal], sr, mels, hop))
    like = correlation(seen, decibels([sound], sr, mels, hop))
    picture = data_url("image/png", spectrogram(seen))
    facts = f"{mels} bands, hop x{hop} ({1000 * hop * HOP / sr:.0f} ms), correlation {like:.3f}"
    return f"""<figure><img alt="Spectrogram of {mels} bands at hop x{hop}" src="{picture}">
{_audio(sound, sr)}<figcaption>{facts}</figcaption></figure>"""


def _audio(sound: Array, sr: int) -> str:
    return f'<audio controls src="{data_url("audio/mpeg", mp3([sound], sr))}"></audio>'
