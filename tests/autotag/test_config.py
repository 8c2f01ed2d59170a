import pytest

from autotag.config import GRID, Config
from autotag.errors import ConfigError


def test_the_grid_is_the_study_s() -> None:
    assert len(GRID) == len(set(GRID)) == 100
    assert sum(config.arch == "vgg" for config in GRID) == 88


@pytest.mark.parametrize("config", GRID, ids=lambda config: config.name)
def test_a_name_is_the_identity(config: Config) -> None:
    assert Config.parse(config.name) == config


def test_segments_have_the_frames_that_the_study_counts() -> None:
    def frames(sr: int) -> list[int]:
        return [Config("vgg", sr, 48, hop).frames for hop in (1, 2, 3, 4, 5, 10)]

    assert frames(12000) == [1366, 683, 456, 342, 274, 137]
    assert frames(16000) == [1820, 910, 607, 455, 364, 182]
    assert Config("musicnn", 12000, 96, 1).frames == 140
    assert Config("musicnn", 16000, 96, 1).frames == 187


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("vgg-11k-48-x2-db", "11000", "12000, 16000"),
        ("vgg-12k-50-x2-db", "50", "128, 96, 48"),
        ("vgg-12k-24-x2-db", "2", "Use 1"),
        ("vgg-12k-48-x7-db", "7", "1, 2, 3, 4, 5, 10"),
        ("vgg-12k-48-x2-ln", "'ln'", "log, db"),
        ("musicnn-12k-48-x2-db", "2", "Use 1"),
        ("resnet-12k-48-x2-db", "'resnet'", "vgg, musicnn"),
        ("song", "'song'", "vgg-12k-48-x2-db"),
    ],
)
def test_a_value_outside_the_grid_is_named_with_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as error:
        Config.parse(name)
    assert value in str(error.value)
    assert allowed in str(error.value)


def test_distance_prefers_the_same_kind() -> None:
    wanted = Config(mels=48, hop=3)
    others = [Config(mels=48, hop=10), Config("musicnn", 12000, 48, 1), Config(mels=48, hop=2)]
    names = [config.name for config in sorted(others, key=wanted.distance)]
    assert names == ["vgg-12k-48-x2-db", "vgg-12k-48-x10-db", "musicnn-12k-48-x1-db"]
