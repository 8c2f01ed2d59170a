"""What networks hear and see of a song at many resolutions: bands down, hops across."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

from autotag.audio.mel import Array
from autotag.config import HOP, RESOLUTIONS
from autotag.views.page import data_url, player
from autotag.views.picture import RANGE, spectrogram
from autotag.views.sonify import FINEST, decibels, likeness, sonify
from autotag.views.taggram import clock

GRID = RESOLUTIONS["vgg"]
"""All bands and hops that there are."""

LEGEND = f"""<p class="greys">Greys: loudest <i></i> {RANGE:.0f} dB quieter, or more. Time runs to the
right, pitch upwards.</p>
<p><b>Likeness</b> says how much of the song is left: the correlation of both spectrograms at {FINEST[0]}
bands and hop x{FINEST[1]}, 1 for all of it.</p>"""


def sonified(signal: Array, sr: int, resolutions: Iterable[tuple[int, int]] = GRID) -> Iterator[str]:
    """The body of the page, piece by piece.

    Args:
        signal: samples [n] of a song, mono, at `sr` Hz.
        resolutions: bands and hops, in the order of the bands.
    """
    seconds = len(signal) / sr
    picture = _picture(signal, sr, *FINEST)
    yield f"""<p>What networks hear at {sr // 1000} kHz: mel-spectrograms, and the sound that is in them. What
is played next begins where the last one was.</p>
{LEGEND}
<div class="heard">
<figure class="original"><span>{sr // 2000} kHz</span>{picture}<span>0</span>
<div class="times"><span>0:00</span><span>{clock(seconds)}</span></div>
{player([signal], sr)}
<figcaption>the song itself, seen at {FINEST[0]} bands and hop x{FINEST[1]}</figcaption></figure>
<div class="scroll" tabindex="0" role="region" aria-label="resolutions"><table class="grid">"""
    hops = sorted({hop for _, hop in GRID})
    heads = "".join(
        f'<th scope="col">hop x{hop}<br><small>{1000 * hop * HOP / sr:.0f} ms</small></th>' for hop in hops
    )
    yield f"<thead><tr><td></td>{heads}</tr></thead><tbody>"
    for mels, group in groupby(resolutions, key=lambda resolution: resolution[0]):
        yield f'<tr><th scope="row">{mels}<br><small>bands</small></th>'
        cells = {hop: _cell(signal, sr, mels, hop) for _, hop in group}
        yield "".join(cells.get(hop, "<td></td>") for hop in hops)
        yield "</tr>"
    yield "</tbody></table></div></div>"


def _cell(signal: Array, sr: int, mels: int, hop: int) -> str:
    sound = np.concatenate(list(sonify([signal], sr, mels, hop)))
    return f"""<td>{_picture(signal, sr, mels, hop)}
{player([sound], sr)}<small>likeness {likeness([signal], [sound], sr):.2f}</small></td>"""


def _picture(signal: Array, sr: int, mels: int, hop: int) -> str:
    data = spectrogram(decibels([signal], sr, mels, hop))
    return f'<img alt="Spectrogram of {mels} bands at hop x{hop}" src="{data_url("image/png", data)}">'
