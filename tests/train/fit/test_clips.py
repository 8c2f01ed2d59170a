from dataclasses import replace
from pathlib import Path

import numpy as np

from train.data import read
from train.fit.clips import with_known


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
