"""Batch norms that settle on clips as they are: training has shown them varied and mixed ones."""

import torch
from torch.optim.swa_utils import update_bn

from train.data.cache import training_segments
from train.fit.predict import loss_of, predict
from train.fit.prepare import Task
from train.networks.network import Network

SETTLING = 512
"""Training clips, at most, whose statistics batch norms take in the end."""


def settled(task: Task, network: Network) -> float:
    """Give the batch norms the statistics of training clips as they are; the validation loss with them."""
    torch.manual_seed(task.recipe.seed)
    segments = torch.from_numpy(training_segments(task.dataset, task.config, task.cache, SETTLING))
    parts = segments[torch.randperm(len(segments))]
    update_bn(parts[:, None].split(task.recipe.batch), network, task.device)
    rows = task.rows["valid"]
    return loss_of(predict(network, task.power, rows, task.config, task.device), task.dataset.target[rows])
