"""One layer as two."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from unisono.compress.low_rank.factors import Convolutions, Moments, Way, way_of


def rows_of(shape: tuple[int, ...]) -> torch.Tensor:
    """Rows whose numbers depend on each other, as those inside a network do; images are smooth."""
    random = torch.Generator().manual_seed(0)
    if len(shape) == 4:
        coarse = torch.randn(shape[0], 2, 3, 3, generator=random)
        smooth = functional.interpolate(coarse, shape[2:], mode="bilinear")
        rows = torch.einsum("nchw,cd->ndhw", smooth, torch.randn(2, shape[1], generator=random))
    else:
        weights = torch.logspace(1, -2, 8).unsqueeze(1)
        rows = torch.randn(*shape[:-1], 8, generator=random) @ (torch.randn(8, shape[-1], generator=random) * weights)
    return rows + 0.01 * torch.randn(shape, generator=random) + 1.0


def way(layer: nn.Module, convolutions: Convolutions = "channel") -> Way:
    made = way_of(layer, convolutions)
    assert not isinstance(made, str)
    return made


def seen(one: Way, rows: torch.Tensor) -> Moments:
    moments = Moments()
    for part in (rows[:50], rows[50:]):
        moments.add(one.seen(part).detach())
    return moments


def convolution(kernel: tuple[int, int] = (3, 3), **options: object) -> nn.Conv2d:
    torch.manual_seed(1)
    return nn.Conv2d(6, 10, kernel, **options)  # type: ignore[arg-type]


def linear(outputs: int, *, bias: bool = True) -> nn.Linear:
    torch.manual_seed(1)  # two singular values that are nearly the same have no best of the first alone
    return nn.Linear(24, outputs, bias)


LAYERS = {
    "linear": (linear(40), (200, 24), "channel"),
    "texts": (linear(16, bias=False), (40, 7, 24), "channel"),
    "channel": (convolution(padding=1, stride=2), (60, 6, 9, 9), "channel"),
    "spatial": (convolution((3, 5), padding=(1, 2), stride=(1, 2), dilation=(2, 1)), (60, 6, 9, 9), "spatial"),
    "separable": (convolution(padding=1, dilation=2), (60, 6, 9, 9), "separable"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_of_the_highest_rank_little_is_lost(name: str) -> None:
    layer, shape, convolutions = LAYERS[name]
    one = way(layer, convolutions)  # type: ignore[arg-type]
    rows = rows_of(shape)
    spectrum = one.spectrum(seen(one, rows))
    with torch.inference_mode():
        wanted = layer(rows)
        errors = [((one.build(rank, spectrum)(rows) - wanted) ** 2).mean() for rank in (1, one.highest)]
    assert errors[1] < 0.25 * errors[0]
    assert one.build(1, spectrum)(rows).shape == wanted.shape


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("with_rows", [True, False])
def test_two_layers_have_the_parameters_that_were_counted(name: str, with_rows: bool) -> None:
    layer, shape, convolutions = LAYERS[name]
    one = way(layer, convolutions)  # type: ignore[arg-type]
    spectrum = one.spectrum(seen(one, rows_of(shape)) if with_rows else None)
    built = one.build(one.highest, spectrum)
    assert sum(part.numel() for part in built.parameters()) == one.parameters(one.highest) < one.whole


@pytest.mark.parametrize("name", ["linear", "texts", "channel"])
def test_what_is_lost_of_the_rows_is_what_the_spectrum_says(name: str) -> None:
    layer, shape, _ = LAYERS[name]
    one = way(layer)
    rows = rows_of(shape)
    spectrum = one.spectrum(seen(one, rows))
    with torch.inference_mode():
        wanted, made = layer(rows).double(), one.build(3, spectrum)(rows).double()
    has_mean = "bias" in dict(layer.named_parameters())
    columns = (wanted.movedim(1, -1) if wanted.ndim == 4 else wanted).reshape(-1, one.width)
    energy = columns.var(0, correction=0).sum() if has_mean else columns.square().mean(0).sum()
    lost = (made - wanted).square().mean() * one.width / energy
    assert float(lost) == pytest.approx(float(spectrum.lost[3]), rel=0.02)


@pytest.mark.parametrize("name", ["linear", "channel", "spatial", "separable"])
def test_rows_make_a_rank_better_than_weights_alone(name: str) -> None:
    layer, shape, convolutions = LAYERS[name]
    one = way(layer, convolutions)  # type: ignore[arg-type]
    rows = rows_of(shape)
    with torch.inference_mode():
        wanted = layer(rows)
        errors = [
            ((one.build(2, one.spectrum(moments))(rows) - wanted) ** 2).mean() for moments in (seen(one, rows), None)
        ]
    assert errors[0] < 0.8 * errors[1]


def test_svd_is_the_best_of_its_rank_for_the_weights() -> None:
    layer = LAYERS["linear"][0]
    one = way(layer)
    built = one.build(5, one.spectrum(None))
    with torch.no_grad():
        first, second, _ = built.parameters()
        product = second @ first
        left, values, right = torch.linalg.svd(layer.weight)
        best = (left[:, :5] * values[:5]) @ right[:5]
    assert torch.allclose(product, best, atol=1e-5)


def test_rows_that_never_vary_and_fewer_rows_than_columns_do_no_harm() -> None:
    layer = LAYERS["linear"][0]
    one = way(layer)
    rows = torch.zeros(3, 24)
    rows[:, 0] = torch.tensor([1.0, 2.0, 4.0])
    built = one.build(2, one.spectrum(seen(one, rows)))
    with torch.inference_mode():
        assert torch.allclose(built(rows), layer(rows), atol=1e-5)
        assert built(torch.randn(5, 24)).isfinite().all()


@pytest.mark.parametrize(
    ("layer", "convolutions", "why"),
    [
        (convolution(groups=2), "channel", "its channels are in 2 groups"),
        (convolution(padding_mode="circular", padding=1), "channel", "its padding is circular"),
        (convolution((1, 5)), "spatial", "a line already"),
        (convolution(), "leave", "is a convolution"),
    ],
)
def test_a_layer_that_cannot_be_made_of_two_says_why(layer: nn.Module, convolutions: Convolutions, why: str) -> None:
    made = way_of(layer, convolutions)
    assert isinstance(made, str)
    assert why in made


def test_a_separable_convolution_has_fewer_kernels_a_channel_than_save_nothing() -> None:
    one = way(convolution(padding=1), "separable")
    whole = one.spectrum(None)
    assert one.highest == 4  # kernels a channel, of 9
    assert float(whole.lost[0]) == 1.0
    assert bool((whole.lost.diff() <= 0).all())
