"""How a layer is made of two: its weights as a matrix, and a matrix of lower rank as two layers.

Every way looks at the weights as a matrix W, rows x columns, and at W x: what the layer makes of a row before its bias.
The best W of rank r for the rows that were seen is U U^T W, where U are the first r eigenvectors of the covariance of
W x. It is what SVD of W L gives, with L L^T the second moments of x (Zhang et al. 2016; DRONE, Chen et al. 2021;
SVD-LLM, Wang et al. 2024), but L is neither made nor inverted, so that moments of few rows, or of columns that never
vary, do no harm. Without rows, the covariance is W W^T, and U those of plain SVD.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import nn
from torch.nn import functional

Convolutions = Literal["channel", "spatial", "separable", "leave"]


class Way(Protocol):
    """One layer, and how it is made of two.

    width:   numbers that are seen of a row: see `seen`.
    whole:   parameters of the layer.
    highest: rank above which nothing is saved.
    """

    width: int
    whole: int
    highest: int

    def parameters(self, rank: int) -> int:
        """Of the two layers."""
        ...

    def seen(self, given: torch.Tensor) -> torch.Tensor:
        """What the layer makes of its input, as rows whose moments decide: positions x width."""
        ...

    def spectrum(self, moments: Moments | None) -> Spectrum:
        """Its directions, from the one that matters most on; None: by the weights alone."""
        ...

    def build(self, rank: int, spectrum: Spectrum) -> nn.Sequential:
        """The two layers."""
        ...


class Moments:
    """Count, sum and second moments of rows that come in parts; float64.

    A way may see several groups of columns, which are looked at each for itself: rows x groups x width.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sum: torch.Tensor | None = None
        self._square: torch.Tensor | None = None

    def add(self, rows: torch.Tensor) -> None:
        """More rows: rows x width, or rows x groups x width."""
        exact = rows.double()
        summed = exact.sum(dim=0)
        square = exact.T @ exact if rows.ndim == 2 else torch.einsum("ngi,ngj->gij", exact, exact)
        self.count += len(rows)
        self._sum = summed if self._sum is None else self._sum + summed
        self._square = square if self._square is None else self._square + square

    def is_finite(self) -> bool:
        """Whether all that was seen were numbers."""
        return self._square is not None and bool(torch.isfinite(self._square).all())

    def mean(self) -> torch.Tensor:
        """Of the rows."""
        assert self._sum is not None
        return self._sum / max(self.count, 1)

    def second(self) -> torch.Tensor:
        """Mean product of each two columns."""
        assert self._square is not None
        return self._square / max(self.count, 1)


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The directions of a layer, from the one that matters most on.

    vectors: one a column, as many as there are ranks that save something; or groups x width x directions.
    lost:    of each rank, from 0 on: the share of the energy of what the layer makes that is lost; falling to 0.
    mean:    of what the layer makes; None: not known, or of no use.
    """

    vectors: torch.Tensor
    lost: torch.Tensor
    mean: torch.Tensor | None = None


def way_of(layer: nn.Module, convolutions: Convolutions) -> Way | str:
    """How a linear layer or a convolution is made of two; or why it is left alone."""
    if isinstance(layer, nn.Linear):
        return LinearWay(layer)
    assert isinstance(layer, nn.Conv2d)
    if convolutions == "leave":
        return "is a convolution"
    if layer.groups != 1:
        return f"its channels are in {layer.groups} groups"
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return f"its padding is {layer.padding_mode}, {layer.padding}"
    if max(layer.kernel_size) == 1:
        return ChannelWay(layer)
    if convolutions == "spatial" and min(layer.kernel_size) == 1:
        return "its kernel is a line already"
    return _WAYS[convolutions](layer)


class _MatrixWay:
    """A way that sees the weights as one matrix."""

    def __init__(self, layer: nn.Linear | nn.Conv2d, matrix: torch.Tensor, *, is_centred: bool) -> None:
        self._layer, self._matrix, self._is_centred = layer, matrix.detach().double(), is_centred
        rows, columns = matrix.shape
        self.width = rows
        self.whole = sum(one.numel() for one in layer.parameters())
        self.highest = (rows * columns - 1) // (rows + columns)

    def parameters(self, rank: int) -> int:
        bias = 0 if self._layer.bias is None else self._layer.bias.numel()
        return rank * sum(self._matrix.shape) + bias

    def spectrum(self, moments: Moments | None) -> Spectrum:
        if moments is None:
            return self._directions(self._matrix @ self._matrix.T)
        if not self._is_centred or self._layer.bias is None:
            return self._directions(moments.second())
        mean = moments.mean()
        return self._directions(moments.second() - torch.outer(mean, mean), mean)

    def _directions(self, moments: torch.Tensor, mean: torch.Tensor | None = None) -> Spectrum:
        values, vectors = torch.linalg.eigh(moments)
        return Spectrum(vectors.flip(1)[:, : self.highest].clone(), _lost(values.flip(0)), mean)

    def _halves(self, rank: int, spectrum: Spectrum) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows x rank, rank x columns; their product is the matrix of lower rank."""
        kept = spectrum.vectors[:, :rank]
        return kept, kept.T @ self._matrix

    def _bias(self, rank: int, spectrum: Spectrum) -> torch.Tensor | None:
        """With the mean of what is lost, which costs nothing to keep."""
        if self._layer.bias is None:
            return None
        bias = self._layer.bias.detach().double()
        if spectrum.mean is None:
            return bias
        kept = spectrum.vectors[:, :rank]
        return bias + spectrum.mean - kept @ (kept.T @ spectrum.mean)


class LinearWay(_MatrixWay):
    """A linear layer as a narrow one and one that widens again."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer, layer.weight, is_centred=True)

    def seen(self, given: torch.Tensor) -> torch.Tensor:
        return functional.linear(given, self._layer.weight).reshape(-1, self.width)

    def build(self, rank: int, spectrum: Spectrum) -> nn.Sequential:
        left, right = self._halves(rank, spectrum)
        bias = self._bias(rank, spectrum)
        first = nn.Linear(right.shape[1], rank, bias=False)
        second = nn.Linear(rank, self.width, bias=bias is not None)
        return _pair((first, right), (second, left), bias)


class ChannelWay(_MatrixWay):
    """A convolution as one with fewer channels, then one of 1 x 1 that makes the others of them (Zhang et al. 2016)."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__(layer, layer.weight.flatten(1), is_centred=True)
        self._convolution = layer

    def seen(self, given: torch.Tensor) -> torch.Tensor:
        one = self._convolution
        made = functional.conv2d(given, one.weight, None, one.stride, one.padding, one.dilation)
        return made.movedim(1, -1).reshape(-1, self.width)

    def build(self, rank: int, spectrum: Spectrum) -> nn.Sequential:
        one = self._convolution
        left, right = self._halves(rank, spectrum)
        bias = self._bias(rank, spectrum)
        first = _convolution(one, one.in_channels, rank, one.kernel_size, axes=(0, 1))
        second = nn.Conv2d(rank, one.out_channels, 1, bias=bias is not None)
        return _pair((first, right), (second, left), bias)


class SpatialWay(_MatrixWay):
    """A convolution as a column, k x 1, then a line, 1 x k (Jaderberg, Vedaldi, Zisserman 2014).

    What is seen are the columns; the mean is left as it is, since at the edges a line sees fewer of them.
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        matrix = layer.weight.permute(0, 3, 1, 2).flatten(0, 1).flatten(1)
        super().__init__(layer, matrix, is_centred=False)
        self._convolution = layer

    def seen(self, given: torch.Tensor) -> torch.Tensor:
        one = self._convolution
        columns = one.weight.permute(0, 3, 1, 2).flatten(0, 1).unsqueeze(-1)
        made = functional.conv2d(given, columns, None, (one.stride[0], 1), (_padding(one)[0], 0), (one.dilation[0], 1))
        return made.movedim(1, -1).reshape(-1, self.width)

    def build(self, rank: int, spectrum: Spectrum) -> nn.Sequential:
        one = self._convolution
        high, wide = one.kernel_size
        left, right = self._halves(rank, spectrum)
        bias = self._bias(rank, spectrum)
        first = _convolution(one, one.in_channels, rank, (high, 1), axes=(0,))
        second = _convolution(one, rank, one.out_channels, (1, wide), axes=(1,), has_bias=bias is not None)
        lines = left.reshape(one.out_channels, wide, rank).transpose(1, 2)
        return _pair((first, right), (second, lines), bias)


class SeparableWay:
    """A convolution as one in each channel, then one of 1 x 1 (Guo et al.: Network Decoupling, 2018).

    The rank is how many kernels each channel gets: 1 is the depthwise-separable convolution of MobileNet.
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        self._layer = layer
        self._blocks = layer.weight.detach().double().flatten(2).transpose(0, 1)  # channels x outputs x kernel
        channels, outputs, kernel = self._blocks.shape
        self.width = kernel
        self.whole = sum(one.numel() for one in layer.parameters())
        self.highest = min(kernel - 1, (channels * outputs * kernel - 1) // (channels * (kernel + outputs)))

    def parameters(self, rank: int) -> int:
        channels, outputs, kernel = self._blocks.shape
        bias = 0 if self._layer.bias is None else self._layer.bias.numel()
        return rank * channels * (kernel + outputs) + bias

    def seen(self, given: torch.Tensor) -> torch.Tensor:
        one = self._layer
        patches = functional.unfold(given, one.kernel_size, one.dilation, _padding(one), one.stride)
        return patches.transpose(1, 2).reshape(-1, one.in_channels, self.width)

    def spectrum(self, moments: Moments | None) -> Spectrum:
        root = torch.eye(self.width, dtype=torch.float64) if moments is None else _root(moments.second())
        vectors, values, _ = torch.linalg.svd(self._blocks @ root, full_matrices=False)
        return Spectrum(vectors, _lost(values.square().sum(dim=0)))

    def build(self, rank: int, spectrum: Spectrum) -> nn.Sequential:
        one = self._layer
        kept = spectrum.vectors[:, :, :rank]  # channels x outputs x rank
        kernels = kept.transpose(1, 2) @ self._blocks  # channels x rank x kernel
        first = _convolution(one, one.in_channels, one.in_channels * rank, one.kernel_size, axes=(0, 1), is_deep=True)
        second = nn.Conv2d(one.in_channels * rank, one.out_channels, 1, bias=one.bias is not None)
        points = kept.permute(1, 0, 2).flatten(1)
        bias = None if one.bias is None else one.bias.detach()
        return _pair((first, kernels), (second, points), bias)


_WAYS: dict[str, Callable[[nn.Conv2d], Way]] = {
    "channel": ChannelWay,
    "spatial": SpatialWay,
    "separable": SeparableWay,
}


def _lost(energies: torch.Tensor) -> torch.Tensor:
    """Of each rank from 0 on, from the energies of directions, falling."""
    left = energies.clamp(min=0).flip(0).cumsum(0).flip(0)
    padded = torch.cat([left, torch.zeros(1, dtype=left.dtype)])
    return padded / left[0].clamp(min=torch.finfo(left.dtype).tiny)


def _root(second: torch.Tensor) -> torch.Tensor:
    """L with L L^T = second moments; groups x width x width. Directions without energy get none."""
    values, vectors = torch.linalg.eigh(second)
    root: torch.Tensor = vectors * values.clamp(min=0).sqrt().unsqueeze(-2)
    return root


def _convolution(
    like: nn.Conv2d,
    given: int,
    made: int,
    kernel: tuple[int, ...],
    *,
    axes: tuple[int, ...],
    has_bias: bool = False,
    is_deep: bool = False,
) -> nn.Conv2d:
    """A convolution with the stride, padding and dilation of another along some axes."""

    def along(values: tuple[int, ...], otherwise: int) -> tuple[int, int]:
        high, wide = (values[axis] if axis in axes else otherwise for axis in (0, 1))
        return high, wide

    high, wide = kernel
    return nn.Conv2d(
        given,
        made,
        (high, wide),
        stride=along(like.stride, 1),
        padding=along(_padding(like), 0),
        dilation=along(like.dilation, 1),
        groups=given if is_deep else 1,
        bias=has_bias,
    )


def _padding(layer: nn.Conv2d) -> tuple[int, int]:
    """Of a layer that says it in numbers."""
    high, wide = (int(one) for one in layer.padding)
    return high, wide


def _pair(
    first: tuple[nn.Linear | nn.Conv2d, torch.Tensor],
    second: tuple[nn.Linear | nn.Conv2d, torch.Tensor],
    bias: torch.Tensor | None,
) -> nn.Sequential:
    """Two layers with their weights; the bias is the second one's."""
    with torch.no_grad():
        for layer, weight in (first, second):
            layer.weight.copy_(weight.reshape(layer.weight.shape))
        if bias is not None:
            second[0].get_parameter("bias").copy_(bias)
    return nn.Sequential(first[0], second[0])
