"""Models at hand, and files that are not."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from autotag.config import model_name
from autotag.errors import ModelError, ModelNotFound
from autotag.models.metadata import KEY
from autotag.models.model import Model
from autotag.models.registry import MANIFEST, find, folders, load, manifest, models

SMALL = "vgg-12k-48-x10-db"
FIELDS = {"arch": "vgg", "sr": 12000, "mels": 48, "hop": 10, "log": "db"}


def changed(folder: Path, **fields: Any) -> Path:
    """A copy of a model with fields of its metadata replaced, or dropped where None."""
    model = onnx.load(find(SMALL).path)
    metadata = json.loads(model.metadata_props[0].value) | fields
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
def test_every_model_at_hand_is_what_it_says(name: str) -> None:
    entry = find(name)
    model = load(name)
    assert model.metadata == entry.metadata
    assert entry.path.stat().st_size == entry.bytes
    metadata = model.metadata
    assert metadata.name == model_name(metadata.config, metadata.vocabulary)
    assert len(metadata.tags) == len(set(metadata.tags)) == 50
    segments = np.zeros((3, metadata.config.mels, metadata.frames), np.float32)
    segments[1] = -100
    scores, embedding = model(segments)
    assert scores.shape == (3, 50)
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
        ({"format": 99}, "format 99, where this autotag reads 2"),
        ({"tags": None}, "lacks the field 'tags'"),
        ({"label_source": None}, "lacks the field 'label_source'"),
        ({"config": {"arch": "vgg", "sr": 12000}}, "field 'config' of its metadata: lacks 'mels'"),
        ({"config": FIELDS | {"sr": 11025}}, "field 'config' of its metadata: sample rate 11025"),
        ({"config": FIELDS | {"rate": 12000}}, "field 'config' of its metadata"),
        ({"config": 7}, "the field 'config' of its metadata is 7"),
        ({"tags": 7}, "the field 'tags' of its metadata is 7"),
        ({"name": 5}, "the field 'name' of its metadata is 5"),
        ({"frames": 138}, "138 frames, where vgg-12k-48-x10-db has 137"),
        (
            {"config": FIELDS | {"mels": 96}, "name": "vgg-12k-96-x10-db"},
            "inputs are {'mel': [1, 48, 137]}, where its metadata asks for 'mel' [1, 96, 137]",
        ),
        ({"vocabulary": "lastfm"}, "vocabulary 'lastfm' is not in the study: use mtat, msd"),
        ({"vocabulary": "msd"}, f"has the name '{SMALL}', where it is msd-{SMALL}"),
        ({"thresholds": [0.5]}, "the field 'thresholds' of its metadata must be 50 numbers"),
        ({"thresholds": ["high"] * 50}, "the field 'thresholds' of its metadata must be 50 numbers"),
        ({"tags": ["guitar", "piano"], "thresholds": [0.5] * 2}, "asks for 'scores' [2]"),
        ({"tags": ["guitar"] * 50}, "the field 'tags' of its metadata must be different names"),
        ({"tags": list(range(50))}, "the field 'tags' of its metadata must be different names"),
        ({"name": "vgg-12k-48-x2-db"}, "the name 'vgg-12k-48-x2-db', where it is vgg-12k-48-x10-db"),
    ],
)
def test_metadata_that_disagrees_is_refused(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as error:
        Model(changed(tmp_path, **fields))
    assert "changed.onnx" in str(error.value)
    assert message in str(error.value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models of one's own, with one model in it."""
    entry = find(SMALL)
    shutil.copy(entry.path, tmp_path)
    listed = json.loads((entry.path.parent / MANIFEST).read_text())[SMALL]
    (tmp_path / MANIFEST).write_text(json.dumps({SMALL: listed}))
    monkeypatch.setenv("AUTOTAG_MODELS", str(tmp_path))
    return tmp_path


def test_a_folder_of_one_s_own_comes_first(folder: Path) -> None:
    assert folders()[0] == folder
    assert find(SMALL).path == folder / f"{SMALL}.onnx"
    assert set(models()) >= {entry.metadata.name for entry in manifest(folders()[1])}


def test_a_file_that_is_not_the_manifest_s_is_refused(folder: Path) -> None:
    path = folder / f"{SMALL}.onnx"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    found = hashlib.sha256(damaged).hexdigest()
    for model in (SMALL, path):
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
    with pytest.raises(ModelError, match=r"manifest\.json: No such file or directory: 'python -m"):
        models()


@pytest.mark.parametrize("text", ["", "[1]", '{"a": {}}', '{"a": 1}', "\xff"])
def test_a_malformed_manifest(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text, "latin-1")
    with pytest.raises(ModelError, match=r"manifest\.json"):
        models()


def test_a_resolution_without_a_model_names_the_nearest_and_how_to_train_it() -> None:
    with pytest.raises(ModelNotFound) as error:
        find("vgg-16k-8-x1-log")
    message = str(error.value)
    assert "'vgg-16k-8-x1-log'" in message
    assert "Nearest at hand: vgg-12k-8-x1-db" in message
    assert "python -m train fit vgg-16k-8-x1-log" in message


def test_a_name_that_is_no_configuration_lists_what_is_at_hand() -> None:
    with pytest.raises(ModelNotFound, match=SMALL):
        find("best")
