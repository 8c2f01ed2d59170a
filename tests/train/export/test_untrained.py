"""A configuration with random weights can be timed, and nobody takes it for a trained one."""

from pathlib import Path

import pytest

from autotag import Result, Tagger
from autotag.models.registry import comparable, select
from tests.conftest import Run

NAME = "untrained-vgg-12k-48-x10-log"


@pytest.fixture(scope="module")
def folder(train: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("work")
    run = train("export", "--untrained", NAME.removeprefix("untrained-"), "--work", work)
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{work / 'untrained' / NAME}.onnx\n"
    return work / "untrained"


def test_both_precisions_are_there_and_say_that_they_learned_nothing(folder: Path, song: Path) -> None:
    for file, precision in ((f"{NAME}.onnx", "int8"), (f"{NAME}.fp32.onnx", "fp32")):
        tagger = Tagger(folder / file)
        assert (tagger.metadata.name, tagger.metadata.precision) == (NAME, precision)
        assert tagger.metadata.untrained
        assert not Tagger("vgg-12k-48-x10-db").metadata.untrained
        result = tagger.tag(song)
        assert isinstance(result, Result)
        assert f"{NAME} is untrained: its tags mean nothing" in result.warnings


def test_it_is_installed_to_be_timed_and_is_ranked_with_no_other(
    folder: Path, autotag: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = autotag("bench", "--models", "untrained-*", "--rounds", 1, AUTOTAG_MODELS=str(folder))
    assert run.returncode == 0, run.stderr
    assert NAME in run.stdout
    monkeypatch.setenv("AUTOTAG_MODELS", str(folder))
    files = select()
    assert NAME in [file.name for file in files]
    assert NAME not in [file.name for file in comparable(files)]
