"""Installed models, and files that are none."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from autotag.errors import ModelError, ModelNotFound
from autotag.meaning import Output
from autotag.models.metadata import KEY, Metadata
from autotag.models.model import Model
from autotag.models.registry import MANIFEST, find, folders, load, manifest, models
from tests.conftest import ROOT, SONG

SMALL = "vgg-12k-48-x10-db"
FIELDS = {"arch": "vgg", "sr": 12000, "mels": 48, "hop": 10, "log": "db"}


def changed(folder: Path, **fields: Any) -> Path:
    """A copy of a model with fields of its metadata replaced, or dropped where None."""
    model = onnx.load(find(SMALL).path)
    metadata = json.loads(json.dumps(find(SMALL).metadata.to_dict())) | fields
    kept = {name: value for name, value in metadata.items() if value is not None}
    helper.set_model_props(model, {KEY: json.dumps(kept)})
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"


def foreign(folder: Path, **props: str) -> Path:
    """An ONNX file that somebody else made."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "graph", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, props)
    onnx.save(model, folder / "foreign.onnx")
    return folder / "foreign.onnx"


@pytest.mark.parametrize("name", sorted(models()))
def test_every_installed_model_is_what_it_says(name: str) -> None:
    file = find(name)
    model = load(name)
    assert model.metadata == file.metadata
    assert file.path.stat().st_size == file.bytes
    metadata = model.metadata
    assert metadata.name.endswith(metadata.config.name)
    assert len(metadata.outputs) == len(set(metadata.outputs)) == 50 * len(metadata.vocabularies)
    assert set(metadata.vocabularies) <= {"mtat", "msd"}
    segments = np.zeros((3, metadata.config.mels, metadata.frames), np.float32)
    segments[1] = -100
    scores, embedding = model(segments)
    assert scores.shape == (3, len(metadata.outputs))
    assert embedding.shape[0] == 3
    assert ((scores >= 0) & (scores <= 1)).all()
    np.testing.assert_allclose(scores[0], model(segments[:1])[0][0], atol=1e-5)


def test_a_text_is_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(ModelError, match=r"text\.onnx: not an ONNX model that onnxruntime can load"):
        Model(tmp_path / "text.onnx")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: cannot be read: No such file"):
        load(tmp_path / "none.onnx")


def test_a_foreign_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"foreign\.onnx: an ONNX file without 'autotag' metadata"):
        Model(foreign(tmp_path))
    with pytest.raises(ModelError, match="metadata is not JSON"):
        Model(foreign(tmp_path, autotag="{"))
    with pytest.raises(ModelError, match="has no field 'format'"):
        Model(foreign(tmp_path, autotag="[]"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": 99}, "format 99, where this autotag reads 2 and 3"),
        ({"outputs": None}, "lacks the field 'outputs'"),
        ({"label_source": None}, "lacks the field 'label_source'"),
        ({"config": {"arch": "vgg", "sr": 12000}}, "field 'config' of its metadata: lacks 'mels'"),
        ({"config": FIELDS | {"sr": 11025}}, "field 'config' of its metadata: sample rate 11025"),
        ({"config": FIELDS | {"rate": 12000}}, "field 'config' of its metadata"),
        ({"config": 7}, "the field 'config' of its metadata is 7"),
        ({"outputs": 7}, "the field 'outputs' of its metadata is 7"),
        ({"name": 5}, "the field 'name' of its metadata is 5"),
        ({"frames": 138}, "138 frames, where vgg-12k-48-x10-db has 137"),
        ({"gmac": -1}, "the field 'gmac' of its metadata is -1"),
        (
            {"config": FIELDS | {"mels": 96}, "name": "vgg-12k-96-x10-db"},
            "inputs are {'mel': [1, 48, 137]}, where its metadata asks for 'mel' [1, 96, 137]",
        ),
        ({"outputs": [["mtat", "guitar"], ["mtat", "piano"]], "uncalibrated": []}, "asks for 'scores' [2]"),
        ({"outputs": [["mtat", "guitar"]] * 50}, "has 50 outputs, 1 of them different"),
        ({"outputs": [["mtat", 5]]}, "the field 'outputs' of its metadata is ['mtat', 5]"),
        ({"outputs": [["mtat", "\x1b]0;x"]]}, "the field 'outputs' of its metadata is"),
        ({"outputs": [["mtat", "a" * 1000]]}, "the field 'outputs' of its metadata is"),
        ({"uncalibrated": [["lastfm", "sad"]]}, "the field 'uncalibrated' of its metadata is"),
        ({"metrics": {"int8": "good"}}, "the field 'metrics' of its metadata is 'good'"),
        ({"metrics": {"int8": {"test": {"roc_auc": 7}}}}, "the field 'metrics' of its metadata is"),
        ({"thresholds": [0.5]}, "has a field 'thresholds' that format 3 does not have"),
        (
            {"name": "vgg-12k-48-x2-db"},
            "the name 'vgg-12k-48-x2-db', which does not end in vgg-12k-48-x10-db",
        ),
    ],
)
def test_metadata_that_disagrees_is_refused(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as error:
        Model(changed(tmp_path, **fields))
    assert "changed.onnx" in str(error.value)
    assert message in str(error.value)


def test_metadata_of_format_2_has_one_vocabulary(tmp_path: Path) -> None:
    """And thresholds, which are no longer used but must be what they were."""
    metadata = find(SMALL).metadata
    tags = [output.tag for output in metadata.outputs if output.vocabulary == "mtat"]
    new = {"outputs": None, "uncalibrated": None, "metrics": None}
    old = {"format": 2, "vocabulary": "mtat", "tags": tags, "scores": {}, "reliability": [[0.1, 5, 0.2, 0.3]]}

    def read(**fields: Any) -> Metadata:
        kept = metadata.to_dict() | new | old | {"thresholds": [0.5] * len(tags)} | fields
        return Metadata.from_json(json.dumps({n: v for n, v in kept.items() if v is not None}), "old.onnx")

    assert read().outputs == tuple(Output("mtat", tag) for tag in tags)
    assert read().vocabularies == ("mtat",)
    assert read().uncalibrated == read().outputs, "nobody calibrated models of that format"
    for name, value in {
        "thresholds": [float("nan")] * len(tags),
        "reliability": [1, 2],
        "vocabulary": 5,
        "tags": None,
    }.items():
        with pytest.raises(ModelError, match=r"old\.onnx"):
            read(**{name: value})
    with pytest.raises(ModelError, match="thresholds"):
        read(thresholds=[7] * len(tags))


def test_deep_and_long_metadata_is_refused() -> None:
    for text in ("[" * 100_000, '"' + "a" * (1 << 21) + '"'):
        with pytest.raises(ModelError, match=r"odd\.onnx: its metadata"):
            Metadata.from_json(text, "odd.onnx")


@pytest.mark.parametrize("value", [7.0, -0.5, float("nan")])
def test_a_score_outside_0_to_1_is_refused(tmp_path: Path, value: float) -> None:
    model = onnx.load(find(SMALL).path)
    count = len(find(SMALL).metadata.outputs)
    for node in model.graph.node:
        node.output[:] = ["before" if name == "scores" else name for name in node.output]
    for name, number in (("nothing", 0.0), ("value", value)):
        array = np.full(count, number, np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    model.graph.node.append(helper.make_node("Mul", ["before", "nothing"], ["zeros"]))
    model.graph.node.append(helper.make_node("Add", ["zeros", "value"], ["scores"]))
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(ModelError, match=r"odd\.onnx: a score is"):
        load(tmp_path / "odd.onnx")(np.zeros((1, 48, 137), np.float32))


@pytest.mark.parametrize("place", ["beside", "current folder"])
def test_weights_in_another_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """No sha256 covers them, and whoever can write there would choose them."""
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "model.onnx"
    onnx.save(onnx.load(find(SMALL).path), path, save_as_external_data=True, location="weights.bin")
    if place == "current folder":
        shutil.copy(tmp_path / "models" / "weights.bin", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="with all its weights in it"):
        load("models/model.onnx")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there are no devices as files")
def test_a_device_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "zero.onnx").symlink_to("/dev/zero")
    with pytest.raises(ModelError, match=r"a folder, pipe or device\. Name an ONNX file"):
        load(tmp_path / "zero.onnx")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models of one's own, with one model in it."""
    file = find(SMALL)
    shutil.copy(file.path, tmp_path)
    listed = json.loads((file.path.parent / MANIFEST).read_text())[SMALL]
    (tmp_path / MANIFEST).write_text(json.dumps({SMALL: listed}))
    monkeypatch.setenv("AUTOTAG_MODELS", str(tmp_path))
    return tmp_path


def test_a_folder_of_one_s_own_comes_first(folder: Path) -> None:
    assert folders()[0] == folder
    assert find(SMALL).path == folder / f"{SMALL}.onnx"
    assert set(models()) >= {file.metadata.name for file in manifest(folders()[1])}


def test_a_file_that_is_not_the_manifest_s_is_refused(folder: Path) -> None:
    path = folder / f"{SMALL}.onnx"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    found = hashlib.sha256(damaged).hexdigest()
    for model in (SMALL, path, str(path)):
        with pytest.raises(ModelError, match=f"sha256 is {found[:12]}…, but the manifest beside it says"):
            load(model)


@pytest.mark.parametrize("text", ['{"name": "My page", "icons": []}', "[]", "{"])
def test_a_manifest_of_something_else_says_nothing_of_a_file(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    assert load(folder / f"{SMALL}.onnx").metadata.name == SMALL


@pytest.mark.parametrize("checksum", ["", None])
def test_a_checksum_that_is_none_is_refused(folder: Path, checksum: str | None) -> None:
    listed = json.loads((folder / MANIFEST).read_text())
    listed[SMALL]["sha256"] = checksum
    (folder / MANIFEST).write_text(json.dumps(listed))
    with pytest.raises(ModelError, match="the sha256 of vgg-12k-48-x10-db is"):
        load(SMALL)
    with pytest.raises(ModelError, match="but the manifest beside it says"):
        load(folder / f"{SMALL}.onnx")


def test_a_folder_without_a_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    with pytest.raises(ModelError, match=r"manifest\.json: No such file or directory\. 'python -m"):
        models()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there are no devices as files")
def test_a_device_is_no_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).symlink_to("/dev/zero")
    with pytest.raises(ModelError, match=r"manifest\.json: not a manifest of models, but a device"):
        models()
    assert load(folder / f"{SMALL}.onnx").metadata.name == SMALL


@pytest.mark.parametrize("text", ["", "[1]", '{"a": {}}', '{"a": 1}', "\xff"])
def test_a_malformed_manifest(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text, "latin-1")
    with pytest.raises(ModelError, match=r"manifest\.json"):
        models()


def test_a_resolution_without_a_model_names_the_nearest_and_how_to_train_it() -> None:
    with pytest.raises(ModelNotFound) as error:
        find("vgg-16k-8-x1-log")
    message = str(error.value)
    assert "No trained model vgg-16k-8-x1-log is installed" in message
    assert "the nearest are vgg-12k-48-x10-log, vgg-16k-48-x10-db, vgg-12k-8-x1-db" in message
    assert "python -m train fit vgg-16k-8-x1-log" in message


def test_a_name_that_is_no_configuration_lists_what_is_at_hand() -> None:
    with pytest.raises(ModelNotFound, match=SMALL):
        find("best")


def test_nothing_is_noted_to_be_sent_anywhere(tmp_path: Path) -> None:
    """Where onnxruntime reports to its makers, it keeps an identity of the machine and a queue of events."""
    environment = dict(os.environ)
    for name in ("CI", "ORT_DISABLE_TELEMETRY"):
        environment.pop(name, None)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "TMPDIR"):
        (tmp_path / name).mkdir()
        environment[name] = str(tmp_path / name)
    command = [sys.executable, "-m", "autotag", str(SONG), str(SONG.with_name("compose.py")), "--jobs", "2"]
    subprocess.run(command, capture_output=True, cwd=ROOT, env=environment, check=False)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
