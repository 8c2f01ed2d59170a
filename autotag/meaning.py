"""What tags mean: which are one, which follow from one another, which exclude one another, and their kind.

One table for all vocabularies. `Selection`, the library, the file tags and the report ask it.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["genre", "mood", "instrument", "voice", "tempo", "era", "other"]
"""What a tag is about, in the order in which people are shown it."""


class Output(NamedTuple):
    """An output of a network: `rock` of `mtat` is not `rock` of `msd`, though one meaning covers both.

    Attributes:
        vocabulary: whose tag it is: `"mtat"` (MagnaTagATune), `"msd"` (Million Song Dataset), or one's own.
        tag: its name there.
    """

    vocabulary: str
    tag: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """A meaning, under the tag that stands for it.

    Attributes:
        name: the tag that is shown.
        kind: what it is about, for display.
        synonyms: other tags of this meaning.
        implies: names that are true where this one is.
        yields_to: names that hide this one where they score higher.
        genre, mood: the value of that field in a music file; None for a tag that is none.
    """

    name: str
    kind: Kind
    synonyms: tuple[str, ...] = ()
    implies: tuple[str, ...] = ()
    yields_to: tuple[str, ...] = ()
    genre: str | None = None
    mood: str | None = None


_ART = ("choir", "classical", "harpsichord", "indian", "opera", "sitar")
"""Music for which the Million Song Dataset has no word: one of its genres is then the nearest wrong one."""

_ROCK = ("rock",)
_VOCALS = ("vocals",)
_SILENT = ("no vocals",)


def _genre(name: str, genre: str, implies: tuple[str, ...] = (), synonyms: tuple[str, ...] = ()) -> Meaning:
    """A genre of songs, which yields to stronger signs of other music."""
    return Meaning(name, "genre", synonyms, implies, _ART, genre)


MEANINGS = (
    # genres
    _genre("alternative", "Alternative"),
    _genre("alternative rock", "Alternative Rock", ("alternative", "rock")),
    Meaning("ambient", "genre", genre="Ambient"),
    _genre("blues", "Blues"),
    _genre("classic rock", "Classic Rock", _ROCK),
    Meaning("classical", "genre", ("classic",), genre="Classical"),
    _genre("country", "Country"),
    _genre("dance", "Dance"),
    Meaning("easy listening", "genre", genre="Easy Listening"),
    _genre("electro", "Electro", ("electronic",)),
    _genre("electronic", "Electronic", synonyms=("electronica",)),
    Meaning("experimental", "genre", genre="Experimental"),
    _genre("folk", "Folk"),
    _genre("funk", "Funk"),
    _genre("hard rock", "Hard Rock", _ROCK),
    _genre("heavy metal", "Heavy Metal", ("metal",)),
    _genre("Hip-Hop", "Hip-Hop"),
    _genre("House", "House", ("electronic",)),
    Meaning("indian", "genre", genre="Indian"),
    _genre("indie", "Indie"),
    _genre("indie pop", "Indie Pop", ("indie", "pop")),
    _genre("indie rock", "Indie Rock", ("indie", "rock")),
    _genre("jazz", "Jazz"),
    _genre("metal", "Metal"),
    Meaning("new age", "genre", genre="New Age"),
    _genre("pop", "Pop"),
    _genre("Progressive rock", "Progressive Rock", _ROCK),
    _genre("punk", "Punk"),
    _genre("rnb", "R&B"),
    _genre("rock", "Rock"),
    _genre("soul", "Soul"),
    _genre("techno", "Techno", ("electronic",)),
    # instruments
    Meaning("acoustic", "instrument"),
    Meaning("cello", "instrument", implies=("strings",)),
    Meaning("drums", "instrument"),
    Meaning("flute", "instrument"),
    Meaning("guitar", "instrument"),
    Meaning("harp", "instrument"),
    Meaning("harpsichord", "instrument"),
    Meaning("piano", "instrument"),
    Meaning("sitar", "instrument"),
    Meaning("strings", "instrument"),
    Meaning("synth", "instrument"),
    Meaning("violin", "instrument", implies=("strings",)),
    # voices
    Meaning("choir", "voice", ("choral",), _VOCALS, _SILENT),
    Meaning(
        "female vocal",
        "voice",
        ("female", "female vocalist", "female vocalists", "female voice", "woman"),
        _VOCALS,
        _SILENT,
    ),
    Meaning("male vocal", "voice", ("male", "male vocalists", "male voice", "man"), _VOCALS, _SILENT),
    Meaning("instrumental", "voice", yields_to=_VOCALS),
    Meaning("no vocals", "voice", ("no vocal", "no voice"), yields_to=_VOCALS),
    Meaning("opera", "voice", implies=_VOCALS, yields_to=_SILENT, genre="Opera"),
    Meaning("singing", "voice", implies=_VOCALS, yields_to=_SILENT),
    Meaning("vocals", "voice", ("vocal", "voice"), yields_to=_SILENT),
    # moods
    Meaning("beautiful", "mood", mood="Beautiful"),
    Meaning("catchy", "mood"),
    Meaning("chillout", "mood", ("chill",), mood="Chillout"),
    Meaning("happy", "mood", yields_to=("sad",), mood="Happy"),
    Meaning("loud", "mood", yields_to=("quiet", "soft"), mood="Loud"),
    Meaning("Mellow", "mood", mood="Mellow"),
    Meaning("party", "mood", mood="Party"),
    Meaning("quiet", "mood", yields_to=("loud",), mood="Quiet"),
    Meaning("sad", "mood", yields_to=("happy",), mood="Sad"),
    Meaning("sexy", "mood", mood="Sexy"),
    Meaning("soft", "mood", yields_to=("loud",), mood="Soft"),
    Meaning("weird", "mood", mood="Weird"),
    # tempo
    Meaning("fast", "tempo", yields_to=("slow",)),
    Meaning("slow", "tempo", yields_to=("fast",)),
    # eras
    Meaning("60s", "era"),
    Meaning("70s", "era"),
    Meaning("80s", "era"),
    Meaning("90s", "era"),
    Meaning("00s", "era"),
    Meaning("oldies", "era", genre="Oldies"),
    # other
    Meaning("beat", "other", ("beats",)),
    Meaning("solo", "other"),
)
"""All that is known; a tag that is not in it, as of one's own vocabulary, means itself."""

_BY_TAG = {tag: meaning for meaning in MEANINGS for tag in (meaning.name, *meaning.synonyms)}


def meaning_of(tag: str) -> Meaning:
    """The meaning of a tag of any vocabulary.

    >>> meaning_of("woman").name, meaning_of("opera").implies
    ('female vocal', ('vocals',))
    >>> meaning_of("zydeco")
    Meaning(name='zydeco', kind='other', synonyms=(), implies=(), yields_to=(), genre=None, mood=None)
    """
    return _BY_TAG.get(tag) or Meaning(tag, "other")
