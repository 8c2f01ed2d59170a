import numpy as np
import pytest
from numpy.typing import NDArray

from autotag.audio.segments import fill, segments


def cut(frames: int, segment: int, block: int, step: int | None = None) -> list[list[float]]:
    spectrogram = np.arange(frames, dtype=np.float32)[None]
    blocks = [spectrogram[:, start : start + block] for start in range(0, frames, block)]
    return [s[0].tolist() for s in segments(blocks, segment, step)]


@pytest.mark.parametrize("block", [1, 2, 3, 4, 7, 100])
def test_nothing_is_dropped_and_the_last_segment_ends_with_the_file(block: int) -> None:
    assert cut(9, 3, block) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert cut(10, 4, block) == [[0, 1, 2, 3], [4, 5, 6, 7], [6, 7, 8, 9]]
    assert cut(3, 3, block) == [[0, 1, 2]]


@pytest.mark.parametrize("block", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("frames", [5, 6, 7, 8, 20])
@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_segments_overlap_by_the_step_and_the_last_one_ends_with_the_file(
    frames: int, step: int, block: int
) -> None:
    starts = [*range(0, frames - 5 + 1, step)]
    starts += [frames - 5] if starts[-1] != frames - 5 else []
    assert cut(frames, 5, block, step) == [list(range(start, start + 5)) for start in starts]


def test_less_than_a_segment_is_refused() -> None:
    with pytest.raises(ValueError, match="2 frames are less than one segment of 3"):
        cut(2, 3, 1)


def filled(samples: int, segment: int, block: int) -> NDArray[np.float32]:
    signal = np.arange(1, samples + 1, dtype=np.float32)
    return np.concatenate(list(fill([signal[i : i + block] for i in range(0, samples, block)], segment)))


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_fill(block: int) -> None:
    assert filled(3, 7, block).tolist() == [1, 2, 3, 1, 2, 3, 1]
    assert filled(995, 1000, block)[994:].tolist() == [995, 0, 0, 0, 0, 0]
    assert filled(1000, 1000, block).tolist() == list(range(1, 1001))
    assert filled(1500, 1000, block).tolist() == list(range(1, 1501))
