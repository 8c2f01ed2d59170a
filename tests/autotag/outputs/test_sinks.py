"""Results in files: what a later run goes on with, whatever ended the earlier one."""

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pyarrow import parquet

from autotag import Failure, Result, Selection, Tagger, TagRequest, read_outcomes, tag_into
from autotag.audio.folders import audio_files
from autotag.errors import SinkError
from autotag.library.keep import open_sink
from autotag.models.registry import find
from autotag.outputs.parquet import SCHEMA, Parquet
from autotag.outputs.rows import Csv, Jsonl, Rows
from autotag.outputs.sink import ENDINGS, Sink
from autotag.outputs.stream import COLUMNS
from autotag.result import Tag
from tests.conftest import ROOT, Run, music

SMALL = "vgg-12k-48-x10-db"
FULL = ["--model", SMALL, "--top", "0"]
OTHER = "vgg-12k-48-x5-db"
SONGS, KILLS = (int(os.environ.get(name, default)) for name, default in (("SONGS", 30), ("KILLS", 3)))
"""`SONGS=200 KILLS=20 pytest tests/autotag/outputs/test_sinks.py -k 'killed or failed_file'` tries more."""

SHA256 = find(SMALL).sha256
BROKEN = SONGS // 2
FILES = [ending for ending in ENDINGS if ending != ".sqlite"]

each = pytest.mark.parametrize("ending", FILES)
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")


def rows(path: Path) -> list[dict[str, Any]]:
    """What is kept, the same for every ending, without the milliseconds."""
    if path.suffix == ".sqlite":
        plain = library(path)
    elif path.suffix == ".jsonl":
        plain = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for row in plain:
            row.pop("ms", None)
            row |= {f"error_{field}": text for field, text in row.pop("error", {}).items()}
    elif path.suffix == ".parquet":
        table = parquet.read_table(path).to_pylist()
        plain = [{name: value for name, value in row.items() if value is not None} for row in table]
    else:
        with path.open(encoding="utf-8", newline="") as file:
            plain = [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]
        for row in plain:
            row["ok"] = row["ok"] == "True"
            row |= {name: int(row[name]) for name in ("size", "modified", "segments") if name in row}
            row |= {name: float(row[name]) for name in ("duration",) if name in row}
            if row["ok"]:
                scores = map(float, row.pop("scores").split("; "))
                pairs = zip(row["tags"].split("; "), scores, strict=True)
                row["tags"] = [{"tag": tag, "score": score} for tag, score in pairs]
                row["warnings"] = row["warnings"].split("; ") if "warnings" in row else []
    for row in plain:
        if row["ok"]:  # scores are kept with four digits, and were ranked by more
            row["tags"] = sorted(row["tags"], key=lambda tag: (-tag["score"], tag["tag"]))
    return [{name: value for name, value in row.items() if not name.endswith("_ms")} for row in plain]


def library(path: Path) -> list[dict[str, Any]]:
    """The tracks of a library in the order in which they were written."""
    found = []
    for outcome in read_outcomes(path, Selection(top=0)):
        row = outcome.to_dict()
        row.pop("ms", None)
        found.append(row | {f"error_{field}": text for field, text in row.pop("error", {}).items()})
    return found


def by_path(path: Path) -> dict[str, dict[str, Any]]:
    found = rows(path)
    named = {row["path"]: row for row in found}
    assert len(named) == len(found), "nothing is there twice"
    return named


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short songs among files that are none, each in its own way."""
    folder = tmp_path_factory.mktemp("music")
    (folder / "b").mkdir()
    for number in range(SONGS // 2):
        soundfile.write(folder / f"a{number}.wav", music(1, 12000, number), 12000)
        soundfile.write(folder / "b" / f"{number}, “it's\n; so”.flac", music(1, 12000, number), 12000)
    noise = np.random.default_rng(0).bytes(20000)
    for number in range(BROKEN):
        if number % 2:
            (folder / "b" / f"{number}-bad.mp3").write_bytes(b"\xff\xfb\x90\x00" * number + noise[:number])
        else:
            (folder / f"a{number // 2}-bad.mp3").write_bytes(noise[number:])
    return folder


@pytest.fixture(scope="module")
def whole(folder: Path, autotag: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of an uninterrupted run with all tags, as JSONL."""
    out = tmp_path_factory.mktemp("whole") / "tags.jsonl"
    run = autotag(folder, *FULL, "--out", out, "--jobs", 2)
    assert run.returncode == 1
    assert run.stdout == ""
    said = f"{SONGS} tagged, {BROKEN} failed, 0 skipped -> {out}\n"
    # The run may take so long that it says how far it is.
    progress = re.compile(r"^\d+ (files|of \d+ files, \d+ failed)\n", re.M)
    assert progress.sub("", run.stderr) == said, "and nothing of the decoders'"
    return out


def test_a_failed_file_is_a_row_with_its_reason(folder: Path, whole: Path) -> None:
    found = rows(whole)
    assert sum(row["ok"] for row in found) == SONGS
    for row in found:
        assert row["size"] == Path(row["path"]).stat().st_size
        assert row["modified"] == Path(row["path"]).stat().st_mtime_ns
        assert row["ok"] == ("bad" not in row["path"])
        if not row["ok"]:
            assert row["error_kind"] in {"NotAudio", "EmptyAudio"}
            assert row["error_message"].startswith(row["path"])
    assert [row["path"] for row in found][:3] == [
        str(folder / f"a0{end}") for end in ("-bad.mp3", ".wav")
    ] + [str(folder / "a1-bad.mp3")]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9")
def test_killed_at_any_moment_it_goes_on_to_the_same_end(
    folder: Path, whole: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"tags{ending}"
    growing = out if ending != ".parquet" else tmp_path / "tags.parquet.journal.jsonl"
    all_tags = FULL[:2] if ending == ".sqlite" else FULL  # a library keeps them unasked
    options = [str(folder), *all_tags, "--out", str(out), "--jobs", "2"]
    command = [sys.executable, "-m", "autotag", *options]
    chance = random.Random(ending)
    size = 0
    for most in (0, *[2000 * SONGS // KILLS] * (KILLS - 1)):  # bytes that are written before it is killed
        size += chance.randint(0, most)
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
            while process.poll() is None and not (growing.exists() and growing.stat().st_size >= size):
                time.sleep(0.001)
            # A library is made at once and gets its rows at times.
            time.sleep(chance.random() * (2 if ending == ".sqlite" else 0.05))
            process.kill()
    written = growing.read_bytes()
    tally = tag_into(audio_files([folder]), out, SMALL, TagRequest(top=0), jobs=1)
    assert tally.tagged + tally.skipped - tally.failed_before == SONGS
    assert rows(out) == rows(whole)
    lock = f".{out.name}.lock"
    if ending in (".jsonl", ".csv"):
        kept = written[: written.rfind(b"\n") + 1] if ending == ".jsonl" else written[: len(written) // 2]
        assert out.read_bytes().startswith(kept), "what was written stays as it is"
    if ending != ".sqlite":
        assert tally.tagged < SONGS, "what was written is not tagged again"
    assert {path.name for path in tmp_path.iterdir()} - {lock} == {out.name}


@each
def test_a_rerun_skips_what_is_there_and_redoes_what_has_changed(tmp_path: Path, ending: str) -> None:
    out, songs = tmp_path / f"tags{ending}", tmp_path / "songs"
    songs.mkdir()
    for number in range(4):
        soundfile.write(songs / f"{number}.wav", music(1, 12000, number), 12000)
    (songs / "4.wav").write_bytes(b"x" * 24044)

    def run(model: str = SMALL, **options: Any) -> tuple[int, ...]:
        """How many are tagged, fail, are skipped, and failed before."""
        return astuple(tag_into(sorted(songs.iterdir()), out, model, jobs=1, **options))

    assert run() == (4, 1, 0, 0)
    first = by_path(out)
    assert run() == (0, 0, 5, 1)
    assert by_path(out) == first

    # Changed, vanished, and new.
    soundfile.write(songs / "0.wav", music(2, 12000, 7), 12000)
    state = (songs / "2.wav").stat()
    os.utime(songs / "2.wav", ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    (songs / "1.wav").unlink()
    soundfile.write(songs / "new.wav", music(1, 12000, 8), 12000)
    assert run() == (3, 0, 2, 1)
    second = by_path(out)
    assert list(second) == [str(songs / f"{name}.wav") for name in ("1", "3", "4", "0", "2", "new")]
    assert second[str(songs / "1.wav")] == first[str(songs / "1.wav")], "rows of vanished files are kept"
    assert second[str(songs / "0.wav")]["duration"] == 2
    assert second[str(songs / "2.wav")]["modified"] == state.st_mtime_ns + 10**9

    assert run(retry_failed=True) == (0, 1, 4, 0)
    state = (songs / "4.wav").stat()
    soundfile.write(songs / "4.wav", music(1, 12000, 9), 12000)
    os.utime(songs / "4.wav", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (songs / "4.wav").stat().st_size == state.st_size
    assert run() == (0, 0, 5, 1)
    assert run(retry_failed=True) == (1, 0, 4, 0)
    assert run(force=True) == (5, 0, 0, 0)
    third = by_path(out)
    assert {row["model"] for row in third.values()} == {SMALL}
    assert len(third) == 6

    before = out.read_bytes()
    refusal = rf"made with {SMALL}, not {OTHER}\. Use --model {SMALL}, add --force"
    with pytest.raises(SinkError, match=refusal):
        tag_into([songs / "0.wav"], out, OTHER)
    assert out.read_bytes() == before
    assert run(OTHER, force=True) == (5, 0, 0, 0)
    assert sorted(row["model"] for row in by_path(out).values()) == sorted([OTHER] * 5 + [SMALL])


def test_the_command_says_in_words_what_a_rerun_does(autotag: Run, tmp_path: Path) -> None:
    out, songs = tmp_path / "tags.jsonl", tmp_path / "songs"
    songs.mkdir()
    for number in range(2):
        soundfile.write(songs / f"{number}.wav", music(1, 12000, number), 12000)
    (songs / "bad.wav").write_text("words")

    def run(model: str, *options: str) -> tuple[int, str]:
        done = autotag(songs, "--out", out, "--model", model, "--jobs", 1, *options)
        return done.returncode, done.stderr.removesuffix(f" -> {out}\n")

    failed_before = "(1 of them failed: --retry-failed tries again)"
    assert run(SMALL) == (1, "2 tagged, 1 failed, 0 skipped")
    assert run(SMALL) == (1, f"0 tagged, 0 failed, 3 skipped {failed_before}")
    assert run(SMALL, "--retry-failed") == (1, "0 tagged, 1 failed, 2 skipped")
    (songs / "bad.wav").unlink()
    assert run(SMALL, "--force") == (0, "2 tagged, 0 failed, 0 skipped")
    code, said = run(OTHER)
    assert code == 2
    assert f"made with {SMALL}, not {OTHER}. Use --model {SMALL}, add --force" in said


def test_what_autotag_wrote_into_a_file_does_not_make_it_tag_it_again(autotag: Run, tmp_path: Path) -> None:
    out, songs = tmp_path / "tags.jsonl", tmp_path / "songs"
    songs.mkdir()
    for number in range(2):
        soundfile.write(songs / f"{number}.flac", music(1, 12000, number), 12000)

    def run() -> tuple[int, ...]:
        return astuple(tag_into(sorted(songs.iterdir()), out, SMALL, jobs=1))

    assert run() == (2, 0, 0, 0)
    before = (songs / "0.flac").read_bytes()
    assert autotag("write", "--from", out, "--threshold", 0).returncode == 0
    assert (songs / "0.flac").read_bytes() != before
    assert run() == (0, 0, 2, 0)
    soundfile.write(songs / "0.flac", music(1, 12000, 5), 12000)
    assert run() == (1, 0, 1, 0)


def test_a_folder_chooses_among_the_results_of_an_earlier_run_however_it_is_spelled(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "song.flac", music(1, 12000), 12000)
    tag_into(sorted(tmp_path.glob("*/song.flac")), tmp_path / "tags.jsonl", SMALL, jobs=1)
    command = [sys.executable, "-m", "autotag", "write", "one", "--from", "tags.jsonl", "--threshold", "0"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert run.stderr.splitlines()[-1] == "1 written, 0 unchanged, 0 failed"
    assert str(tmp_path / "one" / "song.flac") in run.stdout
    assert "two" not in run.stdout


@on_posix
def test_what_could_not_be_read_is_tried_again_by_the_next_run(tmp_path: Path) -> None:
    """Unlike what was read and is no audio: that is so until it changes."""
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "words.wav").write_text("words")
    paths = [tmp_path / "pipe.wav", tmp_path / "words.wav"]
    first = tag_into(paths, tmp_path / "tags.jsonl", SMALL, jobs=1)
    assert (first.failed, first.skipped) == (2, 0)
    second = tag_into(paths, tmp_path / "tags.jsonl", SMALL, jobs=1)
    assert (second.failed, second.skipped, second.failed_before) == (1, 1, 1)


def test_one_path_is_a_list_of_one_and_an_entry_that_is_none_has_failed(tmp_path: Path) -> None:
    song, out = tmp_path / "a.wav", tmp_path / "tags.jsonl"
    soundfile.write(song, music(1, 12000), 12000)
    assert tag_into(str(song), out, SMALL, jobs=1).tagged == 1
    paths: list[Any] = [song, None, float("nan"), 5]
    said: list[str] = []
    tally = tag_into(
        paths, out, SMALL, jobs=1, progress=lambda *told: said.append(getattr(told[2], "message", ""))
    )
    assert (tally.tagged, tally.failed, tally.skipped) == (0, 3, 1)
    assert said[1:] == [
        f"{entry}, of type {kind}, is no path. Give the path of a file."
        for entry, kind in (("None", "NoneType"), ("nan", "float"), ("5", "int"))
    ]
    assert len(out.read_text().splitlines()) == 1


@on_posix
def test_spellings_of_one_file_are_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "link").symlink_to("music")
    soundfile.write(tmp_path / "music" / "a.wav", music(1, 12000), 12000)
    monkeypatch.chdir(tmp_path)
    spelled = [
        "music/a.wav",
        "./music/a.wav",
        "link/../music/a.wav",
        str(tmp_path / "music/a.wav"),
        "link/a.wav",
    ]
    tally = tag_into(spelled, "tags.jsonl", SMALL, jobs=1)
    assert (tally.tagged, tally.failed) == (1, 0)
    assert [row["path"] for row in rows(Path("tags.jsonl"))] == ["music/a.wav"]


@on_posix
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_row_stays_while_the_target_of_its_link_is_away(tmp_path: Path, ending: str) -> None:
    disk, link, out = tmp_path / "disk", tmp_path / "a.wav", tmp_path / f"tags{ending}"
    disk.mkdir()
    soundfile.write(disk / "a.wav", music(1, 12000), 12000)
    link.symlink_to(disk / "a.wav")
    assert tag_into(link, out, SMALL, jobs=1).tagged == 1
    before = rows(out)
    disk.rename(tmp_path / "unmounted")
    said: list[str] = []
    tally = tag_into(
        link, out, SMALL, jobs=1, progress=lambda *told: said.append(getattr(told[2], "message", ""))
    )
    assert (tally.failed, rows(out)) == (1, before)
    assert "Is its disk mounted?" in said[-1]
    (tmp_path / "unmounted").rename(disk)
    assert tag_into(link, out, SMALL, jobs=1).skipped == 1


def test_tags_that_were_chosen_otherwise_are_not_mixed(autotag: Run, tmp_path: Path) -> None:
    out = tmp_path / "tags.jsonl"
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.wav", music(1, 12000, number), 12000)

    def run(top: int, **options: Any) -> tuple[int, ...]:
        return astuple(tag_into(sorted(tmp_path.glob("*.wav")), out, SMALL, TagRequest(top=top), **options))

    assert run(5) == (2, 0, 0, 0)
    before = out.read_bytes()
    refused = autotag(tmp_path, "--out", out, "--model", SMALL, "--top", 3)
    assert refused.returncode == 2
    assert "made with --top 5, not --top 3. Use --top 5, add --force to tag all files again" in refused.stderr
    assert out.read_bytes() == before
    assert run(3, force=True) == (2, 0, 0, 0)
    assert [len(row["tags"]) for row in rows(out)] == [3, 3]
    with pytest.raises(SinkError, match="made with --top 3, not --top 5"):
        run(5)
    assert run(3) == (0, 0, 2, 0)


def test_an_interrupted_change_of_the_choice_has_to_be_finished(tmp_path: Path) -> None:
    out, model = tmp_path / "tags.csv", find(SMALL)
    with open_sink(out, model, TagRequest()) as sink:
        sink.write(result("a.wav"))
    other = TagRequest(threshold="auto")
    with pytest.raises(KeyboardInterrupt), open_sink(out, model, other, force=True):
        raise KeyboardInterrupt
    for request in (TagRequest(), other):
        opening = open_sink(out, model, request)
        with pytest.raises(SinkError, match=r"left tags of two choices\. Add --force"), opening:
            pass
    with open_sink(out, model, other, force=True):
        pass
    with open_sink(out, model, other) as sink:
        assert list(sink.stamps()) == ["a.wav"]


def result(path: str, **changes: Any) -> Result:
    fields: dict[str, Any] = {
        "model": SMALL,
        "sha256": SHA256,
        "duration": 1.0,
        "segments": 1,
        "size": 5,
        "modified": 10**18,
    }
    fields["ms"] = dict.fromkeys(("decode", "mel", "model"), 1.0)
    fields["warnings"] = ('a "warning"', "another; one")
    return Result(path, tags=(Tag("rock", 0.5), Tag("slow", 0.25)), **fields | changes)


NAMES = ["a.wav", 'b "b", b.wav', "c\nc\r\n.wav", "é; 静.wav"]


def opened(path: Path) -> Sink:
    kinds: dict[str, Callable[[], Sink]] = {
        ".jsonl": lambda: Rows(path, Jsonl()),
        ".csv": lambda: Rows(path, Csv()),
        ".parquet": lambda: Parquet(path),
    }
    return kinds[path.suffix]()


@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_a_last_row_without_the_end_of_its_line_is_read_unless_its_message_may_be_cut(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"tags{ending}"
    for last, read in ((result("b"), ["a", "b"]), (Failure("b", "UnreadableAudio", "cut"), ["a"])):
        path.unlink(missing_ok=True)
        sink = opened(path)
        sink.write(result("a"))
        sink.write(last)
        sink.close()
        path.write_bytes(path.read_bytes()[:-1])
        assert [outcome.path for outcome in read_outcomes(path)] == read


@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_a_last_row_that_broke_off_anywhere_is_dropped(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"tags{ending}"
    sizes = [0]
    sink = opened(path)
    for name in NAMES:
        sizes.append(path.stat().st_size)
        sink.write(result(name))
    sink.close()
    data = path.read_bytes()
    ends = [*sizes[1:], len(data)]
    near = {end + step for end in ends for step in (-1, 0, 1)} - {len(data), len(data) + 1, -1}
    for length in sorted({*range(0, len(data), 11), *near}):
        path.write_bytes(data[:length])
        sink = opened(path)
        whole = sum(end <= length + 1 for end in ends[1:])  # the end of a line is not needed
        assert list(sink.stamps()) == NAMES[:whole]
        for name in NAMES[whole:]:
            sink.write(result(name))
        sink.close()
        assert path.read_bytes() == data


@each
def test_a_new_row_takes_the_place_of_the_old_one(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"tags{ending}"
    for size in (1, 2):
        sink = opened(path)
        for name in NAMES:
            sink.write(result(name, size=size))
            sink.write(result(name, size=10 * size))
        sink.close()
        assert [row["size"] for row in rows(path)] == [10 * size] * 4
        assert {stamp.size for stamp in opened(path).stamps().values()} == {10 * size}
    sink = opened(path)
    sink.write(Failure(NAMES[1], "NotAudio", "b.wav: no audio", 7, 8))
    if ending == ".parquet":
        assert (tmp_path / "tags.parquet.journal.jsonl").exists()
    # Killed: not closed.
    sink = opened(path)
    assert sink.stamps()[NAMES[1]] == (7, 8, None, None, False)
    sink.close()
    assert [row["path"] for row in rows(path)] == [NAMES[0], *NAMES[2:], NAMES[1]]


def test_parquet_has_the_columns_of_csv() -> None:
    assert SCHEMA.names == [column for column in COLUMNS if column != "scores"]


@each
def test_all_endings_keep_the_same(tmp_path: Path, ending: str) -> None:
    outcomes: list[Result | Failure] = [
        *map(result, NAMES),
        Failure("x.mp3", "NotAudio", "x.mp3: not\nso", None, None),
    ]
    for path in (tmp_path / "same.jsonl", tmp_path / f"tags{ending}"):
        sink = opened(path)
        for outcome in outcomes:
            sink.write(outcome)
        sink.close()
    expected = rows(tmp_path / "same.jsonl")
    if ending == ".csv":  # whose separator was in a warning
        for row in expected[:-1]:
            row["warnings"] = "; ".join(row["warnings"]).split("; ")
    assert rows(tmp_path / f"tags{ending}") == expected


@each
@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf_8(autotag: Run, tmp_path: Path, ending: str) -> None:
    soundfile.write(tmp_path / "song.wav", music(1, 12000), 12000)
    bad = os.fsdecode(b"caf\xe9.wav")
    (tmp_path / "song.wav").rename(tmp_path / bad)
    (tmp_path / os.fsdecode(b"\xff.wav")).write_text("words")
    (tmp_path / "carr\riage.wav").write_text("words")
    out = tmp_path / f"tags{ending}"
    if ending == ".jsonl":
        run = autotag(tmp_path, "--model", SMALL, "--out", out, "--jobs", 1)
        assert run.stderr.startswith("1 tagged, 2 failed, 0 skipped")
    else:
        assert astuple(tag_into(audio_files([tmp_path]), out, SMALL, jobs=1)) == (1, 2, 0, 0)
    assert astuple(tag_into(audio_files([tmp_path]), out, SMALL, jobs=1)) == (0, 0, 3, 2)
    sink = opened(out)
    assert str(tmp_path / bad) in sink.stamps()
    sink.write(result(str(tmp_path / bad), size=3))
    sink.close()
    assert opened(out).stamps()[str(tmp_path / bad)].size == 3
    assert len(opened(out).stamps()) == 3


@each
@pytest.mark.parametrize(
    "content",
    [
        b"path,ok\na.mp3,1\n",
        b"\xef\xbb\xbfpath,path_bytes,size\r\n",
        b'{"name": 1}\n',
        b'{"path": "a"}\n',
        b"\x89PNG\r\n",
        b"PAR1",
        b"no end",
        b'{"pat!',
    ],
)
def test_a_file_of_something_else_is_refused_and_stays(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"tags{ending}"
    path.write_bytes(content)
    with (
        pytest.raises(SinkError, match=rf"tags{ending}: .*[Nn]ame another file"),
        open_sink(path, find(SMALL), TagRequest()),
    ):
        pass
    assert path.read_bytes() == content


def test_a_row_in_the_middle_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tags.jsonl"
    sink = opened(path)
    sink.write(result("a.wav"))
    sink.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"path": "b.wav"\n' + whole)
    with pytest.raises(SinkError, match=rf"line 2 \(byte {len(whole)}\) is not a result"):
        opened(path)
    assert path.stat().st_size == 2 * len(whole) + 17


@pytest.mark.parametrize("row", [0, 1, 500])
def test_an_odd_quote_in_a_csv_is_damage_and_nothing_is_cut(tmp_path: Path, row: int) -> None:
    path = tmp_path / "tags.csv"
    sink = opened(path)
    for number in range(1000):
        sink.write(result(f"{number}.wav", warnings=()))
    sink.close()
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1 + row] = lines[1 + row].replace(b".wav", b'.w"av', 1)
    path.write_bytes(b"".join(lines))
    with pytest.raises(
        SinkError, match=rf"line {row + 2} \(byte {sum(map(len, lines[: row + 1]))}\) is not a"
    ):
        opened(path)
    assert path.read_bytes() == b"".join(lines)


def test_a_csv_row_of_other_cells_says_how_many(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    sink = opened(path)
    sink.write(result("a.wav", warnings=()))
    sink.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b",x\n" + whole.splitlines(keepends=True)[1])
    with pytest.raises(SinkError, match=r"\(it has 19 cells, where there are 18 columns\)"):
        opened(path)


def test_a_flipped_bit_in_a_parquet_is_damage(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "tags.parquet"
    sink = opened(path)
    for number in range(50):
        sink.write(result(f"{number}.wav"))
    sink.close()
    whole = path.read_bytes()
    for at in range(10, len(whole) - 10, len(whole) // 40):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            outcomes = list(read_outcomes(path))
        except SinkError as error:
            assert "damaged" in str(error) or "other columns" in str(error)
        else:
            path.write_bytes(whole)
            assert outcomes == list(read_outcomes(path)), f"byte {at} changes a value"
    path.write_bytes(b"words")
    with pytest.raises(SinkError, match="not a Parquet file, or damaged"):
        list(read_outcomes(path))


def test_deep_json_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "tags.jsonl"
    path.write_bytes(b'{"path": ' + b"[" * 100_000 + b"\n")
    with pytest.raises(SinkError, match=r"line 1 \(byte 0\) is not a result"):
        opened(path)


def test_a_name_that_a_spreadsheet_would_compute_begins_with_a_folder(tmp_path: Path) -> None:
    sink = opened(tmp_path / "tags.csv")
    names = ["=1+1.wav", "@a.wav", "-b.wav", "+c.wav"]
    for name in names:
        sink.write(Failure(name, "NotAudio", f"{name}: no audio"))
    sink.close()
    with (tmp_path / "tags.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [f"./{name}" for name in names]
    assert list(opened(tmp_path / "tags.csv").stamps()) == names


@pytest.mark.parametrize(
    "notes",
    [
        *(b"", b"{", b"[]", b'{"top": 5}', b"[" * 50_000, b"\xff"),
        b'{"vocabulary": "all", "top": 1e999, "threshold": null, "merge": 3, "excerpt": []}',
        b'{"vocabulary": "all", "top": 5, "threshold": 0, "merge": true, "excerpt": {"seconds": "x"}}',
    ],
)
def test_notes_that_are_torn_or_foreign_are_unknown(tmp_path: Path, notes: bytes) -> None:
    out = tmp_path / "tags.jsonl"
    with open_sink(out, find(SMALL), TagRequest()) as sink:
        sink.write(result("a.wav"))
    (tmp_path / ".tags.jsonl.lock").write_bytes(notes)
    with open_sink(out, find(SMALL), TagRequest(top=7)) as sink:
        assert list(sink.stamps()) == ["a.wav"]


@pytest.mark.parametrize("what", ["folder", "pipe"])
def test_a_lock_file_that_is_none_is_named(tmp_path: Path, what: str) -> None:
    lock = tmp_path / ".tags.jsonl.lock"
    if what == "pipe" and not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes")
    lock.mkdir() if what == "folder" else os.mkfifo(lock)
    opening = open_sink(tmp_path / "tags.jsonl", find(SMALL), TagRequest())
    with pytest.raises(SinkError, match=r"tags\.jsonl\.lock: cannot be written: .+\. Remove it"), opening:
        pass


def test_an_excerpt_is_named_as_the_option_that_asks_for_it(tmp_path: Path) -> None:
    out = tmp_path / "tags.jsonl"
    with open_sink(out, find(SMALL), TagRequest(excerpt=3)) as sink:
        sink.write(result("a.wav"))
    opening = open_sink(out, find(SMALL), TagRequest())
    with pytest.raises(SinkError, match="made with --excerpt 3, not whole files"), opening:
        pass


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_kept_is_read_back(tmp_path: Path, ending: str) -> None:
    """The same outcomes from every kind of file, with the tags of a narrower choice if asked."""
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.wav", music(1, 12000, number), 12000)
    (tmp_path / "bad.wav").write_text("words")
    out = tmp_path / f"tags{ending}"
    paths = sorted(tmp_path.glob("*.wav"))
    seen: list[tuple[int, int]] = []
    tally = tag_into(paths, out, SMALL, jobs=1, progress=lambda done, total, _: seen.append((done, total)))
    assert (tally.tagged, tally.failed, tally.skipped) == (2, 1, 0)
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    found = {str(outcome.path): outcome for outcome in read_outcomes(out)}
    assert list(found) == [str(path) for path in paths]
    for path, outcome in found.items():
        if isinstance(outcome, Result):
            expected = Tagger(SMALL, threads=1).tag(path)
            assert [tag for tag, _ in outcome.tags] == [tag for tag, _ in expected.tags]
            assert dict(outcome.tags) == pytest.approx(dict(expected.tags), abs=1e-4)
            assert (outcome.model, outcome.sha256) == (SMALL, expected.sha256)
        else:
            assert outcome.error == "NotAudio"
            assert outcome.message.startswith(path)
    for outcome in read_outcomes(out, Selection(top=1)):
        assert not isinstance(outcome, Result) or len(outcome.tags) == 1


@each
def test_two_processes_do_not_write_the_same_file(
    autotag: Run, song: Path, tmp_path: Path, ending: str
) -> None:
    """The lock is of an open file, so that it holds within a process as it does between two."""
    out = tmp_path / f"tags{ending}"
    refusal = f"{out}: another process is writing it. Wait for it, or name another file."
    with open_sink(out, find(SMALL), TagRequest()):
        if ending == ".jsonl":
            run = autotag(song, "--model", SMALL, "--out", out)
            assert (run.returncode, run.stderr) == (2, f"error: {refusal}\n")
        second = open_sink(out, find(SMALL), TagRequest())
        with pytest.raises(SinkError, match=re.escape(refusal)), second:
            pass
    with open_sink(out, find(SMALL), TagRequest()) as sink:
        sink.write(result("a.wav"))


@each
@on_posix
def test_on_a_full_disk_whole_rows_are_kept(folder: Path, whole: Path, tmp_path: Path, ending: str) -> None:
    import resource

    out = tmp_path / f"tags{ending}"
    options = [str(folder), *FULL, "--out", str(out), "--jobs", "2"]
    run = subprocess.run(
        [sys.executable, "-m", "autotag", *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        # The system then says that the file is too large, as it says that the disk is full.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9001, 9001)),
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    (line,) = run.stderr.splitlines()
    kept_in = rf"\d+ of \d+ files are kept in {re.escape(str(out))}\. Run again to go on\."
    assert re.fullmatch(rf"error: results cannot be written: File too large\. {kept_in}", line)
    written = out if out.exists() else tmp_path / "tags.parquet.journal.jsonl"
    assert written.stat().st_size <= 9001
    kept = rows(written)
    assert len(kept) > 2
    assert kept == rows(whole)[: len(kept)]
    tally = tag_into(audio_files([folder]), out, SMALL, TagRequest(top=0), jobs=1)
    assert tally.skipped == len(kept)
    assert rows(out) == rows(whole)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
@pytest.mark.parametrize(
    "command", [("embed", "-o", "rows.npy"), ("taggram", "-o", "page.html"), ("report", "-o", "page.html")]
)
def test_a_pipe_is_no_place_for_what_replaces_it(
    autotag: Run, song: Path, tmp_path: Path, command: tuple[str, str, str]
) -> None:
    pipe = tmp_path / command[2]
    os.mkfifo(pipe)
    run = autotag(command[0], song, command[1], pipe)
    assert (run.returncode, pipe.is_fifo()) == (2, True)
    assert "is a pipe or device. Name a file." in " ".join(run.stderr.replace("│", "").split())


def test_an_empty_parquet_is_filled(tmp_path: Path) -> None:
    path = tmp_path / "tags.parquet"
    path.touch()
    assert list(read_outcomes(path)) == []
    sink = opened(path)
    sink.write(result("a"))
    sink.close()
    assert [outcome.path for outcome in read_outcomes(path)] == ["a"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_device_is_refused(autotag: Run, song: Path, tmp_path: Path) -> None:
    (tmp_path / "tags.jsonl").symlink_to("/dev/full")
    run = autotag(song, "--model", SMALL, "--out", tmp_path / "tags.jsonl")
    assert run.returncode == 2
    assert run.stderr == f"error: {tmp_path / 'tags.jsonl'}: a folder, pipe or device. Name a file.\n"


@on_posix
def test_a_link_to_a_file_stays_one_and_a_file_s_mode_too(tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").touch(mode=0o640)
    (tmp_path / "tags.jsonl").symlink_to("real.jsonl")
    for size in (1, 2):
        with open_sink(tmp_path / "tags.jsonl", find(SMALL), TagRequest()) as sink:
            sink.write(result("a.wav", size=size))
    assert (tmp_path / "tags.jsonl").is_symlink()
    assert (tmp_path / "real.jsonl").stat().st_mode & 0o777 == 0o640
    assert [row["size"] for row in rows(tmp_path / "tags.jsonl")] == [2]


def test_parquet_without_its_extra_names_it(song: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['pyarrow'] = None; from autotag.__main__ import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, song, "--model", SMALL, "--out", tmp_path / "tags.parquet"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr == "error: Parquet needs the package pyarrow: pip install pyarrow\n"


@on_posix
@each
def test_interrupted_it_keeps_what_it_has(folder: Path, whole: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"tags{ending}"
    growing = out if ending != ".parquet" else tmp_path / "tags.parquet.journal.jsonl"
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "autotag",
            folder,
            "--model",
            SMALL,
            "--top",
            "0",
            "--out",
            out,
            "--jobs",
            "2",
        ],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while process.poll() is None and not (growing.exists() and growing.stat().st_size > 500):
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    kept = rows(out)
    assert 0 < len(kept) < 40
    assert kept == rows(whole)[: len(kept)]
