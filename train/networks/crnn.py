"""CRNN (Choi et al., ICASSP 2017): convolutions that a recurrent layer sums up over time.

The study names it and did not run it: it is no part of its grid, and no model of it comes with autotag.
"""

import copy
from typing import Self

from torch import Tensor, nn

from autotag.config import Config
from train.errors import RunError
from train.networks.network import Network

FILTERS = (64, 128, 128, 128)

TIME_POOLING = {1: (2, 3, 4, 4), 2: (2, 3, 4, 2), 10: (2, 2, 2, 1)}
"""Max-pooling of the four blocks along time, per hop multiple: 14 to 22 steps of about 1.5 to 2 s remain."""

MEL_POOLING = {96: (2, 3, 4, 4), 48: (2, 3, 4, 2)}
"""Max-pooling of the four blocks along frequency, per number of mel bands: one band remains."""

STATE = 32
"""Numbers that each of the two recurrent layers remembers."""


class CRNN(Network):
    """Batch norm, four blocks of 3x3 convolution, batch norm, max-pooling, ELU, and two recurrent layers.

    With `whole`, pooling goes on to the last frames, which floor pooling drops. The embedding [batch, 32] is
    the state after the last step.
    """

    def __init__(self, config: Config, outputs: int = 50, whole: bool = False) -> None:
        super().__init__(config, outputs, whole)
        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = nn.Sequential()
        channels = 1
        pools = zip(MEL_POOLING[config.mels], TIME_POOLING[config.hop], strict=True)
        for filters, pool in zip(FILTERS, pools, strict=True):
            self.blocks.append(
                nn.Sequential(
                    nn.Conv2d(channels, filters, 3, padding=1, bias=False),
                    nn.BatchNorm2d(filters),
                    nn.MaxPool2d(pool, ceil_mode=whole),  # before the ELU, which is monotonic
                    nn.ELU(),
                    nn.Dropout(0.1),
                )
            )
            channels = filters
        self.recurrent = nn.GRU(channels, STATE, num_layers=2, batch_first=True, dropout=0.3)
        self.dense = nn.Sequential(nn.Dropout(0.3), nn.Linear(STATE, outputs))

    width = STATE

    @property
    def last(self) -> nn.Linear:
        layer = self.dense[1]
        assert isinstance(layer, nn.Linear)
        return layer

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        steps = self.blocks(self.heard(mel)).squeeze(2).transpose(1, 2)
        embedding = self.recurrent(steps)[0][:, -1]
        return self.dense(embedding), embedding

    def shrunk(self, inputs: Tensor) -> Self:
        return copy.deepcopy(self).eval()  # it is small

    def restore(self, values: dict[str, Tensor], inputs: Tensor) -> None:
        raise RunError("CRNN cannot be restored from an ONNX file. Begin with the folder of its run.")


NETWORK = CRNN
