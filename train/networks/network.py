"""What training, export and restoring ask of a network, whichever its architecture.

An architecture is one file in this folder, named as `autotag.config` names it, whose `NETWORK` is its class.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Self

from torch import Tensor, nn

from autotag.config import Config
from train.data.quantised import RANGES

SOFTEST = -17.0
"""Mean mel power, in dB, up to which softer segments are amplified: nine of ten training clips are louder.

Clips 20 dB softer then reach a ROC AUC of 0.92 on validation instead of 0.88 by 48 x2, and clips as they are
the same; -11 takes the soft ones to 0.93, and 0.006 of PR AUC from the others.
"""


class Network(nn.Module, ABC):
    """Log-mel spectrograms [batch, 1, mels, frames] to (logits [batch, outputs], embedding [batch, width]).

    Args:
        config: sample rate, bands and hop.
        outputs: of the last layer.
        whole: every frame and band counts, also those that the study's pooling drops; and segments softer
            than `SOFTEST` are heard as if they were as loud, where the log is in dB.
    """

    width: ClassVar[int]
    """Numbers of an embedding, the layer before the last one."""

    input_norm: nn.BatchNorm2d

    bits = 0
    """Bits of each value of the input (`train.data.quantised`); 0 for whole values."""

    @abstractmethod
    def __init__(self, config: Config, outputs: int, whole: bool) -> None:
        super().__init__()
        self._log = config.log
        self._lifts = whole and config.log == "db"

    def heard(self, mel: Tensor) -> Tensor:
        """The input as the first layer gets it."""
        if self.bits:
            low, high = RANGES[self._log]
            step = (high - low) / 2**self.bits
            mel = low + (((mel - low) / step).floor().clamp(0, 2**self.bits - 1) + 0.5) * step
        if self._lifts:
            power = (mel * (math.log(10) / 10)).exp().mean((2, 3), keepdim=True)
            mel = mel + (SOFTEST - 10 * power.log10()).clamp(min=0)
        normal: Tensor = self.input_norm(mel)
        return normal

    @property
    @abstractmethod
    def last(self) -> nn.Linear:
        """The layer from the embedding to the logits."""

    @abstractmethod
    def shrunk(self, inputs: Tensor) -> Self:
        """The trained network as it is to be quantised, with next to the same outputs; it stays as it is.

        Args:
            inputs: log-mel segments of training clips [n, 1, mels, frames].
        """

    def inherit(self, weights: dict[str, Tensor]) -> None:
        """Begin with the weights of the same architecture at another resolution.

        A layer of another shape, such as the last one of other outputs, begins as it is.
        """
        own = self.state_dict()
        self.load_state_dict({name: self.resized(weights[name], wanted) for name, wanted in own.items()})

    def resized(self, given: Tensor, wanted: Tensor) -> Tensor:
        """A weight of another resolution in the shape of one's own, or one's own."""
        return given if given.shape == wanted.shape else wanted

    def restore(self, values: dict[str, Tensor], inputs: Tensor) -> None:
        """Take the constants of an ONNX file made of such a network, named as in `state_dict`.

        Args:
            inputs: log-mel segments [n, 1, mels, frames], which tell what batch norms had seen that are
                folded into convolutions there.
        """
        own = self.state_dict()
        self.load_state_dict({name: values.get(name, own[name]) for name in own})
