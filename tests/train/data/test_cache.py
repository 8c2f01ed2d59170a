"""The mel cache: what training sees, filled once, gone on with, and shared by processes."""

import errno
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from autotag.audio.decode import decode
from autotag.audio.mel import compress, log_mel
from autotag.config import Config
from tests.conftest import ROOT, Run
from tests.train.conftest import children
from tests.train.data import crashing
from train.data import read
from train.data.cache import bytes_per_clip, mel_power, prepare
from train.errors import DataError
from train.fit.clips import Clips
from train.fit.inputs import network_input


@pytest.mark.parametrize("config", [Config(hop=3), Config(log="log"), Config(sr=16000, mels=96, hop=1)])
def test_training_sees_what_tagging_sees(config: Config, data: Path, cache: Path) -> None:
    """The cache, made at x1 and subsampled, against the product's front-end at the longer hop."""
    dataset = read(data)
    power, usable = mel_power(dataset, config, cache)
    assert usable.all()
    clip = 5
    samples = decode(data / dataset.paths[clip], config.sr)
    lack = config.segment_samples - len(samples)
    assert 0 < lack < 0.01 * config.segment_samples
    expected = log_mel(np.pad(samples, (0, lack)), config)
    found = network_input(torch.from_numpy(power[clip, :, :: config.hop].copy())[None], config)
    assert found.shape == (1, 1, config.mels, config.frames)
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(
        compress(power[clip, :, :: config.hop], config.log), found[0, 0].numpy(), atol=1e-4
    )


def test_an_interrupted_cache_goes_on(data: Path, tmp_path: Path) -> None:
    dataset = read(data)
    power, _ = mel_power(dataset, Config(), tmp_path)
    (file,) = tmp_path.rglob("*.clips.npy")
    state = np.lib.format.open_memmap(file, mode="r+")
    expected = power.copy()
    power[4:] = 0  # as if it had stopped after the fourth clip
    power[0] = 7  # a mark that shows whether what was done is done again
    state[4:] = 0
    again, usable = mel_power(dataset, Config(), tmp_path)
    assert usable.all()
    assert (again[0] == 7).all()
    np.testing.assert_array_equal(again[1:], expected[1:])


def test_a_clip_that_cannot_be_decoded_is_left_out_and_said(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    broken = copy / "4" / "clip-4.mp3"
    broken.write_bytes(b"")
    _, usable = mel_power(read(copy), Config(), tmp_path)
    assert np.flatnonzero(~usable).tolist() == [4]
    assert f"left out: {broken}: the file is empty" in capfd.readouterr().err


def test_a_changed_clip_is_computed_again(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    before = mel_power(read(copy), Config(), tmp_path)[0].copy()
    shutil.copy(copy / "1" / "clip-1.mp3", copy / "0" / "clip-0.mp3")
    after, _ = mel_power(read(copy), Config(), tmp_path)
    assert not np.array_equal(before[0], after[0])
    np.testing.assert_array_equal(after[0], after[1])


def test_no_clip_at_all(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    for path in copy.rglob("*.mp3"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="none of its 24 clips could be decoded"):
        mel_power(read(copy), Config(), tmp_path)


def test_one_decoding_serves_all_bands(data: Path, tmp_path: Path) -> None:
    dataset = read(data)
    together = {Config(mels=mels, hop=1, log=log) for mels in (96, 8) for log in ("db", "log")}
    states = prepare(dataset, together, tmp_path / "together")
    assert {config.name for config in states} == {"vgg-12k-96-x1-db", "vgg-12k-8-x1-db"}
    for config in states:
        alone, _ = mel_power(dataset, config, tmp_path / "alone")
        np.testing.assert_array_equal(mel_power(dataset, config, tmp_path / "together")[0], alone)


def test_musicnn_shares_the_excerpts(data: Path, cache: Path) -> None:
    (excerpt,) = prepare(read(data), [Config("musicnn", 16000, 96, 1)], cache)
    assert excerpt == Config("vgg", 16000, 96, 1)


def test_what_a_clip_takes() -> None:
    assert bytes_per_clip(Config(hop=1)) == 4 * 48 * 1366
    assert bytes_per_clip(Config(hop=10)) == 4 * 48 * 137
    assert bytes_per_clip(Config("musicnn", 16000, 96, 1)) == 4 * 96 * 1820


@pytest.mark.slow
def test_prepare_says_what_it_found(data: Path, train: Run, here: Run, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    (copy / "1" / "clip-1.mp3").unlink()
    (copy / "4" / "clip-4.mp3").write_bytes(b"")
    command = ["prepare", "--data", copy, "--only", "vgg-12k-48-x[12]-*", "--cache", tmp_path / "cache"]
    run = train(*command)
    assert run.returncode == 0, run.stderr
    assert "mel 12k 48: 23 clips, " in run.stderr
    assert " a second, " in run.stderr
    assert run.stdout.splitlines() == [
        "missing: 1/clip-1.mp3",
        "cannot be decoded, or silent: 4/clip-4.mp3",
        "less than 29.1 s, repeated: 1 of 24 clips",
        "train: 12 clips listed, 10 to be used",
        "valid: 5 clips listed, 5 to be used",
        "test: 7 clips listed, 7 to be used",
        "12k-48-x2: 131136 bytes a clip, 0.003 GB in all",
        "12k-48-x1: 262272 bytes a clip, 0.006 GB in all",
    ]
    again = here(*command)
    assert again.stdout == run.stdout
    assert "mel 12k" not in again.stderr, "all of it was there"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_a_killed_preparation_goes_on(data: Path, here: Run, tmp_path: Path) -> None:
    command = ["prepare", "--data", str(data), "--only", "vgg-16k-128-x1-db", "--cache"]
    assert here(*command, tmp_path / "whole").returncode == 0
    (whole,) = (tmp_path / "whole").rglob("16k-128.npy")
    part = tmp_path / "part" / whole.relative_to(tmp_path / "whole")
    states = part.with_name("16k-128.clips.npy")
    for _ in range(20):  # until it is killed neither too early nor too late
        shutil.rmtree(tmp_path / "part", ignore_errors=True)
        with subprocess.Popen(
            [sys.executable, "-m", "train", *command, str(tmp_path / "part")],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        ) as process:
            while not (states.exists() and np.load(states)["bytes"].any()) and process.poll() is None:
                time.sleep(0.002)
            workers = children(process.pid)
            process.kill()
        left = np.count_nonzero(np.load(states)["bytes"] == 0)
        if workers and 0 < left < 24:
            break
    else:
        pytest.fail("it was never caught at work")
    for _ in range(200):
        if not any(Path(f"/proc/{pid}").exists() for pid in workers):
            break
        time.sleep(0.05)
    else:
        pytest.fail("the workers outlive the process that was killed")
    resumed = here(*command, tmp_path / "part")
    assert f"mel 16k 128: {left} clips" in resumed.stderr
    np.testing.assert_array_equal(np.load(part), np.load(whole))
    np.testing.assert_array_equal(np.load(states), np.load(whole.with_name("16k-128.clips.npy")))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the disk cannot be asked")
def test_a_full_disk_is_said_before_the_work(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(
        DataError, match="the cache cannot be made: No space left on device: --cache names another"
    ):
        mel_power(read(data), Config(), tmp_path)
    assert [path.name for path in tmp_path.rglob("*.*")] == [], "what did not fit is not left there"
    monkeypatch.undo()
    assert mel_power(read(data), Config(), tmp_path)[1].all(), "and it goes on when there is room"


def test_a_late_file_is_added(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    late = copy / "1" / "clip-1.mp3"
    content = late.read_bytes()
    late.unlink()
    _, usable = mel_power(read(copy), Config(), tmp_path)
    assert np.flatnonzero(~usable).tolist() == [1]
    late.write_bytes(content)
    capfd.readouterr()
    _, usable = mel_power(read(copy), Config(), tmp_path)
    assert usable.all()
    assert "mel 12k 48: 1 clips" in capfd.readouterr().err
    late.unlink()
    _, usable = mel_power(read(copy), Config(), tmp_path)
    assert np.flatnonzero(~usable).tolist() == [1], "what is in the cache is of no file"


def test_what_may_go_well_another_time_is_tried_again(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    path = copy / "1" / "clip-1.mp3"
    there = read(copy)
    path.unlink()
    path.mkdir()  # which nobody can read as a file, for whatever reason
    for _ in range(2):
        with pytest.raises(DataError, match=r"1 clips cannot be read now: .*clip-1\.mp3"):
            mel_power(there, Config(), tmp_path)
    path.rmdir()
    shutil.copy(data / "1" / "clip-1.mp3", path)
    assert mel_power(there, Config(), tmp_path)[1].all()


def test_a_clip_that_crashes_the_decoder_is_found(
    data: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    dataset = read(data)
    whole, _ = mel_power(dataset, Config(), cache)
    monkeypatch.setattr("train.data.cache._compute", crashing.compute)
    power, usable = mel_power(dataset, Config(), tmp_path)
    assert np.flatnonzero(~usable).tolist() == [*crashing.CRASHES]
    said = capfd.readouterr().err
    for clip in crashing.CRASHES:
        assert f"left out: {data / dataset.paths[clip]}: its process crashed (exit code 139)" in said
    np.testing.assert_array_equal(power[usable], whole[usable])


def test_training_reads_the_cache_from_other_processes(data: Path, cache: Path) -> None:
    dataset = read(data, "soft")
    power, _ = mel_power(dataset, Config(), cache)
    clips = Clips(power, np.arange(3, 9), 10, 137, dataset.target[3:9], np.zeros((6, 2), np.float32))
    assert len(pickle.dumps(clips)) < 20_000, "the map itself does not travel"
    mel, target, hint = pickle.loads(pickle.dumps(clips)).__getitems__([5, 0])
    np.testing.assert_array_equal(mel, power[[8, 3]][:, :, ::10])
    np.testing.assert_array_equal(target, dataset.target[[8, 3]])
    assert hint.shape == (2, 2)
