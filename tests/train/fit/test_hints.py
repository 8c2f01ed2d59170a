"""Embeddings of teachers: read, refused where they are of other clips, and learned from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autotag.config import Config
from tests.train.conftest import TEACHERS
from train.data import read
from train.data.dataset import Dataset
from train.errors import DataError
from train.fit.hints import FILE, Pupil, hint_loss, standardised, teacher_embeddings
from train.networks import build


@pytest.fixture
def dataset(data: Path, tmp_path: Path) -> Dataset:
    """One whose embeddings may be written anew."""
    return replace(read(data), root=tmp_path)


def write(dataset: Dataset, **changed: Any) -> None:
    count = len(dataset.ids)
    arrays: dict[str, Any] = {
        "clip_id": [int(clip) for clip in dataset.ids],
        "a_embedding": np.ones((count, 3)),
    }
    np.savez(dataset.root / FILE, **arrays | changed)


def test_the_embeddings_of_all_teachers_stand_side_by_side(data: Path) -> None:
    found = teacher_embeddings(read(data))
    assert found.shape == (24, sum(TEACHERS.values()))
    with np.load(data / FILE) as file:
        np.testing.assert_allclose(found[:, :3], file["one_embedding"], rtol=1e-6)


def test_without_the_file_there_are_no_hints_and_that_is_said(
    dataset: Dataset, capfd: pytest.CaptureFixture[str]
) -> None:
    assert teacher_embeddings(dataset).shape == (24, 0)
    assert "trains without hints" in capfd.readouterr().err
    pupil = Pupil(build(Config(hop=10)), 0)
    _, told = pupil.eval()(torch.zeros(2, 1, 48, 137))
    assert told.shape == (2, 0)
    assert float(hint_loss(told, torch.empty(2, 0))) == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"clip_id": [*range(20), 99, *range(21, 24)]},
            "row 20 is of clip 99, where the labels have clip 20",
        ),
        ({"clip_id": np.arange(25), "a_embedding": np.ones((25, 3))}, "25 rows, where the labels have 24"),
        ({"clip_id": np.arange(7), "a_embedding": np.ones((7, 3))}, "7 rows, where the labels have 24"),
        (
            {"a_embedding": np.ones((23, 3))},
            r"a_embedding has the shape \(23, 3\), where 24 clips are listed",
        ),
        ({"a_embedding": np.full((24, 3), np.nan)}, "a_embedding, row 0, clip 0: not all numbers are finite"),
    ],
)
def test_embeddings_of_other_clips_are_refused(
    dataset: Dataset, changed: dict[str, Any], message: str
) -> None:
    write(dataset, **changed)
    with pytest.raises(DataError, match=rf"teacher_embeddings\.npz: .*{message}"):
        teacher_embeddings(dataset)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04broken"])
def test_a_file_that_holds_no_arrays(dataset: Dataset, content: bytes) -> None:
    (dataset.root / FILE).write_bytes(content)
    with pytest.raises(DataError, match=r"teacher_embeddings\.npz: not a file of teachers' embeddings"):
        teacher_embeddings(dataset)


def test_arrays_without_an_embedding(dataset: Dataset) -> None:
    np.savez(dataset.root / FILE, clip_id=np.arange(24))
    with pytest.raises(DataError, match="no array in it is named NAME_embedding"):
        teacher_embeddings(dataset)


def test_embeddings_are_standardised_over_the_clips_to_train_on() -> None:
    embeddings = np.random.default_rng(0).normal(3, 2, (50, 4)).astype(np.float32)
    embeddings[:, 2] = 7  # which tells nothing
    found = standardised(embeddings, np.arange(10, 40))
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0), [1, 1, 0, 1], atol=1e-5)


def test_what_has_no_hint_costs_nothing() -> None:
    told = torch.tensor([[1.0, 2.0], [5.0, 5.0]], requires_grad=True)
    loss = hint_loss(told, torch.tensor([[0.0, 0.0], [torch.nan, torch.nan]]))
    loss.backward()
    assert float(loss) == pytest.approx((1 + 4) / 2)
    assert told.grad is not None
    assert told.grad.tolist() == [[1, 2], [0, 0]]
