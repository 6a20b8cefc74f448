"""Blocks where convolutions were."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from unisono.compress.compact.blocks import block_of, refused
from unisono.compress.compact.step import Compact

PLACES: dict[str, Any] = {
    "same size": {"padding": 1},
    "no padding": {"kernel_size": 5},
    "some padding": {"kernel_size": 5, "padding": 1, "stride": 2},
    "alexnet": {"kernel_size": 11, "padding": 2, "stride": 4},
    "dilated": {"padding": 2, "dilation": 2},
    "oblong": {"kernel_size": (3, 5), "padding": (0, 2), "stride": (2, 1), "dilation": (2, 1)},
}


def convolution(kernel_size: Any = 3, given: int = 16, made: int = 24, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(given, made, kernel_size, **options)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("block", ["fire", "separable", "inverted"])
@pytest.mark.parametrize("size", [(23, 30), (24, 29)])
def test_a_block_gives_the_shape_of_the_convolution_from_fewer_parameters(place: str, block: Any, size: Any) -> None:
    like = convolution(**PLACES[place])
    step = Compact(block=block)
    assert refused(like, step) is None
    made = block_of(like, step).eval()
    given = torch.randn(2, 16, *size)
    assert made(given).shape == like(given).shape
    assert sum(one.numel() for one in made.parameters()) < sum(one.numel() for one in like.parameters())


@pytest.mark.parametrize(
    ("like", "why"),
    [
        (convolution(groups=2), "its channels are in 2 groups"),
        (convolution(1), "its kernel is 1 x 1"),
        (convolution(4, padding=2), "its kernel is 4 x 4"),
        (convolution(padding=2), "its padding is more than half its kernel"),
        (convolution(padding="same"), "its padding is zeros, same"),
        (convolution(padding=1, padding_mode="reflect"), "its padding is reflect"),
        (convolution(given=3), "it sees 3 channels"),
    ],
)
def test_a_convolution_that_no_block_fits_says_why(like: nn.Conv2d, why: str) -> None:
    assert why in str(refused(like, Compact()))


def test_a_block_that_saves_nothing_is_none() -> None:
    why = refused(convolution(), Compact(block="inverted", expansion=6))
    assert why == "a block needs 5,136 parameters, it has 3,480"


def test_the_input_goes_past_an_inverted_block_only_where_it_fits() -> None:
    fits = block_of(convolution(made=16, padding=1), Compact(block="inverted"))
    other = block_of(convolution(made=16, padding=1, stride=2), Compact(block="inverted"))
    for layer in (*fits.modules(), *other.modules()):
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.zeros_(layer.weight)
    given = torch.randn(2, 16, 9, 9)
    assert torch.equal(fits.eval()(given), given)
    assert not other.eval()(given).any()


def test_a_fire_block_has_the_channels_of_its_shares() -> None:
    block = block_of(convolution(made=64, padding=1), Compact(squeeze=0.25, wide=0.75))
    channels = [(one.in_channels, one.out_channels) for one in block.modules() if isinstance(one, nn.Conv2d)]
    assert channels == [(16, 16), (16, 16), (16, 48)]
