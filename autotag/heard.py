"""A page that plays what networks hear of a song at many resolutions, beside pictures of what they see."""

from collections.abc import Iterable

import numpy as np

from autotag.config import HOP, RESOLUTIONS
from autotag.mel import Array
from autotag.page import data_url, page, text
from autotag.picture import spectrogram
from autotag.sonify import correlation, decibels, sonify
from autotag.sound import mp3

GRID = RESOLUTIONS["vgg"]
"""All bands and hops that there are."""


def heard_page(name: str, signal: Array, sr: int, resolutions: Iterable[tuple[int, int]] = GRID) -> str:
    """The HTML of the page.

    Args:
        name: of the song, as a title.
        signal: its samples [n], mono, at `sr` Hz.
        resolutions: bands and hops.
    """
    figures = "\n".join(_figure(signal, sr, *resolution) for resolution in resolutions)
    return page(
        name,
        f"""<h1>{text(name)}</h1>
<p>As networks hear it at {sr // 1000} kHz: mel-spectrograms, and the sound that they hold. What is played
next begins where the last one was.</p>
<div class="heard">
<figure>{_audio(signal, sr)}<figcaption>the song itself, at {sr // 1000} kHz</figcaption></figure>
{figures}
</div>""",
    )


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
