"""Limits on CPU time, as Linux shows them in files."""

import math
from pathlib import Path

import pytest

from autotag.system.cores import cpu_limit, usable_cores


def test_there_is_one_at_least() -> None:
    assert usable_cores() >= 1
    assert isinstance(usable_cores(), int)


@pytest.mark.parametrize(
    ("member", "files", "limit"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/user/job\n", {"user/job/cpu.max": "max 100000", "user/cpu.max": "200000 100000"}, 2),
        ("0::/user/job\n", {"user/job/cpu.max": "50000 100000", "user/cpu.max": "200000 100000"}, 0.5),
        ("0::/../other\n", {"cpu.max": "300000 100000"}, 3),
        ("0::/\n", {}, math.inf),
        (
            "4:memory:/a\n2:cpu,cpuacct:/docker/a\n0::/\n",
            {"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            2.5,
        ),
        (
            "2:cpu:/job\n",
            {"cpu/job/cpu.cfs_quota_us": "-1\n", "cpu/job/cpu.cfs_period_us": "100000\n"},
            math.inf,
        ),
    ],
)
def test_the_limit_of_the_control_groups(
    tmp_path: Path, member: str, files: dict[str, str], limit: float
) -> None:
    (tmp_path / "cgroup").write_text(member)
    for name, text in files.items():
        (tmp_path / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fs" / name).write_text(text)
    assert cpu_limit(tmp_path / "cgroup", tmp_path / "fs") == limit


def test_there_is_none_without_control_groups(tmp_path: Path) -> None:
    assert cpu_limit(tmp_path / "none", tmp_path) == math.inf
