"""Feature maps: numbers above zero for a query and for a key, whose dot product stands for exp(query . key)."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn
from torch.nn import functional

_LEAST = 1e-6
"""Added to what an exponential gives, so that no sum of features is zero."""


class Features(Protocol):
    """Of one attention; heads share it.

    count: numbers that a query or a key becomes.
    """

    count: int

    def queries(self, given: torch.Tensor) -> torch.Tensor:
        """... x tokens x size -> ... x tokens x count, each at least 0."""
        ...

    def keys(self, given: torch.Tensor) -> torch.Tensor:
        """... x tokens x size -> ... x tokens x count, each at least 0."""
        ...


class Elu(nn.Module):
    """elu(x) + 1 (Katharopoulos et al.: Transformers are RNNs, 2020): as many features as a head has numbers."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.count = size

    def queries(self, given: torch.Tensor) -> torch.Tensor:
        """Number by number."""
        return functional.elu(given) + 1

    def keys(self, given: torch.Tensor) -> torch.Tensor:
        """Number by number."""
        return functional.elu(given) + 1


class Performer(nn.Module):
    """exp(w . x - |x|^2 / 2) for random w, orthogonal in blocks: the mean of products is exp(query . key) (FAVOR+;
    Choromanski et al.: Rethinking attention with performers, 2021).

    size:   numbers of a head.
    count:  of features; the error falls with its root.
    causal: a key's features do not depend on other keys; else the largest exponent of all is taken away, which
            cancels.

    The directions are drawn from torch's generator, and do not learn.
    """

    directions: torch.Tensor

    def __init__(self, size: int, count: int, *, causal: bool) -> None:
        super().__init__()
        self.count = count
        self._causal = causal
        self._scale = size**-0.25  # of queries and of keys, so that products are over the root of the size
        self.register_buffer("directions", _orthogonal(size, count))

    def queries(self, given: torch.Tensor) -> torch.Tensor:
        """Less the largest exponent of each query, which cancels."""
        exponents = self._exponents(given)
        made: torch.Tensor = torch.exp(exponents - exponents.amax(-1, keepdim=True)) + _LEAST
        return made

    def keys(self, given: torch.Tensor) -> torch.Tensor:
        """Exponents are at most |w|^2 / 2, which float32 holds for heads of up to 128 numbers."""
        exponents = self._exponents(given)
        if not self._causal:
            exponents = exponents - exponents.amax((-2, -1), keepdim=True)
        return torch.exp(exponents) + _LEAST

    def _exponents(self, given: torch.Tensor) -> torch.Tensor:
        scaled: torch.Tensor = given * self._scale
        made: torch.Tensor = scaled @ self.directions.T - scaled.square().sum(-1, keepdim=True) / 2
        return made


def _orthogonal(size: int, count: int) -> torch.Tensor:
    """count x size: orthogonal in blocks of `size`, as long as normal vectors are."""
    blocks = torch.cat([_rotation(size) for _ in range(-(-count // size))])
    lengths: torch.Tensor = torch.randn(count, size).norm(dim=1, keepdim=True)
    return blocks[:count] * lengths


def _rotation(size: int) -> torch.Tensor:
    """Any, with the same probability.

    What QR gives prefers a side until R's diagonal is above zero (Mezzadri 2007), and the mean over features would not
    become the softmax.
    """
    rotation, upper = torch.linalg.qr(torch.randn(size, size))
    made: torch.Tensor = rotation * upper.diagonal().sign()
    return made
