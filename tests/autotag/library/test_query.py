"""Asking a library: by meaning, with the scores that tag says, in words and in JSON."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autotag.errors import LibraryError, TagNotFound
from autotag.library.database import Library
from autotag.library.hints import clash, weaker
from autotag.library.keep import read_outcomes
from autotag.library.query import find, stats
from autotag.meaning import MEANINGS, Output
from autotag.request import LIKELY, Selection, implied_by
from autotag.result import Failure, Result
from tests.autotag.library.made import BOTH, MSD, MTAT, model_of, track
from tests.conftest import ROOT, Run


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tracks with known scores, and one that failed."""
    path = tmp_path_factory.mktemp("library") / "library.sqlite"
    model = model_of()
    with Library(path, model) as made:
        for outcome in (
            track("/m/soft piano.mp3", model, 1, 100, piano=0.6, quiet=0.55),
            track("/m/piano song.mp3", model, 2, 200, piano=0.8, quiet=0.52, vocals=0.7),
            track("/m/loud piano.mp3", model, 3, 300, piano=0.9, loud=0.8),
            track(
                "/m/she sings.mp3", model, 4, 400, female_voice=0.6, msd_female_vocalists=0.75, no_voice=0.65
            ),
            track("/m/he\nsings.mp3", model, 5, 500, male=0.9, vocal=0.55),
            track("/m/timid.mp3", model, 6, 600, piano=0.4, quiet=0.3),
            track("/m/rock.wav", model, 7, 700, mtat_rock=0.9, msd_rock=0.3),
            Failure("/m/none.mp3", "NotAudio", "/m/none.mp3: none", 1, 2),
        ):
            made.write(outcome)
    yield path


def names(found: Any) -> list[str]:
    paths = [track["path"] if isinstance(track, dict) else track.path for track in found]
    return [path.removeprefix("/m/") for path in paths]


@pytest.mark.parametrize(
    ("wanted", "unwanted", "options", "expected"),
    [
        (["piano"], [], {}, ["loud piano.mp3", "piano song.mp3", "soft piano.mp3"]),
        (["piano", "quiet"], [], {}, ["piano song.mp3", "soft piano.mp3"]),
        ("piano", "vocals", {}, ["loud piano.mp3", "soft piano.mp3"]),
        (["Piano"], ["loud"], {"minimum": 0.4}, ["piano song.mp3", "soft piano.mp3", "timid.mp3"]),
        (["piano"], [], {"minimum": 0.85}, ["loud piano.mp3"]),
        (["piano"], [], {"limit": 1}, ["loud piano.mp3"]),
        (["piano"], [], {"limit": 0, "sort": "path"}, ["loud piano.mp3", "piano song.mp3", "soft piano.mp3"]),
        (["piano"], [], {"sort": "duration"}, ["loud piano.mp3", "piano song.mp3", "soft piano.mp3"]),
        (["woman"], [], {}, ["she sings.mp3"]),
        (["vocals"], [], {}, ["he\nsings.mp3", "she sings.mp3", "piano song.mp3"]),
        (["singing"], [], {}, []),
        (["no vocals"], [], {}, []),
        (["rock"], [], {}, ["rock.wav"]),
        (["rock"], [], {"minimum": 0.61}, []),
        ([], ["voice", "rock"], {}, ["loud piano.mp3", "soft piano.mp3", "timid.mp3"]),
        (["guitar"], [], {}, []),
        (["piano"], ["piano"], {}, []),
        (["piano or rock"], [], {}, ["loud piano.mp3", "piano song.mp3", "soft piano.mp3", "rock.wav"]),
        (["male|female"], [], {}, ["he\nsings.mp3", "she sings.mp3"]),
        (["piano>=0.8"], [], {}, ["loud piano.mp3", "piano song.mp3"]),
        (["0.3<piano<0.8"], [], {}, ["soft piano.mp3", "timid.mp3"]),
        (["piano", "loud<0.5"], [], {}, ["piano song.mp3", "soft piano.mp3"]),
        (["piano", "path:SONG"], [], {}, ["piano song.mp3"]),
        (["path:*.wav"], [], {}, ["rock.wav"]),
        (["piano"], ["path:*song*"], {}, ["loud piano.mp3", "soft piano.mp3"]),
        (["duration>=8:20"], [], {}, ["he\nsings.mp3", "rock.wav", "timid.mp3"]),
        (["piano", "duration<200"], [], {}, ["soft piano.mp3"]),
    ],
)  # fmt: skip
def test_find(
    library: Path, wanted: Any, unwanted: Any, options: dict[str, Any], expected: list[str]
) -> None:
    with Library(library) as opened:
        assert names(find(opened, wanted, unwanted, **options)) == expected


def test_a_minimum_may_be_any_number_from_0_to_1(library: Path) -> None:
    with Library(library) as opened:
        assert len(find(opened, ["piano"], (), np.float64(0.4))) == 4
        assert len(find(opened, ["piano"], (), 1)) == 0
        assert len(find(opened, ["piano"], (), np.float32(0), np.int64(3))) == 3  # type: ignore[arg-type]
        for wrong in (float("nan"), -0.1, 1.1, "0.5", None, True):
            with pytest.raises(LibraryError, match=r"minimum is .*Use a score from 0 to 1"):
                find(opened, ["piano"], (), wrong)  # type: ignore[arg-type]
        for wrong in (-1, 2.5, "3"):
            with pytest.raises(LibraryError, match=r"limit is .*Use a number of tracks"):
                find(opened, ["piano"], limit=wrong)  # type: ignore[arg-type]
        with pytest.raises(LibraryError, match="sort is 'size'"):
            find(opened, ["piano"], sort="size")  # type: ignore[arg-type]
        ((name, score),) = find(opened, ["piano"], minimum=0.4, limit=2)[0].tags
        assert name == "piano"
        assert score == pytest.approx(0.9)


def test_ranked_by_the_geometric_mean(library: Path) -> None:
    with Library(library) as opened:
        first, second = find(opened, ["piano", "quiet"])
    assert dict(first.tags) == {"piano": pytest.approx(0.8), "quiet": pytest.approx(0.52)}
    assert first.score == pytest.approx((0.8 * 0.52) ** 0.5)
    assert second.score == pytest.approx((0.6 * 0.55) ** 0.5)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, np.ndarray[Any, Any]]]]:
    """200 tracks of random scores, and these."""
    path = tmp_path_factory.mktemp("many") / "library.sqlite"
    model, rng = model_of(), np.random.default_rng(1)
    scores = {}
    with Library(path, model) as made:
        for number in range(200):
            name = f"/m/{number}.mp3"
            scores[name] = rng.uniform(0, 1, len(BOTH)).astype(np.float32) ** 2
            result = track(name, model)
            assert result.scores is not None
            result.scores[:] = scores[name]
            made.write(result)
    yield path, scores


def test_find_and_stats_agree_with_tag_on_every_tag(many: tuple[Path, dict[str, Any]]) -> None:
    path, scores = many
    every = Selection(top=0)
    told = {name: dict(every.choose(BOTH, each)) for name, each in scores.items()}
    likely = Selection(top=0, threshold="auto")
    assert len({tag for tags in told.values() for tag in tags}) > 70
    with Library(path) as library:
        counts = {row["tag"]: row for row in stats(library)["tags"]}
        assert set(counts) == {tag for tags in told.values() for tag in tags}
        for tag, row in counts.items():
            having = {name: tags[tag] for name, tags in told.items() if tags.get(tag, 0) >= LIKELY}
            found = {each.path: each.score for each in find(library, [tag], limit=0)}
            assert found == having, tag
            assert row["tracks"] == len(having)
            assert row["mean"] == pytest.approx(sum(tags.get(tag, 0) for tags in told.values()) / 200)
        for outcome in library.outcomes(likely):
            assert isinstance(outcome, Result)
            assert outcome.tags == likely.choose(BOTH, scores[str(outcome.path)])
    kept = {outcome.path: outcome for outcome in read_outcomes(path, likely)}
    assert len(kept) == 200


def test_without_a_tag_are_none_that_imply_it(many: tuple[Path, dict[str, Any]]) -> None:
    path, _ = many
    pairs = [(meaning.name, other) for meaning in MEANINGS for other in implied_by(meaning.name)]
    assert ("female vocal", "vocals") in pairs
    with Library(path) as library:
        for special, general in pairs:
            for minimum in (0.0, 0.3, 0.5, 0.9):
                assert find(library, [special], [general], minimum) == [], (special, general)


def test_a_tag_of_another_vocabulary_says_whose_it_is(tmp_path: Path) -> None:
    model = model_of(tuple(Output("mtat", tag) for tag in MTAT))
    other = model_of(tuple(Output("msd", tag) for tag in MSD))
    with Library(tmp_path / "mtat.sqlite", model) as library:
        library.write(track("/a.mp3", model, piano=0.9))
        with pytest.raises(TagNotFound, match="no tag 'zydeco'"):
            find(library, ["zydeco"])
        with pytest.raises(TagNotFound, match=r"no tag 'guitr'\. Did you mean 'guitar'"):
            find(library, ["guitr"])
    with Library(tmp_path / "msd.sqlite", other) as library:
        library.write(track("/a.mp3", other, chill=0.8, msd_female_vocalists=0.9))
        library.flush()
        for tag in ("chillout", "Chill", "woman", "vocals"):
            assert names(find(library, [tag])) == ["/a.mp3"], (
                "where only more special tags are there, by them"
            )
        assert find(library, ["female vocal"], ["vocals"]) == []
        assert find(library, ["hip-hop"]) == []
        with pytest.raises(
            TagNotFound, match="'harpsichord' is a tag of mtat, and this library has those of msd"
        ):
            find(library, ["harpsichord"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["piano", "quiet", "-vocals"], ["soft piano.mp3"]),
        (["-vocals", "piano", "-fast", "--min", 0.4], ["loud piano.mp3", "soft piano.mp3", "timid.mp3"]),
        (["--limit", 1, "--", "-voice", "-rock"], ["loud piano.mp3"]),
        (["piano", "\N{MINUS SIGN}loud", "-quiet"], []),
        (["piano", "or", "rock", "-path:loud"], ["piano song.mp3", "soft piano.mp3", "rock.wav"]),
        (["female", "vocal"], ["she sings.mp3"]),
        (["-piano", "-female", "vocal", "-rock"], ["he\nsings.mp3", "timid.mp3"]),
        (["path:*", "--sort", "duration", "--limit", 0, "duration>550"], ["rock.wav", "timid.mp3"]),
    ],
)  # fmt: skip
def test_terms_on_the_command_line(
    autotag: Run, library: Path, arguments: list[object], expected: list[str]
) -> None:
    run = autotag("find", "--library", library, "--json", *arguments)
    assert run.returncode == 0, run.stderr
    assert names(json.loads(run.stdout)) == expected


def test_find_says_what_it_leaves_out(autotag: Run, library: Path) -> None:
    run = autotag("find", "piano", "quiet", "--library", library)
    assert run.stdout.splitlines() == [
        "score  piano  quiet  path",
        " 0.64   0.80   0.52  /m/piano song.mp3",
        " 0.57   0.60   0.55  /m/soft piano.mp3",
    ]
    assert "1 more track has the tags with scores from 0.25 to 0.5: add --min 0.25." in run.stderr
    run = autotag("find", "piano", "quiet", "-vocals", "-loud", "--library", library)
    assert "1 more track has the tags with scores from 0.25 to 0.5" in run.stderr
    run = autotag("find", "piano", "--limit", 2, "--library", library)
    assert "2 of 3 tracks are listed. Use --limit 0 to list all." in run.stderr
    run = autotag("find", "female", "vocal", "--library", library)
    assert "'female vocal' is read as one tag." in run.stderr
    for name in ("vocal", "Female Vocalists", "female-vocal", "femalevocal"):
        assert autotag("find", name, "--library", library).stdout.count("sings") == 1 + (name == "vocal")
    run = autotag("find", "piano", "--limit", 1, "--library", library)
    assert run.stdout == "piano  path\n 0.90  /m/loud piano.mp3\n", "its score is that of the tag"
    run = autotag("find", "-piano", "--library", library)
    assert run.stdout.startswith("path\n/m/"), "a score would be the same in every line"
    run = autotag("find", "quiet>0.1", "quiet<0.4", "drums", "--library", library)
    assert run.stderr == "No track has all of these tags. Try a lower --min (now 0.5).\n"
    run = autotag("find", "quiet", "-piano>0.5", "--library", library)
    assert run.stderr == (
        "No track has all of these tags.\n"
        "1 track has the tags with scores from 0.25 to 0.5: add --min 0.25.\n"
    )
    run = autotag("find", "piano>0.5", "duration<10", "--library", library)
    assert run.stderr == "No track has all of these tags.\n", "a lower --min finds no more"
    run = autotag("find", "guitar", "--library", library)
    assert (run.returncode, run.stdout) == (0, "")
    assert "No track has all of these tags. Try a lower --min (now 0.5)." in run.stderr


@pytest.mark.parametrize(
    ("wanted", "unwanted", "why"),
    [
        (["female vocal"], ["vocals"], "Each track with 'female vocal' has 'vocals' too."),
        (["opera or woman"], ["voice"], "Each track with 'opera' has 'voice' too."),
        (["quiet", "Piano"], ["piano"], "'piano' is wanted and not wanted."),
        (["opera or piano"], ["voice"], ""),
        (["vocals"], ["opera"], ""),
        (["piano"], ["piano>0.9"], ""),
        (["path:opera"], ["path:opera"], ""),
    ],
)
def test_what_no_track_can_have_is_said(
    library: Path, wanted: list[str], unwanted: list[str], why: str
) -> None:
    with Library(library) as opened:
        found = clash(opened, wanted, unwanted)
        assert found == (f"{why} Leave out one of them." if why else "")
        assert not (why and find(opened, wanted, unwanted, 0))


def test_tags_that_are_not_calibrated_are_listed_by_rank(library: Path) -> None:
    with Library(library) as opened:
        low = "Scores of 'happy' are low, and not calibrated. Use --min 0 to list the highest."
        assert weaker(opened, ["happy", "piano"], 0.5) == low
        assert weaker(opened, ["guitar"], 0.3) == "Try a lower --min (now 0.3)."
        assert weaker(opened, ["guitar"], 0) == weaker(opened, ["guitar>0.9"], 0.5) == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["guitr"], "has no tag 'guitr'. Did you mean 'guitar'"),
        (["piano", "-quite"], "has no tag 'quite'. Did you mean 'quiet'"),
        (["zzz"], "has no tag 'zzz'. 'autotag stats' lists its tags"),
        (["genre:jazz"], "has no tag 'genre:jazz'. Did you mean 'jazz'?"),
        ([""], "empty"),
        (["piano>2"], "2 in 'piano>2' is no score"),
        (["piano>loud"], "'piano>loud' is no range"),
        (["duration>long"], "is no duration"),
        (["path:"], "path: is empty"),
        (["piano or "], "lacks a tag"),
        (["piano or loud<0.2"], "only an upper bound"),
        (["-h"], None),
        (["piano", "--min", 2], "--min"),
        (["piano", "--limit", -1], "--limit"),
        (["piano", "--sort", "size"], "sort is 'size'. Use score, path"),
        (["piano", "--json", "--paths"], "are different outputs. Give one of them."),
        (["piano", "--m3u", "list.txt"], ".m3u8"),
        (["piano", "--m3u", "none/list.m3u8"], "lies in a folder that does not exist."),
    ],
)
def test_what_cannot_be_asked(
    autotag: Run, library: Path, arguments: list[object], message: str | None
) -> None:
    run = autotag("find", *arguments, "--library", library)
    assert run.returncode == (2 if message else 0), run.stderr
    assert (message or "") in run.stderr
    assert "Traceback" not in run.stderr
    assert message or "Usage" in run.stdout


def test_playlists_and_paths(autotag: Run, library: Path, tmp_path: Path) -> None:
    playlist = tmp_path / "list.m3u8"
    run = autotag("find", "vocals", "--library", library, "--m3u", playlist)
    assert playlist.read_bytes().decode() == (
        "#EXTM3U\n#EXTINF:400,she sings\n/m/she sings.mp3\n#EXTINF:200,piano song\n/m/piano song.mp3\n"
    )
    assert "warning: /m/he\\nsings.mp3: left out of the playlist" in run.stderr
    assert f"{playlist}: 2 tracks" in run.stderr
    run = autotag("find", "rock", "--library", library, "--m3u", "-")
    assert run.stdout == "#EXTM3U\n#EXTINF:700,rock\n/m/rock.wav\n"
    autotag("find", "rock", "--library", library, "--m3u", playlist, "--relative")
    last = playlist.read_text("utf-8").splitlines()[-1]
    assert (playlist.parent / last).resolve() == Path("/m/rock.wav")
    assert not Path(last).is_absolute()
    run = autotag("find", "vocals", "--library", library, "--paths")
    assert run.stdout == "/m/she sings.mp3\n/m/piano song.mp3\n"
    assert "left out, for its name has a line break. Use -0." in run.stderr
    run = autotag("find", "vocals", "--library", library, "-0")
    assert run.stdout == "/m/he\nsings.mp3\0/m/she sings.mp3\0/m/piano song.mp3\0"


def test_stats(autotag: Run, library: Path) -> None:
    found = json.loads(autotag("stats", "--library", library, "--json").stdout)
    assert {key: found[key] for key in ("tracks", "failures", "outdated", "minimum")} == {
        "tracks": 7,
        "failures": {"NotAudio": 1},
        "outdated": 0,
        "minimum": 0.5,
    }
    assert found["hours"] == pytest.approx(2800 / 3600)
    assert found["tags"][0]["tag"] in ("piano", "vocals")
    assert found["tags"][0]["tracks"] == 3
    female = next(row for row in found["tags"] if row["tag"] == "female vocal")
    assert female["tracks"] == 1
    out = autotag("stats", "--library", library).stdout
    assert out.startswith("7 tracks, 46.7 min, tagged by ")
    shown, _, none = out.partition("in no track, from a score of 0.5 on:")
    assert "\nfemale vocal " in shown
    assert "\nflute " not in shown
    assert " flute," in none.replace("\n", " ")
    assert "cannot be tagged: 1 NotAudio; 'autotag stats --failed' lists them\n" in out


@pytest.mark.parametrize("arguments", [["find", "piano"], ["stats"], ["find", "--help"], ["scan", "--help"]])
def test_asking_loads_no_onnxruntime(library: Path, arguments: list[str]) -> None:
    heavy = "{'numpy', 'onnxruntime', 'soundfile', 'soxr'} & set(sys.modules)"
    arguments = [*arguments, *([] if "--help" in arguments else ["--library", str(library)])]
    code = f"import sys, autotag.cli.main; sys.argv[1:] = {arguments}\n"
    code += f"try: autotag.cli.main.main()\nexcept SystemExit: pass\nassert not {heavy}, {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
