"""What the page finds is what `find` finds."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autotag.browse import held
from autotag.browse.asked import Asked
from autotag.browse.songs import Songs
from autotag.errors import LibraryError, TagNotFound
from autotag.library.database import Library
from autotag.library.query import find
from autotag.result import Failure
from tests.autotag.library.made import BOTH, model_of, track


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Tracks of random scores, of which every tenth failed."""
    rng = np.random.default_rng(4)
    model = model_of()
    with Library(tmp_path_factory.mktemp("library") / "library.sqlite", model) as made:
        for number in range(300):
            path = f"/m/artist {number % 7}/{number}.mp3"
            if number % 10 == 3:
                made.write(Failure(path, "NotAudio", f"{path}: none", 1, 2))
                continue
            names = {output.tag.replace(" ", "_").replace("-", "_") for output in BOTH}
            scores = dict(zip(sorted(names), rng.beta(0.6, 1.2, len(names)).tolist(), strict=True))
            made.write(track(path, model, number, 60.0 + number, **scores))
        yield made


@pytest.mark.parametrize(
    ("words", "wanted", "unwanted"),
    [
        ("", [], []),
        ("piano", ["piano"], []),
        ("piano quiet", ["piano", "quiet"], []),
        ("-vocals", [], ["vocals"]),
        ("piano -female vocal", ["piano"], ["female vocal"]),
        ('rock -"hip hop"', ["rock"], ["hip hop"]),
        ("piano or guitar", ["piano or guitar"], []),
        ("piano|guitar slow", ["piano|guitar", "slow"], []),
        ("piano>0.7", ["piano>0.7"], []),
        ("strings 0.2<piano<0.6", ["strings", "0.2<piano<0.6"], []),
        ("drums<0.2", ["drums<0.2"], []),
        ("-drums<0.2", [], ["drums<0.2"]),
        ('"path:artist 3" -path:*1.mp3', ["path:artist 3"], ["path:*1.mp3"]),
        ("ARTIST -vocals", ["path:artist"], ["vocals"]),
        ("jazz duration>3:00", ["jazz", "duration>3:00"], []),
    ],
)
@pytest.mark.parametrize("minimum", [0.5, 0.02])
@pytest.mark.parametrize("sparse", [100, 0])
def test_words_find_what_find_does(
    library: Library,
    words: str,
    wanted: list[str],
    unwanted: list[str],
    minimum: float,
    sparse: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held, "SPARSE", sparse)
    songs = Songs(library)
    found = songs.find(Asked(words, minimum))
    same = find(library, wanted, unwanted, minimum, limit=0)
    assert same
    paths = [songs.held.path(track) for track in found.ids.tolist()]
    assert sorted(map(str, paths)) == sorted(track.path for track in same)
    if len(found.scores):
        assert paths == [track.path for track in same]
        assert found.scores.tolist() == pytest.approx([track.score for track in same])


def test_folder_and_length_narrow_and_each_order_is_one(library: Library) -> None:
    songs = Songs(library)

    def durations(**fields: str) -> list[float]:
        found = songs.find(Asked.of({"folder": "artist 2", "least": "2:00", "most": "4:00", **fields}))
        rows = songs.rows(found.ids.tolist())
        assert {row["folder"] for row in rows} == {"artist 2"}
        return [row["seconds"] for row in rows]

    longest = durations(sort="longest")
    assert longest == sorted(longest, reverse=True)
    assert (min(longest), max(longest)) == (125.0, 237.0)
    assert durations(sort="shortest") == longest[::-1]
    assert sorted(durations(words="-opera", minimum="0.3")) == sorted(
        track.duration
        for track in find(library, ["path:artist 2", "duration>=120", "duration<=240"], "opera", 0.3, 0)
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"minimum": "2"}, "minimum is '2'. Use a score from 0 to 1."),
        ({"minimum": "nan"}, "minimum is 'nan'"),
        ({"sort": "colour"}, "sort is 'colour'. Use score, path,"),
        ({"least": "soon"}, "'duration>=soon' is no duration. Write it like"),
        ({"words": "zydeco>0.5"}, "no tag 'zydeco'"),
        ({"words": "piano>7"}, "7 in 'piano>7' is no score"),
    ],
)
def test_what_cannot_be_asked_for(library: Library, fields: dict[str, str], message: str) -> None:
    with pytest.raises((LibraryError, TagNotFound)) as raised:
        Songs(library).find(Asked.of(fields))
    assert message in str(raised.value)


def test_what_another_program_writes_is_seen(tmp_path: Path) -> None:
    model = model_of()
    with Library(tmp_path / "library.sqlite", model) as other:
        other.write(track("/m/one.mp3", model, piano=0.9))
        other.flush()
        with Library(tmp_path / "library.sqlite") as ours:
            songs = Songs(ours)
            assert len(songs.find(Asked("piano")).ids) == 1
            other.write(track("/m/two.mp3", model, piano=0.9))
            other.flush()
            assert len(songs.find(Asked("piano")).ids) == 2
            ours.correct("/m/one.mp3", "piano", False)
            songs.forget()
            assert len(songs.find(Asked("piano")).ids) == 1
