"""Shrink VGG-CNN for the product: its last convolution holds 82 % of the weights and 5 % of the work."""

import copy

import torch
from torch import Tensor, nn

from train.architectures.vgg import VGG

RANK = 256
"""Dimensions that are kept of the 2,048 outputs of the last convolution."""


def factorise(network: VGG, inputs: Tensor, rank: int = RANK) -> VGG:
    """The same network with its last convolution split in two: to `rank` channels, and from them to all.

    What is kept are the principal components of the outputs, each scaled as its batch norm does, so the
    outputs change as little as any such split allows on these inputs. Each of the `rank` channels carries
    an equal share of the variance, which 8 bits then hold alike.

    Args:
        network: a trained one, which stays as it is.
        inputs: log-mel segments [n, 1, mels, frames].
    """
    network = copy.deepcopy(network).eval()
    block = network.blocks[-1]
    convolution, norm, pool, activation = block  # type: ignore[misc]
    outputs: list[Tensor] = []
    hook = convolution.register_forward_hook(lambda *call: outputs.append(call[2]))
    with torch.no_grad():
        for part in inputs.split(16):
            network(part)
        hook.remove()
        scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).double()
        found = torch.cat([output.movedim(1, -1).flatten(0, -2) for output in outputs]).double() * scale
        mean = found.mean(0)
        _, vectors = torch.linalg.eigh((found - mean).T @ (found - mean))
        generator = torch.Generator().manual_seed(0)
        turn, _ = torch.linalg.qr(torch.randn(rank, rank, generator=generator, dtype=torch.float64))
        basis = vectors[:, -rank:] @ turn  # [2048, rank], orthonormal
        weight = (convolution.weight.double() * scale[:, None, None, None]).flatten(1)
        down = nn.Conv2d(convolution.in_channels, rank, 3, padding=1)
        up = nn.Conv2d(rank, convolution.out_channels, 1)
        down.weight.copy_((basis.T @ weight).view_as(down.weight))
        down.bias.copy_(-basis.T @ mean)
        up.weight.copy_((basis / scale[:, None])[:, :, None, None])
        up.bias.copy_(mean / scale)
    network.blocks[-1] = nn.Sequential(down, up, norm, pool, activation)
    return network
