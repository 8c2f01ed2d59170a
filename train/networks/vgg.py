"""VGG-CNN (Ferraro et al., arXiv 1911.04824; after Choi et al. 2016) at every resolution, from tables."""

from torch import Tensor, nn

from autotag.config import Config

FILTERS = (128, 384, 768, 2048)

TIME_POOLING = {
    (12000, 1): (4, 5, 8, 8),
    (12000, 2): (4, 5, 8, 4),
    (12000, 3): (4, 5, 8, 2),
    (12000, 4): (4, 5, 8, 2),
    (12000, 5): (4, 5, 8, 1),
    (12000, 10): (4, 5, 4, 1),
    (16000, 1): (4, 5, 9, 10),
    (16000, 2): (4, 5, 9, 5),
    (16000, 3): (4, 5, 9, 3),
    (16000, 4): (4, 5, 9, 2),
    (16000, 5): (4, 5, 9, 2),
    (16000, 10): (4, 5, 9, 1),
}
"""Max-pooling of the four blocks along time, per sample rate and hop multiple (study, Table 3)."""

MEL_POOLING = {
    128: (2, 4, 4, 4),
    96: (2, 4, 3, 4),
    48: (2, 4, 3, 2),
    32: (2, 2, 3, 2),
    24: (2, 2, 3, 2),
    16: (2, 2, 2, 2),
    8: (2, 2, 2, 1),
}
"""Max-pooling of the four blocks along frequency, per number of mel bands (study, Table 3)."""


def window(size: int, pool: int) -> tuple[int, int]:
    """Length and stride of max-pooling windows that leave out none of `size` values.

    There are as many as floor pooling by `pool` has, so the maps and the work are those of Table 3; the last
    values, which floor pooling drops, are reached because the windows overlap by as much as that takes.

    >>> window(137, 4)  # 34 windows: the last one begins at 132 and ends at 137
    (5, 4)
    """
    count = size // pool
    stride = size // count
    return size - (count - 1) * stride, stride


class VGG(nn.Module):
    """Batch norm, four blocks of 3x3 convolution, batch norm, max-pooling and ELU, one dense layer.

    The pooling comes before the ELU, which is monotonic: the result is the same as pooling last, at a
    fraction of the exponentials. The study's pooling drops what is left over at the end of a map: 23 % of the
    frames at 12k 48 x10.

    Args:
        config: sample rate, bands and hop.
        outputs: of the last layer.
        whole: pool by `window`, so that every frame and band of a segment counts.

    Input: log-mel spectrograms [batch, 1, mels, frames]. `forward` returns logits [batch, outputs] and the
    embedding [batch, 2048], the flattened 1x1 map after block 4.
    """

    def __init__(self, config: Config, outputs: int = 50, whole: bool = False) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = nn.Sequential()
        channels, size = 1, (config.mels, config.frames)
        for filters, *pool in zip(
            FILTERS, MEL_POOLING[config.mels], TIME_POOLING[config.sr, config.hop], strict=True
        ):
            (high, down), (wide, along) = (window(*pair) for pair in zip(size, pool, strict=True))
            self.blocks.append(
                nn.Sequential(
                    nn.Conv2d(channels, filters, 3, padding=1, bias=False),
                    nn.BatchNorm2d(filters),
                    nn.MaxPool2d((high, wide), (down, along)) if whole else nn.MaxPool2d(tuple(pool)),
                    nn.ELU(),
                )
            )
            channels, size = filters, (size[0] // pool[0], size[1] // pool[1])
        self.dense = nn.Linear(channels, outputs)

    embedding = FILTERS[-1]

    @property
    def output_bias(self) -> nn.Parameter:
        """Of the last layer, [outputs]."""
        return self.dense.bias

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.blocks(self.input_norm(mel)).flatten(1)
        return self.dense(embedding), embedding
