"""Values of fewer bits: the quantiser, the mel cache in bytes, and networks that keep few of their input."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from autotag.audio.mel import compress
from autotag.config import Config
from autotag.models.model import Model
from tests.conftest import Run
from train.data import read
from train.data.cache import folder_of, mel_power
from train.data.quantised import RANGES, Quantiser
from train.errors import DataError
from train.networks import build

CONFIG = Config(hop=10)


@pytest.mark.parametrize("bits", range(1, 9))
def test_a_quantiser_has_so_many_levels_and_errs_by_half_a_step(bits: int) -> None:
    quantise = Quantiser.fixed(bits, "db")
    low, high = RANGES["db"]
    values = np.linspace(low, high, 5000, dtype=np.float32)[None]
    found = quantise(values)
    assert len(np.unique(found)) == 2**bits
    assert np.abs(found - values).max() <= (high - low) / 2**bits / 2 + 1e-4
    np.testing.assert_array_equal(quantise(found), found)
    beyond = quantise(np.array([[low - 50, high + 50]], np.float32))
    np.testing.assert_array_equal(beyond[0], [found.min(), found.max()])


def test_each_band_has_a_range_of_its_own() -> None:
    rng = np.random.default_rng(0)
    mels = (rng.uniform(0, 1, (20, 2, 50)) * [[10], [100]]).astype(np.float32)
    quantise = Quantiser.by_band(2, mels)
    narrow, wide = (len(np.unique(quantise(mels)[:, band])) for band in (0, 1))
    assert (narrow, wide) == (4, 4)
    assert np.abs(quantise(mels) - mels)[:, 0].mean() < 2


def test_a_network_quantises_as_the_quantiser_does() -> None:
    torch.manual_seed(0)
    for log in ("db", "log"):
        config = Config(hop=10, log=log)
        mel = compress(np.random.default_rng(0).exponential(0.01, (2, 48, 137)).astype(np.float32), log)
        few, whole = (build(config, 3, bits=bits).eval() for bits in (2, 0))
        few.load_state_dict(whole.state_dict())
        with torch.no_grad():
            quantised = torch.from_numpy(Quantiser.fixed(2, log)(mel))[:, None]
            found = few(torch.from_numpy(mel)[:, None])[0]
            torch.testing.assert_close(found, whole(quantised)[0], atol=1e-4, rtol=1e-4)


def test_a_cache_of_bytes_takes_a_quarter_and_is_a_quarter_of_a_decibel_away(
    data: Path, cache: Path, tmp_path: Path
) -> None:
    whole, usable = mel_power(read(data), CONFIG, cache)
    dataset = read(data, stored="uint8")
    small, also = mel_power(dataset, CONFIG, tmp_path)
    np.testing.assert_array_equal(usable, also)
    (file,) = folder_of(dataset, tmp_path).glob("12k-48-uint8.npy")
    assert file.stat().st_size == pytest.approx(whole.nbytes / 4, abs=200)
    exact, found = (compress(power[3:9][:, :, ::10], "db") for power in (whole, small))
    loud = exact > -100
    assert np.abs(found - exact)[loud].max() <= 0.25 + 1e-3
    assert found[~loud].size == 0 or found[~loud].max() <= -99.7
    assert read(**dataset.origin).stored == "uint8"


@pytest.mark.parametrize("change", ["cut", "version"])
def test_a_cache_that_is_cut_off_or_of_another_version_is_named(
    data: Path, tmp_path: Path, change: str
) -> None:
    dataset = read(data)
    folder = folder_of(dataset, tmp_path)
    folder.mkdir()
    np.save(
        folder / "12k-48.npy", np.zeros((24, 48, 1366), np.float16 if change == "version" else np.float32)
    )
    if change == "cut":
        with (folder / "12k-48.npy").open("r+b") as file:
            file.truncate(1000)
    message = {"cut": "cut off, or no array", "version": r"of another version: float16 \(24, 48, 1366\), not"}
    with pytest.raises(DataError, match=rf"12k-48.npy: {message[change]}.* Delete it, and it is made again"):
        mel_power(dataset, CONFIG, tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
def test_a_run_on_few_bits_and_a_cache_of_bytes_says_so_and_its_model_hears_the_same(
    data: Path, here: Run, tmp_path: Path
) -> None:
    where = ["--cache", tmp_path / "cache", "--work", tmp_path / "runs"]
    options = ["--bits", 3, "--cache-type", "uint8", "--epochs", 2]
    done = here("fit", CONFIG.name, "--data", data, *options, *where)
    assert done.returncode == 0, done.stderr
    run = Path(done.stdout.strip())
    result = json.loads((run / "result.json").read_text())
    assert (result["recipe"]["bits"], result["stored"], result["bytes_per_clip"]) == (3, "uint8", 48 * 137)
    done = here("export", run, "--models", tmp_path / "models", *where)
    assert done.returncode == 0, done.stderr
    model = Model(run / f"{CONFIG.name}.fp32.onnx")
    assert model.metadata.training["stored"] == "uint8"
    mel = np.random.default_rng(1).uniform(-80, 10, (2, 48, 137)).astype(np.float32)
    np.testing.assert_allclose(model(mel)[0], model(Quantiser.fixed(3, "db")(mel))[0], atol=1e-5)
    assert here("report", tmp_path / "runs").returncode == 0
    text = (tmp_path / "runs" / "report.md").read_text("utf-8")
    assert "kept its values in uint8" in text
    assert "bits 3" in text
