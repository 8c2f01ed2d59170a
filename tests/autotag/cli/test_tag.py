"""The command line as a user meets it: real processes, their streams and exit codes."""

import base64
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from autotag import Tagger, TagRequest, __version__
from autotag.models.registry import models
from tests.conftest import ROOT, SONG, Run, music, screen

SMALL = "vgg-12k-48-x10-db"


def test_version(autotag: Run) -> None:
    assert autotag("--version").stdout == f"autotag {__version__}\n"


def test_no_arguments_is_help(autotag: Run) -> None:
    assert "Usage" in autotag().stdout


COMMANDS = (
    *("tag", "write", "models", "bench", "choose", "scan", "find", "similar", "stats", "correct"),
    *("embed", "taggram", "sonify", "report"),
)


def test_help_and_import_load_neither_numpy_nor_onnxruntime() -> None:
    """In one process, where what one command loads stays."""
    names = {"librosa", "pyarrow", "numpy", "onnxruntime", "soundfile", "soxr", "av", "mutagen", "matplotlib"}
    pages = [["--help"], *([name, "--help"] for name in COMMANDS)]
    code = f"""
import sys, autotag
from autotag.cli.main import app
assert not {names} & set(sys.modules), "import"
for page in {pages}:
    try:
        app(page)
    except SystemExit as end:
        assert not end.code, page
    assert not {names} & set(sys.modules), page
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("Usage: ") == len(pages)


def test_a_song_is_tagged_without_naming_the_command(autotag: Run) -> None:
    run = autotag(SONG, "--mels", 48, "--hop", "x10", "--top", 3)
    assert run.returncode == 0
    assert run.stderr == ""
    heading, *rows = run.stdout.splitlines()
    assert heading.startswith(str(SONG))
    assert SMALL in heading
    assert len(rows) == 3
    assert autotag("tag", SONG, "--mels", 48, "--hop", "x10").returncode == 0


def test_options_may_come_first(autotag: Run) -> None:
    assert autotag("--hop", "10", "--sr", "12000", "--format", "jsonl", SONG).returncode == 0


def test_every_output_shows_the_same_tags_with_the_same_scores(autotag: Run) -> None:
    """Merged, implied and excluded in one order of steps, whatever the format."""
    expected = Tagger(SMALL).tag(SONG, TagRequest(top=4)).tags
    for option in ("json", "jsonl"):
        found = json.loads(
            autotag(SONG, "--model", SMALL, "--top", 4, "--format", option).stdout.strip("[]\n")
        )
        assert [tag["tag"] for tag in found["tags"]] == [tag for tag, _ in expected]
        assert [tag["score"] for tag in found["tags"]] == pytest.approx([s for _, s in expected], abs=0.03)
    _, *rows = autotag(SONG, "--model", SMALL, "--top", 4).stdout.splitlines()
    assert {row[12:].split("0.")[0].strip() for row in rows} == {tag for tag, _ in expected}
    (line,) = autotag(SONG, "--model", SMALL, "--top", 4, "--format", "line").stdout.splitlines()
    assert [tag.rsplit(" ", 1)[0] for tag in line.split(": ")[1].split(", ")] == [tag for tag, _ in expected]
    (row,) = csv.DictReader(
        io.StringIO(autotag(SONG, "--model", SMALL, "--top", 4, "--format", "csv").stdout)
    )
    assert row["tags"] == "; ".join(tag for tag, _ in expected)
    kept = json.loads(autotag(SONG, "--model", SMALL, "--top", 0, "--no-merge", "--format", "json").stdout)
    outputs = models()[SMALL].metadata.outputs
    assert {tag["tag"] for tag in kept[0]["tags"]} == {output.tag for output in outputs}
    merged = json.loads(autotag(SONG, "--model", SMALL, "--top", 0, "--format", "json").stdout)
    assert len(merged[0]["tags"]) < len(kept[0]["tags"])


def test_a_threshold_may_leave_no_tag(autotag: Run) -> None:
    run = autotag(SONG, "--hop", "x10", "--threshold", 1)
    assert run.stdout.splitlines()[1] == " no tag"
    assert run.returncode == 0
    (found,) = json.loads(autotag(SONG, "--min", "0.2", "--top", 0, "--format", "json").stdout)
    assert found["tags"]
    assert all(tag["score"] >= 0.2 for tag in found["tags"])


@pytest.mark.parametrize("old", [False, True])
def test_a_vocabulary_filters_what_is_shown_and_never_chooses_a_model(autotag: Run, old: bool) -> None:
    option = "--tags" if old else "--vocabulary"
    run = autotag(SONG, option, "mtat", "--model", SMALL, "--top", 0, "--no-merge", "--format", "json")
    (found,) = json.loads(run.stdout)
    assert found["model"] == SMALL
    assert len(found["tags"]) == 50
    run = autotag(SONG, option, "lastfm", "--model", SMALL)
    assert run.returncode == 2
    assert "vocabulary 'lastfm' is none of the model's. Use mtat" in run.stderr


def test_json_is_the_documented_object(autotag: Run) -> None:
    run = autotag(SONG, "--format", "json")
    (found,) = json.loads(run.stdout)
    assert list(found) == [
        "path", "size", "modified", "ok", "model", "sha256", "duration", "segments", "tags", "ms", "warnings",
    ]  # fmt: skip
    assert found["sha256"] == models()["vgg-12k-48-x2-db"].sha256
    assert found["path"] == str(SONG)
    assert found["ok"] is True
    assert found["model"] == "vgg-12k-48-x2-db"
    assert found["duration"] == pytest.approx(30, abs=0.1)
    assert len(found["tags"]) == 5
    assert list(found["tags"][0]) == ["tag", "score"]
    assert list(found["ms"]) == ["decode", "mel", "model"]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two songs and two files that are none."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "below").mkdir()
    shutil.copy(SONG, folder / "below" / "a “quiet”\nsöng.mp3")
    soundfile.write(folder / "short.WAV", music(1, 12000), 12000)
    (folder / "text.mp3").write_text("words")
    (folder / "apple.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    (folder / "cover.jpg").write_bytes(b"no audio, and not named so")
    return folder


def test_files_and_folders_good_and_bad(autotag: Run, mixed: Path) -> None:
    run = autotag("--model", SMALL, "--format", "jsonl", mixed, SONG, mixed / "gone.mp3")
    assert run.returncode == 1
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert [Path(row["path"]).name for row in found] == [
        "apple.m4a", "short.WAV", "text.mp3", "a “quiet”\nsöng.mp3", "song.mp3", "gone.mp3",
    ]  # fmt: skip
    assert [row["ok"] for row in found] == [False, True, False, True, True, False]
    assert found[2]["error"]["kind"] == "NotAudio"
    assert list(found[2]) == ["path", "size", "modified", "ok", "error"]
    assert list(found[5]) == ["path", "ok", "error"], "there is no file that has a size"
    assert run.stderr.count("error: ") == 3
    assert run.stderr.count("warning: ") == 1
    assert "mpg123" not in run.stderr


def test_an_excerpt_says_how_much_was_read_and_is_no_warning(autotag: Run) -> None:
    run = autotag(SONG, "--hop", "x10", "--excerpt", "10", "--format", "json")
    (found,) = json.loads(run.stdout)
    assert run.stderr == ""
    assert (found["duration"], found["excerpt"], found["segments"]) == (30.0, 10.0, 1)
    (row,) = csv.DictReader(io.StringIO(autotag(SONG, "--seconds", 29.1, "--format", "csv").stdout))
    assert (row["duration"], row["excerpt"]) == ("30.0", "29.1")


def test_csv_has_the_same_columns_for_good_and_bad(autotag: Run, mixed: Path) -> None:
    run = autotag("--model", SMALL, "--format", "csv", mixed)
    rows = list(csv.DictReader(io.StringIO(run.stdout)))
    assert [row["ok"] for row in rows] == ["False", "True", "False", "True"]
    assert len(rows[3]["tags"].split("; ")) == len(rows[3]["scores"].split("; ")) == 5
    assert float(rows[3]["model_ms"]) > 0
    assert rows[0]["error_kind"] == "NotAudio"
    assert rows[3]["path"].endswith("a “quiet”\nsöng.mp3")


def test_the_table_escapes_what_would_move_the_cursor(autotag: Run, mixed: Path) -> None:
    out = autotag("--model", SMALL, mixed / "below").stdout
    assert "a “quiet”\\nsöng.mp3" in out


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_utf_8(autotag: Run, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp3")
    shutil.copy(SONG, tmp_path / name)
    (found,) = json.loads(autotag("--model", SMALL, "--format", "json", tmp_path).stdout)
    assert found["path"] == str(tmp_path / r"caf\xe9.mp3")
    assert base64.b64decode(found["path_bytes"]) == os.fsencode(tmp_path / name)
    assert "caf\\xe9.mp3" in autotag("--model", SMALL, tmp_path).stdout


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="this user may read everything")
def test_what_may_not_be_read_is_said_and_stops_nothing(autotag: Run, tmp_path: Path) -> None:
    shutil.copy(SONG, tmp_path / "open.mp3")
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "locked.mp3").touch(mode=0)
    run = autotag("--model", SMALL, "--format", "jsonl", tmp_path, tmp_path / "locked.mp3")
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    kinds = {Path(row["path"]).name: row["ok"] or row["error"]["kind"] for row in rows}
    assert kinds == {"closed": "UnreadableAudio", "locked.mp3": "UnreadableAudio", "open.mp3": True}


def test_a_folder_without_audio(autotag: Run, tmp_path: Path) -> None:
    run = autotag("--model", SMALL, tmp_path)
    assert run.returncode == 1
    assert run.stderr == f"error: {tmp_path}: no audio files were found in this folder\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--mels", 96, "--hop", "x10"],
            "No trained model vgg-12k-96-x10-db is installed; the nearest are vgg-12k-48-x10-db",
        ),
        (["--mels", 32, "--hop", "x2"], "hop multiple of vgg at 32 bands 2 is not available. Use 1"),
        (["--arch", "musicnn", "--mels", 128], "No trained model musicnn-12k-128-x1-db is installed"),
        (["--mels", 24, "--scale", "log"], "python -m train fit vgg-12k-24-x1-log"),
        (["--mels", 24, "--log", "log"], "python -m train fit vgg-12k-24-x1-log"),
        (["--mels", 50], "mel bands of vgg 50 is not available. Use 128, 96, 48"),
        (["--hop", "x7"], "'x7' is not allowed. Use x1, x2, x3, x4, x5, x10"),
        (["--sr", "44100"], "'44100' is not allowed. Use 12k, 16k"),
        (["--arch", "resnet"], "architecture 'resnet' is not available. Use vgg, musicnn"),
        (["--model", "best"], "'vgg-12k-48-x2-db'. Installed are "),
        (["--model", SMALL, "--hop", "x10"], "--model and --hop both choose a model. Give one of them."),
        (["--model", "gone.onnx"], "gone.onnx: cannot be read"),
        (["--model", SONG], "is not a configuration"),
        ([""], "An argument is empty. Is a variable not set?"),
        (["--top", -1], "--top"),
        (["--excerpt", 0.5], "'0.5' is not allowed. Use a number of seconds from 1"),
        (["--seconds", "inf"], "'inf' is not allowed. Use a number of seconds from 1"),
        (["--excerpt", "half"], "'half' is not allowed. Use a number of seconds from 1"),
        (["--threshold", "high"], "'high' is not allowed. Use a score between 0 and 1, or 'auto'"),
        (["--threshold", 1.5], "'1.5' is not allowed. Use a score between 0 and 1, or 'auto'"),
        (["--shard", "0/4"], "'0/4' is not allowed. Use i/n, such as 1/4 for the first of four parts"),
        (["--shard", "5/4"], "'5/4' is not allowed. Use i/n"),
        (["--jobs", 0], "--jobs"),
        (["--files-from", "gone.txt"], "gone.txt"),
        (["--out", "tags.txt"], "tags.txt: its name must end in one of .jsonl, .csv, .parquet"),
        (["--out", "none/tags.csv"], "tags.csv: cannot be written: No such file or directory"),
        (["--out", "tags.csv", "--format", "jsonl"], "--out tags.csv is written as its name ends"),
        (["--out", "tags.csv", "--format", "table"], "--out tags.csv is written as its name ends"),
        (["--out", "tags.sqlite", "--top", 3], "tags.sqlite keeps all scores. Leave this out"),
        (["--out", "tags.csv", "--model", "gone.onnx"], "gone.onnx: cannot be read"),
        (["--force"], "Add --out FILE"),
        (["--retry-failed"], "Add --out FILE"),
    ],
)
def test_a_wrong_request_is_exit_2_with_the_remedy(
    autotag: Run, arguments: list[object], message: str
) -> None:
    run = autotag(SONG, *arguments)
    assert run.returncode == 2
    assert run.stdout == ""
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_nothing_named_is_exit_2(autotag: Run) -> None:
    run = autotag("--top", 3)
    assert run.returncode == 2
    assert "Name files or folders, or a list of them with --files-from" in run.stderr


def test_a_list_of_files_and_folders(autotag: Run, mixed: Path) -> None:
    names = [mixed / "short.WAV", mixed / "below", mixed / "below" / "a “quiet”\nsöng.mp3"]
    for separator in "\n\0":
        listed = (mixed / "list.txt", "\0".join(map(str, names)) if separator == "\0" else f"{names[0]}\n")
        listed[0].write_text(listed[1], "utf-8")
        run = autotag("--files-from", listed[0], "--model", SMALL, "--format", "jsonl")
        found = [json.loads(line)["path"] for line in run.stdout.splitlines()]
        assert found == [str(names[0])] + ([str(names[2])] if separator == "\0" else [])
    command = [sys.executable, "-m", "autotag", "--files-from", "-", "--model", SMALL, "--format", "jsonl"]
    piped = subprocess.run(command, input=f"{SONG}\n".encode(), capture_output=True, cwd=ROOT, check=True)
    assert json.loads(piped.stdout)["path"] == str(SONG)
    empty = subprocess.run(command, input=b"", capture_output=True, cwd=ROOT, check=True)
    assert (empty.stdout, empty.stderr) == (b"", b"")


def piped(data: bytes, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "autotag", *map(str, arguments), "--model", SMALL]
    return subprocess.run(command, input=data, capture_output=True, cwd=ROOT)


def test_audio_on_standard_input() -> None:
    whole = json.loads(piped(b"", SONG, "--format", "jsonl").stdout)
    for arguments in (["-"], ["tag", "-"]):
        row = json.loads(piped(SONG.read_bytes(), *arguments, "--format", "jsonl").stdout)
        assert (row["path"], row["ok"]) == ("-", True)
        assert (row["tags"], row["duration"]) == (whole["tags"], whole["duration"])
    assert piped(SONG.read_bytes(), "-").stdout.decode().startswith("-  30.0 s  ")


def test_a_stream_that_does_not_say_how_long_it_is() -> None:
    out = io.BytesIO()
    soundfile.write(out, music(30, 12000), 12000, format="WAV")
    data = out.getvalue()
    size = b"\xff" * 4  # as ffmpeg writes it into a pipe
    endless = data[:4] + size + data[8:].replace(data[40:44], size, 1)
    assert (data[36:40], endless[40:44]) == (b"data", size)
    rows = [json.loads(piped(each, "-", "--format", "jsonl").stdout) for each in (data, endless)]
    assert rows[0]["tags"] == rows[1]["tags"]
    assert rows[1]["duration"] == 30


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "error: -: standard input is empty. Did the program that writes it fail?\n"),
        (b"words " * 1000, "error: -: not WAV, FLAC"),
    ],
)
def test_no_audio_on_standard_input_is_exit_1(data: bytes, message: str) -> None:
    run = piped(data, "-", "--format", "jsonl")
    assert run.returncode == 1
    assert run.stderr.decode().startswith(message)
    assert json.loads(run.stdout)["path"] == "-"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "--files-from", "-"], "--files-from"),
        (["-", "--out", "tags.csv"], "--out"),
        (["-", "--compare"], "--compare"),
        (["-", "song.mp3"], "Name - alone there, and files here."),
        (["scan", "-"], "Only 'autotag tag' takes audio from standard input."),
        (["write", "-"], "Only 'autotag tag' takes audio from standard input."),
    ],
)
def test_standard_input_stands_alone(arguments: list[str], message: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "autotag", *arguments],
        input=SONG.read_bytes(),
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"},
    )
    assert (run.returncode, run.stdout) == (2, b"")
    assert message in run.stderr.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_standard_input_that_is_a_terminal() -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "autotag", "-"]
    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    run = subprocess.run(command, stdin=theirs, capture_output=True, cwd=ROOT, env=environment, timeout=60)
    os.close(ours)
    os.close(theirs)
    assert run.returncode == 2
    assert b"Nothing is piped into standard input. Pipe audio: ffmpeg" in run.stderr


def test_globs_and_shards(autotag: Run, mixed: Path) -> None:
    def found(*options: str) -> list[str]:
        run = autotag(mixed, "--model", SMALL, "--format", "jsonl", "--jobs", 1, *options)
        return [Path(json.loads(line)["path"]).name for line in run.stdout.splitlines()]

    every = found("--exclude", "*.m4a")
    assert every == ["short.WAV", "text.mp3", "a “quiet”\nsöng.mp3"]
    assert found("--include", "*.wav", "--include", "t*", "--exclude", "below") == every[:2]
    parts = [found("--exclude", "*.m4a", "--shard", f"{index}/2") for index in (1, 2)]
    assert sorted(parts[0] + parts[1]) == sorted(every)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_the_progress_is_for_terminals_that_show_no_results(mixed: Path, tmp_path: Path) -> None:
    import pty

    def run(*options: str, shown: bool) -> tuple[str, str]:
        """What a terminal of stderr shows, and of stdout if `shown`; and stdout if not."""
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "autotag", str(mixed), "--model", SMALL, "--jobs", "2", *options]
        with subprocess.Popen(
            command,
            stdout=theirs if shown else subprocess.PIPE,
            stderr=theirs,
            cwd=ROOT,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "200"},
        ) as process:
            os.close(theirs)
            screen = b""
            try:
                while part := os.read(ours, 65536):
                    screen += part
            except OSError:  # the other side is closed
                pass
            out, _ = process.communicate()
        os.close(ours)
        return screen.decode(), (out or b"").decode()

    screen, out = run("--format", "jsonl", shown=False)
    assert [json.loads(line)["ok"] for line in out.splitlines()] == [False, True, False, True]
    assert re.search(r"4/4.*\d/s +\d+x real time +2 failed", screen)
    assert "text.mp3: not WAV" in screen
    screen, _ = run(shown=True)
    assert "real time" not in screen
    assert "short.WAV" in screen
    screen, out = run("--out", str(tmp_path / "tags.csv"), shown=False)
    assert "real time" in screen
    assert "2 tagged, 2 failed, 0 skipped -> " in screen
    assert out == ""


STEERING = "a\x1b]0;title\x07\u202eb\x9b.wav"
"""A name that would change a terminal's title, and turn round what follows."""


@pytest.mark.parametrize("format_", ["table", "line", "json", "jsonl", "csv"])
def test_no_name_steers_the_terminal(tmp_path: Path, format_: str) -> None:
    soundfile.write(tmp_path / STEERING, music(1, 12000), 12000)
    shown = screen(tmp_path, "--model", SMALL, "--format", format_)
    assert ".wav" in shown
    assert not any(dangerous in shown for dangerous in ("\x1b]", "\x07", "\u202e", "\x9b"))


def test_no_name_in_a_library_steers_the_terminal(autotag: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / STEERING, music(1, 12000), 12000)
    library = tmp_path / "library.sqlite"
    assert autotag("scan", tmp_path, "--library", library, "--model", SMALL).returncode == 0
    first = Tagger(SMALL).tag(tmp_path / STEERING).tags[0].tag
    for options in ([], ["--paths"], ["-0"], ["--json"], ["--m3u", "-"]):
        shown = screen("find", first, "--min", 0, "--library", library, *options)
        assert ".wav" in shown
        assert not any(dangerous in shown for dangerous in ("\x1b]", "\x07", "\u202e", "\x9b"))


def test_a_model_by_file(autotag: Run) -> None:
    path = models()[SMALL].path
    assert SMALL in autotag(SONG, "--model", path).stdout


def test_models_lists_what_is_installed(autotag: Run) -> None:
    out = autotag("models").stdout
    assert all(re.search(rf"^{name}\*? +[a-z+]+ +\d+\.\d{{3}} ", out, re.M) for name in models())
    assert out.count("*") == 2, "the default, and what the mark means"
    found = {model["model"]: model for model in json.loads(autotag("models", "--json").stdout)}
    assert set(found) == set(models())
    musicnn, vgg = found["musicnn-12k-96-x1-db"], found["vgg-12k-48-x10-db"]
    assert musicnn["gmac_per_29_1_s"] > 10 * vgg["gmac_per_29_1_s"], "of a segment of 3 s it would look cheap"
    assert all(model["bundled"] for model in found.values())


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("tagg", "tagg is no command and no file. Did you mean 'tag'?"),
        ("help", "help is no command and no file. Did you mean '--help'?"),
        ("modles", "modles is no command and no file. Did you mean 'models'?"),
        ("TAG", "TAG is no command and no file. Did you mean 'tag'?"),
        ("version", "version is no command and no file. Did you mean '--version'?"),
    ],
)
def test_a_mistyped_command_is_no_song(autotag: Run, word: str, message: str) -> None:
    run = autotag(word, SONG)
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr


def test_a_file_whose_name_begins_with_a_dash(tmp_path: Path) -> None:
    shutil.copy(SONG, tmp_path / "-new.mp3")
    command = [sys.executable, "-m", "autotag", "--model", SMALL]
    run = subprocess.run([*command, "-new.mp3"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert run.returncode == 2
    assert "-new.mp3 is a file, and reads as an option. Put -- before the names of files." in run.stderr
    run = subprocess.run(
        [*command, "--", "-new.mp3"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert run.stdout.startswith("-new.mp3  30.0 s")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX signal")
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_what_is_kept_and_goes_on(
    many: Path, tmp_path: Path, how: signal.Signals, code: int
) -> None:
    out = tmp_path / "tags.jsonl"
    command = [sys.executable, "-m", "autotag", str(many), "--model", SMALL, "--jobs", "1", "--out", str(out)]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while process.poll() is None and not (out.exists() and out.stat().st_size > 2000):
            time.sleep(0.01)
        process.send_signal(how)
        _, said = process.communicate()
    assert process.returncode == code
    (line,) = [line for line in said.splitlines() if line != "500 files"]
    kept = rf"\d+ of 500 files are kept in {re.escape(str(out))}\. Run again to go on\."
    assert re.fullmatch(rf"interrupted\. {kept}", line)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX signal")
def test_an_interrupt_during_imports_is_one_line() -> None:
    for pause in (0.1, 0.2, 0.4):
        with subprocess.Popen(
            [sys.executable, "-m", "autotag", str(SONG)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            time.sleep(pause)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate()
        if process.returncode == 130:
            assert re.fullmatch(r"interrupted\.?\n", said)
        else:  # it was done already, or none of our lines had run
            assert process.returncode in (0, 1, -signal.SIGINT)
            assert "autotag/cli" not in said


PRESSED = """
import os, signal, sys, time

class Press:
    def __del__(self):  # from which Python raises nothing
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)

    @staticmethod
    def find_spec(name, *_):
        if name == "onnxruntime":
            try:
                Press()
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1)
            except KeyboardInterrupt:
                raise ImportError("initialization failed")  # as its own library says

sys.meta_path.insert(0, Press)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX signal")
@pytest.mark.parametrize("left_out", ["", "                Press()\n"])
def test_an_interrupt_that_python_or_a_library_swallows(tmp_path: Path, left_out: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(PRESSED.replace(left_out, "") if left_out else PRESSED)
    run = subprocess.run(
        [sys.executable, "-m", "autotag", str(SONG), "--model", SMALL],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "interrupted\n")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of more songs than are tagged in a second."""
    folder = tmp_path_factory.mktemp("many")
    shutil.copy(SONG, folder / "0.mp3")
    for number in range(1, 500):
        (folder / f"{number}.mp3").hardlink_to(folder / "0.mp3")
    return folder


def test_a_reader_that_leaves_early_is_no_error(many: Path) -> None:
    command = [sys.executable, "-m", "autotag", "--format", "jsonl", "--model", SMALL, str(many)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())["ok"]
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes descriptors")
def test_closed_streams_stop_nothing(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "tags.jsonl"
    command = f'"{sys.executable}" -m autotag "{mixed}" --model {SMALL} --out "{out}" --jobs 2 >&- 2>&-'
    assert subprocess.run(["sh", "-c", command], cwd=ROOT, check=False).returncode == 1, "some are no audio"
    lines = out.read_text("utf-8").splitlines()
    assert len(lines) > 2
    assert any(json.loads(line)["ok"] for line in lines)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_full_disk_is_said_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "autotag", "--format", "jsonl", str(SONG)]
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    assert run.returncode == 1
    assert run.stderr == "error: results cannot be written: No space left on device.\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_what_takes_no_more_warnings_takes_no_results_away() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "autotag", "--format", "line", str(SONG), "missing.mp3"]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True, cwd=ROOT, check=False)
    assert run.returncode == 1
    assert run.stdout.startswith(f"{SONG}: ")


def _in_odd_surroundings(setup: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line after a few lines of Python."""
    code = f"import os, resource, sys; {setup}; from autotag.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="a folder that is in use cannot be removed")
def test_a_current_folder_that_is_gone_and_too_few_descriptors_are_said(mixed: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    setup = f"os.mkdir({str(gone)!r}); os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})"
    run = _in_odd_surroundings(setup, "scan", ".", "--library", tmp_path / "library.sqlite")
    assert run.returncode == 1
    assert run.stderr.startswith("error: the current folder is gone. Change to one that is there.")
    run = _in_odd_surroundings(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))", mixed, "--model", SMALL, "--jobs", 2
    )
    assert run.returncode == 1
    assert run.stderr.startswith("error: Too many open files. Raise the limit, for example with 'ulimit -n ")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of the size of files")
def test_where_there_is_no_room_no_song_is_blamed() -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    run = _in_odd_surroundings(limit, "--compare", SONG, "--models", SMALL)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "temporary files cannot be written: File too large. Free some room, or name " in run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX signal")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_interrupted_is_exit_130_and_what_was_written_is_whole(many: Path, jobs: str) -> None:
    command = [sys.executable, "-m", "autotag", "--format", "jsonl", "--model", SMALL, "--jobs", jobs]
    with subprocess.Popen(
        [*command, str(many)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # What a shell starts in the background ignores the signal, and passes that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout
        lines = [process.stdout.readline()]
        process.send_signal(signal.SIGINT)
        lines += process.stdout.readlines()
    assert process.returncode == 130
    assert len(lines) < 500
    assert all(json.loads(line)["ok"] for line in lines)
