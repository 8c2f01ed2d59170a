"""How a network is trained: what can be chosen, and the recipes that fit any architecture."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from train.fit.augment import STEPS


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: Adam on binary cross-entropy, and the rest here.

    Attributes:
        labels: `"annotations"`, or `"soft"`, `"soft-msd"` or `"soft-all"` for probabilities.
        epochs: passes over the training split.
        batch: clips per step, over all processes.
        rate: learning rate, constant or the peak of one cycle.
        decay: of the weights, apart from the gradient (Loshchilov and Hutter 2019); 0 is plain Adam.
        one_cycle: warm up to `rate` and anneal to zero (Smith and Topin 2018).
        tenth: after so many epochs, and as many again, the rate is a tenth of what it was; 0 for never.
        patience: end after so many epochs without a lower validation loss; 0 for never before `epochs`.
        augment: the steps of `train.fit.augment` that are done.
        seed: of the weights, the order of clips and the augmentation.
        segments: aim a network of 3 s at labels of its very segment, see `train.fit.teachers`.
        prior: begin with the mean probability of every tag.
        start: name of a configuration whose run of this seed, trained before, gives the first weights.
        whole: every frame and band of a segment counts, see `train.networks.vgg.window`.
        hints: weight of the error in telling the teachers' embeddings, see `train.fit.hints`.
        known: in each vocabulary, the likeliest tag that the source of a clip names is aimed at with so much.
        bits: the network itself keeps each value of its input in so many, by one range for all bands; 0 for
            whole values.
        settle: at the end batch norms take the statistics of clips as they are, not of varied ones, if that
            lowers the validation loss.
        average: the share of the end in a mean with the weights of `start`, which is taken if that lowers it
            further; 0 for none.
    """

    labels: str = "annotations"
    epochs: int = 13
    batch: int = 64
    rate: float = 1e-3
    decay: float = 0.0
    one_cycle: bool = False
    tenth: int = 0
    patience: int = 0
    augment: tuple[str, ...] = ()
    seed: int = 0
    segments: bool = False
    prior: bool = False
    start: str | None = None
    whole: bool = False
    hints: float = 0.0
    known: float = 0.0
    bits: int = 0
    settle: bool = False
    average: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain values for JSON."""
        return asdict(self) | {"augment": list(self.augment)}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Self:
        """The recipe that `to_dict` gave; one of an older version lacks what it could not choose."""
        known = {field.name: found[field.name] for field in fields(cls) if field.name in found}
        return cls(**known | {"augment": tuple(known["augment"])})


RECIPES = {
    "study": Recipe(),
    "soft": Recipe(
        labels="soft-all",
        epochs=40,
        batch=32,
        rate=2e-3,
        decay=0.01,
        one_cycle=True,
        augment=tuple(STEPS),
        prior=True,
        whole=True,
        hints=0.3,
        known=0.5,
        settle=True,
        average=0.5,
    ),
}
"""The study's own recipe, and one for probabilities."""
