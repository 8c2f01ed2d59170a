"""The commands that show what the networks see and hear, as a user meets them."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from autotag import Tagger
from autotag.errors import VocabularyNotFound
from autotag.meaning import Output, meaning_of
from autotag.models.registry import comparable, select
from autotag.scores import Scores
from autotag.system.text import printable
from autotag.views.taggram import cells, envelope, labels, of_vocabulary, preference
from tests.browser import Browser
from tests.conftest import AWKWARD, ROOT, SONG, Run, music

SMALL = "vgg-12k-48-x10-db"

SEGMENTED = "musicnn-12k-48-x1-db"

LONG = max(comparable(select()), key=preference).name
"""The model of taggrams: the best one of short segments."""


def without(package: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line where a package is not installed."""
    code = f"import sys; sys.modules[{package!r}] = None; from autotag.cli.main import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example, a file of an awkward name, and one that is no audio."""
    folder = tmp_path_factory.mktemp("songs")
    shutil.copy(SONG, folder / "a.mp3")
    name = AWKWARD if sys.platform != "win32" else "it's Ü.wav"
    soundfile.write(folder / name, music(70, 12000), 12000)
    (folder / "text.mp3").write_text("no music")
    return folder


def names(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.iterdir()) if path.name != "text.mp3"]


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("jobs", [1, 2])
def test_embeddings_of_songs_in_an_array_with_their_names(
    autotag: Run, songs: Path, tmp_path: Path, jobs: int
) -> None:
    run = autotag("embed", songs, "--hop", "x10", "-o", tmp_path / "e.npy", "--jobs", jobs)
    assert run.returncode == 1
    assert run.stdout == ""
    assert "text.mp3: not WAV" in run.stderr
    assert "2 rows, 1 failed -> " in run.stderr
    found = np.load(tmp_path / "e.npy", mmap_mode="r")
    assert found["path"].tolist() == names(songs)
    assert set(found["model"].tolist()) == {SMALL}
    tagger = Tagger(SMALL)
    expected = np.stack([tagger.embed(name) for name in names(songs)])
    np.testing.assert_allclose(found["embedding"], expected, rtol=1e-4, atol=1e-5)
    assert listed(tmp_path) == ["e.npy"]


def test_embeddings_of_segments_in_parquet(autotag: Run, songs: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    autotag("embed", songs, "--hop", "x10", "--segments", "-o", tmp_path / "e.parquet")
    found = parquet.read_table(tmp_path / "e.parquet").to_pydict()
    assert found["path"] == [
        name for name, count in zip(names(songs), (2, 3), strict=True) for _ in range(count)
    ]
    heard = [Tagger(SMALL).scores(name) for name in names(songs)]
    np.testing.assert_allclose(found["start"], np.concatenate([h.times for h in heard]))
    embeddings = np.concatenate([h.embeddings for h in heard])
    np.testing.assert_allclose(found["embedding"], embeddings, rtol=1e-4, atol=1e-5)
    again = autotag("embed", songs, "--hop", "x10", "--segments", "-o", tmp_path / "e.npy")
    assert "5 rows" in again.stderr
    assert np.load(tmp_path / "e.npy")["start"].tolist() == found["start"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_embeddings_of_a_name_that_is_not_utf_8(autotag: Run, tmp_path: Path) -> None:
    name = tmp_path / os.fsdecode(b"caf\xe9.mp3")
    shutil.copy(SONG, name)
    for ending in ("npy", "parquet"):
        run = autotag("embed", tmp_path, "--hop", "x10", "-o", tmp_path / f"e.{ending}")
        assert run.returncode == 0, run.stderr
    assert np.load(tmp_path / "e.npy")["path"].tolist() == [str(name)]
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(tmp_path / "e.parquet")["path"].to_pylist()[0].endswith("caf\\xe9.mp3")


def test_more_rows_than_are_held_at_once(tmp_path: Path) -> None:
    from autotag.outputs.embeddings import AT_ONCE, write_embeddings
    from autotag.result import Result

    parquet = pytest.importorskip("pyarrow.parquet")
    total = 2 * AT_ONCE + 5
    for ending in ("npy", "parquet"):
        results = (
            Result(f"{n}.mp3", "m", "0", 1.0, 1, (), {}, embedding=np.array([n, -n], np.float32))
            for n in range(total)
        )
        assert write_embeddings(tmp_path / f"e.{ending}", results, 8) == total
    found = np.load(tmp_path / "e.npy")
    assert found["embedding"].tolist() == [[n, -n] for n in range(total)]
    table = parquet.read_table(tmp_path / "e.parquet")
    assert table["path"].to_pylist() == found["path"].tolist() == [f"{n}.mp3" for n in range(total)]
    assert table["embedding"].to_pylist() == found["embedding"].tolist()


def test_no_embedding_leaves_the_old_file(autotag: Run, songs: Path, tmp_path: Path) -> None:
    (tmp_path / "e.npy").write_text("old")
    assert autotag("embed", songs / "text.mp3", "-o", tmp_path / "e.npy").returncode == 1
    assert (tmp_path / "e.npy").read_text() == "old"
    assert listed(tmp_path) == ["e.npy"]


def test_the_numbers_of_a_taggram(autotag: Run, tmp_path: Path) -> None:
    asked = ("--vocabulary", "mtat", "--model", SEGMENTED)
    for ending in ("json", "csv", "npz"):
        run = autotag("taggram", SONG, "-o", tmp_path / f"t.{ending}", *asked)
        assert (run.returncode, run.stdout) == (0, "")
        assert run.stderr == f"11 segments of 3.0 s by {SEGMENTED} -> {tmp_path / f't.{ending}'}\n"
    scores = of_vocabulary(Tagger(SEGMENTED).scores(SONG), "mtat")
    assert scores.scores.shape == (11, 50)
    tags = [output.tag for output in scores.outputs]
    found = json.loads((tmp_path / "t.json").read_text("utf-8"))
    assert list(found) == [
        *("path", "model", "sha256", "duration", "segment_seconds"),
        *("tags", "vocabularies", "scores", "times"),
    ]
    assert (found["path"], found["model"], found["duration"]) == (str(SONG), SEGMENTED, 30)
    assert (found["tags"], set(found["vocabularies"])) == (tags, {"mtat"})
    with np.load(tmp_path / "t.npz") as arrays:
        assert list(arrays) == list(found)
        np.testing.assert_allclose(arrays["scores"], scores.scores, atol=1e-5)
        np.testing.assert_allclose(arrays["times"], scores.times)
        assert arrays["path"] == str(SONG)
    with (tmp_path / "t.csv").open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["start", "end", *tags]
    for numbers in (found["scores"], [row[2:] for row in rows]):
        np.testing.assert_allclose(np.array(numbers, float), scores.scores, atol=1e-4)
    for starts in (found["times"], [row[0] for row in rows]):
        np.testing.assert_allclose(np.array(starts, float), scores.times, atol=1e-4)
    assert float(rows[-1][1]) == 30


def test_the_segments_of_a_taggram_may_overlap(autotag: Run, tmp_path: Path) -> None:
    out = tmp_path / "t.json"
    run = autotag("taggram", SONG, "-o", out, "--model", SEGMENTED, "--step", 1.5)
    assert run.stderr == f"20 segments of 3.0 s by {SEGMENTED} -> {out}\n"
    scores = Tagger(SEGMENTED).scores(SONG, step=1.5)
    found = json.loads(out.read_text("utf-8"))
    np.testing.assert_allclose(found["scores"], scores.scores, atol=1e-4)
    np.testing.assert_allclose(found["times"], scores.times, atol=1e-4)


def made(outputs: list[Output], rows: list[list[float]], times: list[float], duration: float) -> Scores:
    """Scores of segments of 3 s."""
    scores = np.array(rows, np.float32)
    ms = dict.fromkeys(("decode", "mel", "model"), 0.0)
    none = np.zeros((len(rows), 1), np.float32)
    return Scores(
        *(
            tuple(outputs),
            frozenset(),
            scores,
            none,
            np.ones(len(rows), np.float32),
            np.array(times),
            3.0,
            duration,
            None,
            LONG,
            "0" * 64,
            ms,
            (),
        )
    )


def test_what_is_drawn_of_a_taggram() -> None:
    outputs = [Output("mtat", tag) for tag in ("woman", "guitar", "female", "flute")]
    rows = [[0.1, 0.5, 0.2, 0.3], [0.9, 0.5, 0.2, 0.1], [0.2, 0.5, 0.4, 0.1]]
    scores = made(outputs, rows, [0.0, 3.0, 5.0], 8.0)
    edges, tags, values = cells(scores, 3, 2)
    assert tags == ("female vocal", "guitar")
    np.testing.assert_allclose(values, [[0.2, 0.5], [0.9, 0.5], [0.4, 0.5]])
    assert edges.tolist() == [0, 3, 5.5, 8]
    assert cells(scores, 3, 0).tags == ("female vocal", "guitar", "flute")
    edges, _, values = cells(scores, 2, 2)
    assert edges.tolist() == [0, 5.5, 8]
    np.testing.assert_allclose(values, [[0.5, 0.5], [0.4, 0.5]])


def test_a_tag_is_drawn_by_its_meaning() -> None:
    outputs = [
        Output("mtat", "rock"),
        Output("msd", "rock"),
        Output("msd", "hard rock"),
        Output("msd", "sad"),
    ]
    scores = made(outputs, [[0.2, 0.4, 0.1, 0.0], [0.2, 0.4, 0.6, 0.0]], [0.0, 3.0], 6.0)
    _, tags, values = cells(scores, 9, 0)
    assert tags == ("rock", "hard rock", "sad")
    np.testing.assert_allclose(values, [[0.3, 0.1, 0], [0.6, 0.6, 0]], atol=1e-6)
    assert labels(scores) == ["rock (mtat)", "rock (msd)", "hard rock", "sad"]
    assert labels(of_vocabulary(scores, "msd")) == ["rock", "hard rock", "sad"]
    with pytest.raises(VocabularyNotFound, match=r"no vocabulary 'mine'. Use mtat, msd, or all"):
        of_vocabulary(scores, "mine")


def test_a_file_of_less_than_two_segments_has_nothing_over_time(
    autotag: Run, songs: Path, tmp_path: Path
) -> None:
    for song, warned in ((SONG, True), (names(songs)[1], False)):
        run = autotag("taggram", song, "--arch", "vgg", "-o", tmp_path / "t.json")
        assert run.returncode == 0
        said = "is less than two segments of 29.1 s, so there is nothing to see over time. Use --arch musicnn"
        assert (said in run.stderr) == warned


def test_the_best_model_of_an_architecture_is_the_default(autotag: Run, tmp_path: Path) -> None:
    for options, name in (((), LONG), (("--mels", 48), "musicnn-12k-48-x1-db"), (("--model", SMALL), SMALL)):
        run = autotag("taggram", SONG, "-o", tmp_path / "t.json", *options)
        assert (run.returncode, run.stdout) == (0, "")
        assert json.loads((tmp_path / "t.json").read_text("utf-8"))["model"] == name


@pytest.mark.parametrize("block", [1, 700, 12000, 50000])
def test_an_envelope_has_the_peaks_of_the_waveform(block: int) -> None:
    signal = np.zeros(36000, np.float32)
    signal[[5, 12000, 35999]] = 0.5, -0.75, 0.25
    blocks = np.split(signal, range(block, 36000, block))
    assert envelope(blocks, 12000, 6).tolist() == [0.5, 0, 0.75, 0, 0, 0.25]
    assert len(envelope(blocks, 12000, 1000)) == 300


def test_a_picture_of_a_taggram(autotag: Run, songs: Path, tmp_path: Path) -> None:
    from matplotlib.image import imread

    picture_of = ("taggram", names(songs)[1], "--top", 10, "--model", SEGMENTED)
    for ending in ("png", "svg"):
        run = autotag(*picture_of, "-o", tmp_path / f"t.{ending}")
        assert (run.returncode, run.stdout) == (0, "")
        assert run.stderr.endswith(f"by {SEGMENTED} -> {tmp_path / f't.{ending}'}\n")
    picture = imread(tmp_path / "t.png")
    assert picture.shape[1] == 1500
    assert (tmp_path / "t.png").stat().st_size < 150_000
    tree = ElementTree.parse(tmp_path / "t.svg")
    texts = ["".join(found.itertext()) for found in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert any(printable(Path(names(songs)[1]).name) in found for found in texts)
    scores = Tagger(SEGMENTED).scores(names(songs)[1])
    best = scores.outputs[scores.scores.max(axis=0).argmax()].tag
    assert meaning_of(best).name in texts
    assert {"0:00", "1:00", "score", "0.5", "1"} <= set(texts), "one scale for all songs"
    again = tmp_path / "again.svg"
    autotag(*picture_of, "-o", again)
    assert again.read_bytes() == (tmp_path / "t.svg").read_bytes()


def test_dollars_in_a_name_are_no_formula(autotag: Run, tmp_path: Path) -> None:
    shutil.copy(SONG, tmp_path / "$x_$ 50%.mp3")
    asked = ("-o", tmp_path / "t.svg", "--model", SEGMENTED, "--quiet")
    assert autotag("taggram", tmp_path / "$x_$ 50%.mp3", *asked).stderr == ""
    assert "$x_$ 50%.mp3" in (tmp_path / "t.svg").read_text("utf-8")


def test_a_page_with_a_taggram(autotag: Run, songs: Path, tmp_path: Path, browser: Browser) -> None:
    autotag("taggram", names(songs)[1], "-o", tmp_path / "t.html", "--top", 10, "--step", 1)
    browser.open(tmp_path / "t.html")
    assert browser.get("document.title") == printable(Path(names(songs)[1]).name)
    assert browser.get("document.querySelector('h1').textContent") == browser.get("document.title")
    assert browser.get("document.querySelectorAll('b[onclick]').length") == 0
    assert browser.get("document.querySelectorAll('.plot li').length") == 10
    now = "document.querySelector('.now').textContent"
    assert browser.get(now).startswith("0:00  ")
    browser.wait("document.querySelector('audio').readyState > 0")
    assert browser.get("document.querySelector('audio').duration") == pytest.approx(70, abs=0.1)
    for _ in range(30):  # the player comes first, and has several buttons
        browser.press("Tab")
        if browser.get("document.activeElement.getAttribute('role')") == "slider":
            break
    assert browser.get("document.activeElement.getAttribute('role')") == "slider"
    browser.press("ArrowRight")
    browser.press("PageUp")
    assert browser.get(now).startswith("0:11  ")
    browser.press("End")
    assert browser.get("document.activeElement.getAttribute('aria-valuenow')") == "70.0"
    assert browser.get("document.activeElement.getAttribute('aria-valuetext')") == browser.get(now)
    assert browser.problems == []
    assert len(browser.requests) == 1


def test_a_taggram_of_no_audio(autotag: Run, songs: Path, tmp_path: Path) -> None:
    (tmp_path / "t.png").write_text("old")
    run = autotag("taggram", songs / "text.mp3", "-o", tmp_path / "t.png")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith(f"error: {songs / 'text.mp3'}: not WAV")
    assert (tmp_path / "t.png").read_text() == "old"


@pytest.mark.parametrize(("command", "out"), [("taggram", "t.png"), ("sonify", "h.flac")])
def test_a_folder_is_not_one_file(autotag: Run, songs: Path, tmp_path: Path, command: str, out: str) -> None:
    run = autotag(command, songs, "-o", tmp_path / out)
    assert (run.returncode, run.stdout) == (2, "")
    assert "is a folder. Name one audio file." in " ".join(run.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("package", "arguments", "message"),
    [
        ("pyarrow", ("embed", "-o", "e.parquet"), "Parquet needs the package pyarrow: pip install pyarrow"),
        ("librosa", ("sonify", "-o", "h.wav"), "sonify needs the package librosa: pip install librosa"),
        (
            *("matplotlib", ("taggram", "-o", "t.png")),
            "Pictures need the package matplotlib: pip install matplotlib",
        ),
    ],
)
def test_a_package_that_is_missing_is_named(
    package: str, arguments: tuple[str, str, str], message: str, tmp_path: Path
) -> None:
    command, option, name = arguments
    run = without(package, command, SONG, option, tmp_path / name)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"error: {message}\n"
    assert listed(tmp_path) == []


def test_numbers_and_pages_need_no_extra(tmp_path: Path) -> None:
    for name in ("t.html", "t.json"):
        asked = ("-o", tmp_path / name, "--model", SEGMENTED)
        assert without("matplotlib", "taggram", SONG, *asked).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--model", SEGMENTED, "--step", 0],
            f"The step is 0 s. Use one from 0.021 s, a frame of {SEGMENTED}, to 2.99 s",
        ),
        (["--step", "nan"], "The step is nan s"),
        (["--hop", "x2", "--arch", "vgg", "--step", 30], "The step is 30 s. Use one from 0.043 s"),
        (["--top", 3], "gets the numbers of all tags"),
        (["--mels", 32], "mel bands of musicnn 32 is not available"),
    ],
)
def test_a_wrong_taggram_is_exit_2(
    autotag: Run, tmp_path: Path, arguments: list[object], message: str
) -> None:
    run = autotag("taggram", SONG, "-o", tmp_path / "t.csv", *arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr
    assert listed(tmp_path) == []


@pytest.mark.parametrize(
    ("command", "out", "message"),
    [
        ("embed", "e.txt", "'e.txt' is not allowed. Use a name that ends in .npy or .parquet"),
        ("taggram", "t.pdf", "'t.pdf' is not allowed. Use a name that ends in .png or .svg or .html"),
        ("embed", "none/e.npy", "'none/e.npy' lies in a folder that does not exist"),
        ("embed", "e.npy", "'e.npy' is a folder"),
    ],
)
def test_where_to_write_is_checked_first(command: str, out: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "e.npy").mkdir()
    run = subprocess.run(
        [sys.executable, "-m", "autotag", command, str(SONG), "-o", out],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert message in run.stderr
