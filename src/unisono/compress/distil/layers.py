"""A student with some of its teacher's layers."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np
from torch import nn

from unisono.spec.errors import ModelError
from unisono.spec.wording import listing


def blocks_of(module: nn.Module) -> nn.ModuleList | None:
    """The layers of a transformer: its longest list of modules of one class; None if it has no such."""
    lists = [one for one in module.modules() if isinstance(one, nn.ModuleList)]
    alike = [one for one in lists if len({type(layer) for layer in one}) == 1]
    return max(alike, key=len, default=None)


def chosen_layers(layers: int | Sequence[int], depth: int) -> tuple[int, ...]:
    """Which of a teacher's layers a student gets.

    layers: how many, the first and the last among them and the rest evenly between, as in DistilBERT (Sanh, Debut,
            Chaumond, Wolf 2019); or their places, counted from 0.
    depth:  layers of the teacher.

    Raises ModelError for places that are not there, or for all of them.

    >>> chosen_layers(6, 12)
    (0, 2, 4, 7, 9, 11)
    """
    if isinstance(layers, int):
        places = [0] if layers == 1 else np.linspace(0, depth - 1, layers).round().astype(int).tolist()
    else:
        places = list(layers)
    if not 0 < len(places) < depth or sorted({*places}) != places or not 0 <= places[0] <= places[-1] < depth:
        seen = layers if isinstance(layers, int) else listing(str(one) for one in layers)
        raise ModelError(
            f"distil: layers {seen} of a teacher with {depth}; allowed: 1 to {depth - 1}, or rising places from 0 to "
            f"{depth - 1}, not all of them; correct it"
        )
    return tuple(places)


def stands_for(places: Sequence[int], depth: int) -> tuple[int, ...]:
    """The teacher's layer after which each of a student's layers should have got as far: it does the work of its own
    and of those that were dropped behind it.

    >>> stands_for((0, 2, 5), 6)
    (1, 4, 5)
    """
    return (*(after - 1 for _, after in pairwise(places)), depth - 1)


def spread(own: int, depth: int) -> tuple[int, ...]:
    """The teacher's layer after which each layer of a student that was not cut out of it should have got as far.

    >>> spread(3, 6)
    (1, 3, 5)
    """
    return tuple(max(round((place + 1) * depth / own) - 1, 0) for place in range(own))


def with_layers(module: nn.Module, places: Sequence[int]) -> nn.Module:
    """A copy of a transformer with some of its layers; embeddings and head stay, and so do the weights."""
    student = deepcopy(module)
    blocks = blocks_of(student)
    assert blocks is not None
    kept = nn.ModuleList([blocks[place] for place in places])
    for parent in student.modules():
        for name, child in parent.named_children():
            if child is blocks:
                setattr(parent, name, kept)
    for part in student.modules():
        config: Any = getattr(part, "config", None)
        if getattr(config, "num_hidden_layers", None) is not None:
            config.num_hidden_layers = len(places)
    return student
