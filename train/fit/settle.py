"""How a run ends: with weights that validate better than those of its best epoch, if there are any."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from train.data.cache import training_segments
from train.fit.predict import loss_of, predict
from train.fit.prepare import Task
from train.networks.network import Network

SETTLING = 512
"""Training clips, at most, whose statistics batch norms take in the end."""


def ends(task: Task, last: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Weights that a run may end with once its batch norms have settled; `last` are those of its best epoch.

    They are these, and their mean with those that the run began with, if it kept them: a network often stays
    in one basin with the one that it began with, and between the two is better than either (Wortsman et al.,
    Robust fine-tuning of zero-shot models, 2022).
    """
    if task.recipe.settle:
        yield last
    if (task.run / "first.pt").exists():
        first = torch.load(task.run / "first.pt", map_location="cpu")["model"]
        yield {
            name: torch.lerp(first[name], end, task.recipe.average) if end.is_floating_point() else end
            for name, end in last.items()
        }


def settled(task: Task, network: Network) -> float:
    """Give the batch norms the statistics of training clips as they are; the validation loss with them.

    Training has shown them varied and mixed ones.
    """
    torch.manual_seed(task.recipe.seed)
    segments = torch.from_numpy(training_segments(task.dataset, task.config, task.cache, SETTLING))
    parts = segments[torch.randperm(len(segments))]
    update_bn(parts[:, None].split(task.recipe.batch), network, task.device)
    rows = task.rows["valid"]
    return loss_of(predict(network, task.power, rows, task.config, task.device), task.dataset.target[rows])
