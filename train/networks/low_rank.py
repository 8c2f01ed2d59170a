"""Split the last convolution of VGG-CNN, which holds 82 % of its weights and does 5 % of its work."""

import torch
from scipy.linalg import eigh
from torch import Tensor, nn

RANK = 256
"""Dimensions that are kept of the 2,048 outputs of the last convolution."""


def low_rank(network: nn.Module, block: nn.Sequential, inputs: Tensor, rank: int) -> nn.Sequential:
    """A block of a network with its convolution split in two: to `rank` channels, and from them to all.

    What is kept are the principal components of the outputs, each scaled as its batch norm does, so the
    outputs change as little as any such split allows on these inputs. Each of the `rank` channels carries
    an equal share of the variance, which 8 bits then hold alike.

    Args:
        network: a trained one, in evaluation.
        block: of it: a convolution of 3x3, its batch norm, and whatever follows them.
        inputs: log-mel segments [n, 1, mels, frames].
    """
    convolution, norm, *rest = list(block.children())
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None
    outputs: list[Tensor] = []
    hook = convolution.register_forward_hook(lambda *call: outputs.append(call[2]))
    with torch.no_grad():
        for part in inputs.split(16):
            network(part)
        hook.remove()
        scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).double()
        found = torch.cat([output.movedim(1, -1).flatten(0, -2) for output in outputs]).double() * scale
        mean = found.mean(0)
        size = len(mean)
        spread = ((found - mean).T @ (found - mean)).numpy()
        vectors = torch.from_numpy(eigh(spread, subset_by_index=(size - rank, size - 1))[1])
        generator = torch.Generator().manual_seed(0)
        turn, _ = torch.linalg.qr(torch.randn(rank, rank, generator=generator, dtype=torch.float64))
        basis = vectors @ turn  # [2048, rank], orthonormal
        weight = (convolution.weight.double() * scale[:, None, None, None]).flatten(1)
        down = nn.Conv2d(convolution.in_channels, rank, 3, padding=1, bias=False)
        up = nn.Conv2d(rank, convolution.out_channels, 1)
        assert up.bias is not None
        down.weight.copy_((basis.T @ weight).view_as(down.weight))
        up.weight.copy_((basis / scale[:, None])[:, :, None, None])
        up.bias.copy_((mean - basis @ (basis.T @ mean)) / scale)
    return nn.Sequential(down, up, norm, *rest)
