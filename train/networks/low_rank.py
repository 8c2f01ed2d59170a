"""Split trained convolutions in two: most of their weights, and of their work, say little."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from scipy.linalg import eigh
from torch import Tensor, nn

Convolution = nn.Conv1d | nn.Conv2d


class Moments:
    """Mean and covariance of the outputs of a convolution, summed while a network hears segments."""

    def __init__(self, convolution: nn.Module) -> None:
        self._count, self._sum, self._products = 0, torch.zeros(()), torch.zeros(())
        self._hook = convolution.register_forward_hook(lambda *call: self._add(call[2]))

    def _add(self, output: Tensor) -> None:
        rows = output.movedim(1, -1).flatten(0, -2)
        self._count += len(rows)
        self._sum = self._sum + rows.sum(0).double()
        self._products = self._products + (rows.T @ rows).double()

    def end(self) -> tuple[Tensor, Tensor]:
        """Mean [channels] and covariance [channels, channels]."""
        self._hook.remove()
        mean = self._sum / self._count
        return mean, self._products / self._count - torch.outer(mean, mean)


def low_rank(network: nn.Module, ranks: Iterable[tuple[nn.Module, int]], inputs: Tensor) -> None:
    """Split convolutions of a network in two, in place: to `rank` channels, and from them to all.

    What is kept are the principal components of the outputs, each scaled to the standard deviation that its
    batch norm gives it, so the outputs change as little as any such split allows on these inputs. Where ReLU
    comes before the batch norm, the deviation before ReLU counts: by that after it, filters that are hardly
    ever heard would be the loudest. Each of the `rank` channels carries an equal share of the variance, which
    8 bits then hold alike.

    Args:
        network: a trained one, in evaluation.
        ranks: layers of it, which have one convolution and one batch norm each, and the rank of each;
            0 leaves a layer whole.
        inputs: log-mel segments [n, 1, mels, frames].
    """
    wanted = {layer: rank for layer, rank in ranks if rank}
    seen = {layer: Moments(_part(layer, Convolution)[1]) for layer in wanted}
    with torch.no_grad():
        for part in inputs.split(16):
            network(part)
        for layer, rank in wanted.items():
            name, convolution = _part(layer, Convolution)
            norm = _part(layer, nn.BatchNorm1d | nn.BatchNorm2d)[1]
            setattr(layer, name, _split(convolution, norm, *seen[layer].end(), rank))


def joined(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The constants of an ONNX file by their names, with convolutions that were split in one part again."""
    values = dict(values)
    for name in [name.removesuffix(".0.weight") for name in values if _is_split(name, values)]:
        up, down = values.pop(f"{name}.1.weight").flatten(1), values.pop(f"{name}.0.weight")
        values[f"{name}.weight"] = torch.einsum("or,r...->o...", up, down)
        values[f"{name}.bias"] = values.pop(f"{name}.1.bias") + up @ values.pop(f"{name}.0.bias")
    return values


def _is_split(name: str, values: Mapping[str, Tensor]) -> bool:
    second = f"{name.removesuffix('.0.weight')}.1.weight"
    return name.endswith(".0.weight") and second in values and values[second].ndim > 2


def _part(layer: nn.Module, kind: Any) -> tuple[str, Any]:
    return next((name, part) for name, part in layer.named_children() if isinstance(part, kind))


def _split(whole: Any, norm: Any, mean: Tensor, covariance: Tensor, rank: int) -> nn.Sequential:
    scale = norm.weight.double() / (covariance.diagonal().clamp(min=0) + norm.eps).sqrt()
    size = len(mean)
    spread = (covariance * torch.outer(scale, scale)).numpy()
    vectors = torch.from_numpy(eigh(spread, subset_by_index=(size - rank, size - 1))[1])
    generator = torch.Generator().manual_seed(0)
    turn, _ = torch.linalg.qr(torch.randn(rank, rank, generator=generator, dtype=torch.float64))
    basis = vectors @ turn  # [channels, rank], orthonormal
    kind = type(whole)
    down = kind(whole.in_channels, rank, whole.kernel_size, padding=whole.padding)
    up = kind(rank, whole.out_channels, 1)
    bias = 0 if whole.bias is None else whole.bias
    down.weight.copy_(torch.einsum("or,o...->r...", basis * scale[:, None], whole.weight.double()))
    down.bias.copy_(basis.T @ (scale * (bias - mean)))  # the middle is around 0, where 8 bits hold most
    up.weight.copy_((basis * torch.where(scale == 0, 0, 1 / scale)[:, None]).view_as(up.weight))
    up.bias.copy_(mean)
    return nn.Sequential(down, up)
