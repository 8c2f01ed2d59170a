"""What `import autotag` offers: the values, the verbs and the errors, by name."""

import pytest

import autotag
from autotag import errors


def test_all_that_is_public_is_listed_and_can_be_imported() -> None:
    assert dir(autotag) == sorted(autotag.__all__)
    for name in autotag.__all__:
        assert getattr(autotag, name) is not None
    verbs = {"decode", "find", "read_outcomes", "scan", "similar", "stats", "tag_files", "tag_into"}
    assert verbs <= set(autotag.__all__)


def test_every_error_can_be_caught_by_its_name() -> None:
    raised = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert raised <= set(autotag.__all__)


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tag_file'"):
        autotag.tag_file  # noqa: B018
