from dataclasses import replace
from pathlib import Path

import numpy as np

from train.data import read
from train.fit.clips import Clips, Places, with_known


def test_the_likeliest_known_tag_of_each_vocabulary_gets_the_floor(data: Path) -> None:
    dataset = read(data, "soft-all").with_columns([0, 1, 2, 50, 51])
    known = np.zeros((24, 5), bool)
    known[3, [0, 2, 4]] = known[5, 1] = True
    target = np.full((24, 5), 0.1, np.float32)
    target[3, 2] = 0.2
    target[5, 1] = 0.7
    found = with_known(target, replace(dataset, known=known), 0.5)
    changed = {
        (int(clip), int(output)): float(found[clip, output]) for clip, output in np.argwhere(found != target)
    }
    assert changed == {(3, 2): 0.5, (3, 4): 0.5}, "what is above the floor stays"
    assert target[3, 2] == np.float32(0.2), "a copy"


def ramp(frames: int, hop: int) -> Clips:
    """Four clips of 20 frames that count up, the first two to train on."""
    power = (100 * np.arange(4)[:, None, None] + np.arange(20)).astype(np.float32)
    nothing = np.zeros((2, 0), np.float32)
    return Clips(power.repeat(3, axis=1), np.array([1, 3]), hop, frames, np.eye(2, dtype=np.float32), nothing)


def test_a_segment_is_read_from_anywhere_and_nothing_else_is() -> None:
    clips = ramp(6, 1)
    assert clips.places == 15
    found = clips.__getitems__([0, 14, 15 + 3])
    assert found.power.shape == (3, 3, 6)
    assert found.power[:, 0].tolist() == [[*range(b, b + 6)] for b in (100, 114, 303)]
    assert found.target.tolist() == [[1, 0], [1, 0], [0, 1]]
    assert ramp(4, 3).__getitems__([4 + 2]).power[0, 0].tolist() == [306, 309, 312, 315]


def test_every_epoch_has_places_of_its_own_and_the_same_again() -> None:
    order = Places(ramp(6, 1), 1, 0, seed=7)
    found = []
    for epoch in range(200):
        order.set_epoch(epoch)
        found.append([*order])
        assert [*order] == found[-1]
        assert sorted(index // 15 for index in found[-1]) == [0, 1], "each clip once"
    assert {index % 15 for epoch in found for index in epoch} == {*range(15)}
    assert ramp(20, 1).places == 1
