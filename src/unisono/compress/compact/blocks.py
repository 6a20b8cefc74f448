"""Blocks that take the place of a convolution: the same input, an output of the same shape, fewer parameters."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from unisono.compress.compact.step import Compact

_SIDE = 3  # of a block's kernels
_FEWEST = 4  # channels that a block sees, or squeezes to: an image stays with its convolution, as in all these networks


class _Block(nn.Module):
    """What blocks share: how they fit where a convolution was.

    A convolution with less padding than half its kernel gives less than it is given: as much is cut off first.
    """

    def __init__(self, like: nn.Conv2d) -> None:
        super().__init__()
        self.cut = tuple(step * (side // 2) - pad for step, side, pad in _axes(like))

    def cropped(self, given: torch.Tensor) -> torch.Tensor:
        """Without the edges that the convolution used up."""
        high, wide = self.cut
        return given if high == wide == 0 else given[:, :, high : given.shape[2] - high, wide : given.shape[3] - wide]


class Fire(_Block):
    """Few channels by 1 x 1, then many by 1 x 1 and 3 x 3 side by side (Iandola et al. 2016)."""

    def __init__(self, like: nn.Conv2d, squeeze: float, wide: float) -> None:
        super().__init__(like)
        few = max(_FEWEST, round(squeeze * like.out_channels))
        seeing = min(max(1, round(wide * like.out_channels)), like.out_channels - 1)
        self.squeeze = nn.Sequential(_points(like.in_channels, few), nn.ReLU())
        self.narrow = _points(few, like.out_channels - seeing, stride=_pair(like.stride))
        self.wide = _kernels(like, few, seeing)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Rows x channels x height x width -> the same of the convolution's output."""
        squeezed = self.squeeze(self.cropped(given))
        return torch.cat([self.narrow(squeezed), self.wide(squeezed)], dim=1)


class Separable(_Block):
    """3 x 3 in each channel, then 1 x 1 (Howard et al. 2017)."""

    def __init__(self, like: nn.Conv2d) -> None:
        super().__init__(like)
        deep = _kernels(like, like.in_channels, like.in_channels, groups=like.in_channels)
        self.layers = nn.Sequential(deep, nn.ReLU(), _points(like.in_channels, like.out_channels))

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Rows x channels x height x width -> the same of the convolution's output."""
        made: torch.Tensor = self.layers(self.cropped(given))
        return made


class Inverted(_Block):
    """More channels by 1 x 1, 3 x 3 in each, then fewer (Sandler et al. 2018); the input goes past them if it fits."""

    def __init__(self, like: nn.Conv2d, expansion: float) -> None:
        super().__init__(like)
        more = max(1, round(expansion * like.in_channels))
        self.layers = nn.Sequential(
            _points(like.in_channels, more),
            nn.ReLU6(),
            _kernels(like, more, more, groups=more),
            nn.ReLU6(),
            _points(more, like.out_channels),
        )
        self.is_passed = like.in_channels == like.out_channels and set(like.stride) == {1}

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Rows x channels x height x width -> the same of the convolution's output."""
        cropped = self.cropped(given)
        made: torch.Tensor = self.layers(cropped)
        return made + cropped if self.is_passed else made


def block_of(like: nn.Conv2d, step: Compact) -> nn.Module:
    """What takes the place of a convolution that `refused` has nothing against."""
    made: dict[str, Callable[[], nn.Module]] = {
        "fire": lambda: Fire(like, step.squeeze, step.wide),
        "separable": lambda: Separable(like),
        "inverted": lambda: Inverted(like, step.expansion),
    }
    return made[step.block]()


def refused(layer: nn.Module, step: Compact) -> str | None:
    """Why a convolution stays as it is; None: it can be replaced."""
    assert isinstance(layer, nn.Conv2d)
    high, wide = layer.kernel_size
    if layer.groups != 1:
        return f"its channels are in {layer.groups} groups"
    if layer.in_channels < _FEWEST:
        return f"it sees {layer.in_channels} channels, which is few already"
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return f"its padding is {layer.padding_mode}, {layer.padding}"
    if min(high, wide) == 1 or high % 2 == 0 or wide % 2 == 0:
        return f"its kernel is {high} x {wide}"
    if any(pad > step_wide * (side // 2) for step_wide, side, pad in _axes(layer)):
        return "its padding is more than half its kernel"
    with torch.device("meta"):
        needed = sum(one.numel() for one in block_of(layer, step).parameters())
    whole = sum(one.numel() for one in layer.parameters())
    return f"a block needs {needed:,} parameters, it has {whole:,}" if needed >= whole else None


def _axes(like: nn.Conv2d) -> list[tuple[int, int, int]]:
    """Dilation, side of the kernel and padding along each axis."""
    padding = [int(pad) for pad in like.padding]
    return list(zip(like.dilation, like.kernel_size, padding, strict=True))


def _points(given: int, made: int, *, stride: tuple[int, int] = (1, 1)) -> nn.Sequential:
    """1 x 1, brought to the same scale in every channel."""
    return nn.Sequential(nn.Conv2d(given, made, 1, stride=stride, bias=False), nn.BatchNorm2d(made))


def _kernels(like: nn.Conv2d, given: int, made: int, *, groups: int = 1) -> nn.Sequential:
    """3 x 3 with the stride and dilation of a convolution, brought to the same scale in every channel."""
    dilation = _pair(like.dilation)
    kernels = nn.Conv2d(
        given,
        made,
        _SIDE,
        stride=_pair(like.stride),
        padding=dilation,
        dilation=dilation,
        groups=groups,
        bias=False,
    )
    return nn.Sequential(kernels, nn.BatchNorm2d(made))


def _pair(numbers: tuple[int, ...]) -> tuple[int, int]:
    high, wide = numbers
    return high, wide
