"""Labels of segments, networks that begin with the weights of others, and the family, on real audio."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from autotag.audio.mel import compress
from autotag.config import Config
from autotag.models.registry import find, manifest
from train import family
from train.data import msd, read
from train.data.cache import mel_power
from train.errors import DataError, RunError
from train.export.publish import Words, best_runs
from train.family import BUNDLED
from train.fit.clips import training_clips
from train.fit.loop import fit
from train.fit.predict import predict
from train.fit.recipe import RECIPES, Recipe
from train.fit.run import best
from train.fit.teachers import PATCHES, TEACHER_INPUT, label, labelled_segments, segment_labels
from train.networks import build

pytestmark = pytest.mark.usefixtures("narrow")


def teacher(path: Path, scale: float, tags: int = 50, frames: int = 187) -> Path:
    """An ONNX file shaped like a published model: each probability is `scale` times the mean of logmel.

    Its embedding is that mean, three times.
    """
    mel = helper.make_tensor_value_info("logmel", TensorProto.FLOAT, ["batch", frames, 96])
    probs = helper.make_tensor_value_info("probs", TensorProto.FLOAT, ["batch", tags])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 3])
    nodes = [
        helper.make_node("ReduceMean", ["logmel"], ["mean"], axes=[1, 2], keepdims=1),
        helper.make_node("Squeeze", ["mean", "axis"], ["row"]),
        helper.make_node("Mul", ["row", "weights"], ["probs"]),
        helper.make_node("Mul", ["row", "ones"], ["embedding"]),
    ]
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [2]),
        helper.make_tensor("ones", TensorProto.FLOAT, [1, 3], [1.0] * 3),
        helper.make_tensor("weights", TensorProto.FLOAT, [1, tags], [scale] * tags),
    ]
    graph = helper.make_graph(nodes, "teacher", [mel], [probs, embedding], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_segments_get_the_mean_of_the_teachers(data: Path, cache: Path, tmp_path: Path) -> None:
    dataset = read(data, "soft")
    teachers = [teacher(tmp_path / "a.onnx", 0.1), teacher(tmp_path / "b.onnx", 0.3)]
    label(dataset, teachers, cache)
    labels, embeddings = segment_labels(dataset, cache)
    power, _ = mel_power(dataset, TEACHER_INPUT, cache)
    rows = np.flatnonzero(dataset.split == "train")
    assert labels.shape == (24, PATCHES, 50)
    assert np.isnan(labels[dataset.split != "train"]).all()
    assert embeddings.shape == (24, PATCHES, 6)
    first, last = (compress(power[rows[4]][:, part], "log") for part in (slice(187), slice(-187, None)))
    np.testing.assert_allclose(labels[rows[4], 0], 0.2 * first.mean(), rtol=1e-4)
    np.testing.assert_allclose(labels[rows[4], -1], 0.2 * last.mean(), rtol=1e-4)
    np.testing.assert_allclose(embeddings[rows[4], 0], [first.mean()] * 6, rtol=1e-3)


def test_what_is_no_teacher(data: Path, cache: Path, tmp_path: Path) -> None:
    dataset = read(data, "soft")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(DataError, match=r"text\.onnx: not an ONNX model"):
        label(dataset, [tmp_path / "text.onnx"], cache)
    with pytest.raises(DataError, match=r"'probs': \[7\].* a teacher of 50 tags"):
        label(dataset, [teacher(tmp_path / "few.onnx", 1, tags=7)], cache)


@pytest.mark.parametrize("name", ["musicnn-12k-48-x1-db", "musicnn-16k-48-x1-db"])
def test_a_segment_has_the_label_of_where_it_is(name: str) -> None:
    """A clip that rises from 0 to 1, with labels that do."""
    config = Config.parse(name)
    frames = Config("vgg", config.sr, 48, 1).frames
    torch.manual_seed(0)
    ramp = torch.linspace(0, 1, frames - config.frames + 1)
    power = torch.cat([ramp, torch.ones(config.frames - 1)]).expand(64, 2, frames)
    labels = torch.linspace(0, 1, PATCHES)[None, :, None].expand(64, PATCHES, 3)
    cut, found, told = labelled_segments(power, labels, 1 - labels, config)
    assert cut.shape == (64, 2, config.frames)
    torch.testing.assert_close(found, cut[:, :1, 0].expand(-1, 3), atol=2e-3, rtol=0)
    torch.testing.assert_close(told, 1 - found)
    assert found.min() < 0.1
    assert found.max() > 0.9


def test_vgg_begins_with_all_weights_of_its_neighbour() -> None:
    source, network = (build(Config.parse(f"vgg-12k-{name}-db")) for name in ("48-x10", "96-x1"))
    network.inherit(source.state_dict())
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, source.state_dict()[name]), name


@pytest.mark.parametrize(("source_bands", "bands"), [(96, 48), (48, 96)])
def test_musicnn_answers_a_broad_spectrum_as_its_neighbour_does(source_bands: int, bands: int) -> None:
    torch.manual_seed(0)
    source, network = (build(Config("musicnn", 12000, mels, 1)).eval() for mels in (source_bands, bands))
    network.inherit(source.state_dict())
    mel = torch.randn(2, 1, 1, 140)
    with torch.no_grad():
        expected = source(mel.expand(-1, -1, source_bands, -1))[0]
        found = network(mel.expand(-1, -1, bands, -1))[0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_a_network_of_segments_learns_from_their_hints(data: Path, cache: Path, tmp_path: Path) -> None:
    dataset, config = read(data, "soft"), Config.parse("musicnn-12k-48-x1-db")
    label(dataset, [teacher(tmp_path / "a.onnx", 0.1), teacher(tmp_path / "b.onnx", 0.3)], cache)
    clips = training_clips(dataset, config, cache, replace(RECIPES["soft"], labels="soft", segments=True))
    batch = clips.__getitems__([2, 5])
    assert batch.target.shape == (2, PATCHES, 50)
    assert batch.hint.shape == (2, PATCHES, 6)
    assert batch.hint.isfinite().all()
    told = torch.from_numpy(clips.hint).flatten(0, 1)
    torch.testing.assert_close(told.mean(0), torch.zeros(6), atol=1e-4, rtol=0)
    plain = training_clips(dataset, config, cache, Recipe(labels="soft", segments=True))
    assert plain.hint.shape[2] == 0


def test_labels_that_change_under_a_run_are_found(data: Path, tmp_path: Path) -> None:
    dataset, config, cache, run = (
        read(data, "soft"),
        Config.parse("musicnn-12k-48-x1-db"),
        tmp_path / "cache",
        tmp_path / "run",
    )
    recipe = replace(RECIPES["soft"], labels="soft", segments=True, epochs=2)
    path = label(dataset, [teacher(tmp_path / "teacher.onnx", 0.1)], cache)
    with np.load(path) as file:
        labels, embeddings = file["labels"], file["embeddings"]
    real = predict

    def interrupted(*arguments: Any) -> Any:
        if (run / "last.pt").exists():
            raise KeyboardInterrupt
        return real(*arguments)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("train.fit.loop.predict", interrupted)
        fit(config, dataset, cache, run, recipe, "cpu")
    np.savez(path, labels=0.5 * labels, embeddings=embeddings)
    with pytest.raises(RunError, match="have changed since it was begun"):
        fit(config, dataset, cache, run, recipe, "cpu")
    labels[np.flatnonzero(dataset.split == "train")[3]] = np.nan
    np.savez(path, labels=labels, embeddings=embeddings)
    with pytest.raises(RunError, match=r"clips have come since .* 'python -m train label'"):
        fit(config, dataset, cache, run, recipe, "cpu")


@pytest.mark.slow
def test_the_family_is_trained_and_exported_and_not_again(
    data: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(RECIPES["soft"], labels="soft", epochs=1, batch=6)
    small = {
        "root-x10": short,
        "vgg-12k-48-x10-db": replace(short, start="root-x10"),
        "vgg-12k-48-x5-db": replace(short, start="vgg-12k-48-x10-db"),
        "msd-vgg-12k-48-x10-db": replace(short, labels="soft-msd", start="vgg-12k-48-x10-db"),
        "musicnn-12k-48-x1-db": replace(short, segments=True, prior=True),
    }
    monkeypatch.setattr(family, "BUNDLED", small)
    label(read(data, "soft"), [teacher(tmp_path / "teacher.onnx", 0.1)], cache)
    work, models = tmp_path / "runs", tmp_path / "models"

    def run(*only: str) -> None:
        family.distill(data, list(only), None, cache, work, models, Words(), "cpu")

    run("vgg-12k-48-*")
    assert (work / "root-x10" / "seed-0" / "result.json").exists(), "what it begins with is not at hand"
    run("*")
    entries = {entry.metadata.name: entry for entry in manifest(models)}
    assert set(entries) == {*small} - {"root-x10"}
    other = entries["msd-vgg-12k-48-x10-db"].metadata
    assert other.outputs == tuple(("msd", tag) for tag in msd.TAGS)
    assert other.training["recipe"]["start"] == "vgg-12k-48-x10-db"
    changed = {name: entry.path.stat().st_mtime_ns for name, entry in entries.items()}
    run("*")
    assert {e.metadata.name: e.path.stat().st_mtime_ns for e in manifest(models)} == changed
    monkeypatch.setenv("AUTOTAG_MODELS", str(models))
    assert find("msd-vgg-12k-48-x10-db").path == models / "msd-vgg-12k-48-x10-db.onnx"

    assert [run.parent.name for run in best_runs(work)] == [*sorted({*small} - {"root-x10"})]

    (work / "vgg-12k-48-x10-db" / "seed-0" / "last.pt").touch()
    shutil.rmtree(work / "msd-vgg-12k-48-x10-db")
    with pytest.raises(RunError, match=r"vgg-12k-48-x10-db.seed-0: not at its end"):
        run("msd-*")

    work = tmp_path / "elsewhere"  # where the neighbour has no run, it is at hand as a model
    monkeypatch.setattr(family, "is_published", lambda *_: True)  # exports were seen above
    run("msd-*")
    assert best(work / "vgg-12k-48-x10-db" / "seed-0")["epoch"] == 0
    assert best(work / "msd-vgg-12k-48-x10-db" / "seed-0")["epoch"] == 1


def test_a_pattern_that_matches_nothing(data: Path, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"--only 'vgg-12k-47-\*' matches none of the bundled models. They are root-x10"
    ):
        family.distill(data, ["vgg-12k-47-*"], None, cache, tmp_path, tmp_path, Words(), "cpu")


def test_labels_of_segments_have_to_be_made_first(data: Path, tmp_path: Path) -> None:
    wanted = r"no labels of segments .* 'python -m train label --labels soft' makes them"
    with pytest.raises(RunError, match=wanted):
        segment_labels(read(data, "soft"), tmp_path)


def test_labels_of_two_vocabularies_are_made_one_by_one(data: Path, tmp_path: Path) -> None:
    one = teacher(tmp_path / "one.onnx", 0.1)
    both = read(data, "soft-all")
    with pytest.raises(DataError, match="no teacher knows both vocabularies"):
        label(both, [one], tmp_path)
    label(read(data, "soft"), [one], tmp_path)
    with pytest.raises(RunError, match="'python -m train label --labels soft-msd' makes them"):
        segment_labels(both, tmp_path)
    label(read(data, "soft-msd"), [teacher(tmp_path / "other.onnx", 0.2)], tmp_path)
    labels, _ = segment_labels(both, tmp_path)
    assert labels.shape == (24, PATCHES, 100)
    train = labels[both.split == "train"]
    np.testing.assert_allclose(train[:, :, 50:], 2 * train[:, :, :50], rtol=1e-5)


def test_what_a_model_starts_from_comes_before_it() -> None:
    names = list(BUNDLED)
    for name, recipe in BUNDLED.items():
        assert recipe.start is None or names.index(recipe.start) < names.index(name)
