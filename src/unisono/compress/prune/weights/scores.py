"""How much weights matter, by their size and by what they are multiplied with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from unisono.compress.context import Context
from unisono.compress.data import sample_of
from unisono.compress.modules.batches import Batches
from unisono.compress.modules.model import TorchModel
from unisono.spec.errors import InputError, ModelError
from unisono.spec.wording import listing, quoted

_BATCH_ROWS = 32


def magnitudes(model: TorchModel, names: Sequence[str]) -> dict[str, torch.Tensor]:
    """The absolute weights of some layers, by their names."""
    return {name: _weight(model.module, name).abs() for name in names}


def weighed(model: TorchModel, names: Sequence[str], rows: int, context: Context) -> dict[str, torch.Tensor]:
    """The absolute weights, times the norm of what each is multiplied by (Sun et al. 2023).

    Of a table: times the root of how often its entry is looked up, and once more, so that words which these rows do not
    have are not all of equal worth.

    rows: of the training part.

    Raises InputError for rows with NaN, ModelError for a layer that no row reaches.
    """
    squares = _squares(model, names, rows, context)
    found = {}
    for name in names:
        weight = _weight(model.module, name)
        found[name] = weight.abs() * squares[name].sqrt().reshape(_against(model.module.get_submodule(name), weight))
    return found


def _weight(module: nn.Module, name: str) -> torch.Tensor:
    return module.get_submodule(name).get_parameter("weight").detach()


def _against(layer: nn.Module, weight: torch.Tensor) -> tuple[int, ...]:
    """The shape in which norms of inputs stand against the weights."""
    if isinstance(layer, nn.Embedding):
        return (len(weight), 1)
    return (1, -1) + (1,) * (weight.ndim - 2)


def _squares(model: TorchModel, names: Sequence[str], rows: int, context: Context) -> dict[str, torch.Tensor]:
    """Summed over rows and places: of a layer the squares of each input, of a table how often an entry is looked up."""
    found: dict[str, torch.Tensor] = {}
    hooks = [model.module.get_submodule(name).register_forward_pre_hook(_watching(name, found)) for name in names]
    frame = sample_of(context.data.train, rows, context.seed)
    done = 0
    try:
        with torch.inference_mode():
            for batch in Batches(model, frame).in_order(_BATCH_ROWS):
                model.module(*batch.arguments)
                done += len(batch.rows)
                context.progress("looking at what weights are multiplied by", done, frame.height)
    finally:
        for hook in hooks:
            hook.remove()
    _refuse(found, names, model)
    return found


def _watching(name: str, found: dict[str, torch.Tensor]) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
    def watch(layer: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        seen = _lookups(layer, given[0]) if isinstance(layer, nn.Embedding) else _inputs(layer, given[0])
        found[name] = found[name] + seen if name in found else seen

    return watch


def _lookups(table: nn.Embedding, places: torch.Tensor) -> torch.Tensor:
    return torch.bincount(places.flatten(), minlength=table.num_embeddings).double() + 1 / _BATCH_ROWS


def _inputs(layer: nn.Module, given: torch.Tensor) -> torch.Tensor:
    channels = given.double() if isinstance(layer, nn.Linear) else given.double().movedim(1, -1)
    squares = channels.square().flatten(0, -2).sum(dim=0)
    groups = getattr(layer, "groups", 1)  # each filter sees the channels of its group; they share one norm a place
    return squares.reshape(groups, -1).sum(dim=0)


def _refuse(found: dict[str, torch.Tensor], names: Sequence[str], model: TorchModel) -> None:
    missing = [name for name in names if name not in found]
    if missing:
        raise ModelError(
            f"prune_weights: layer {quoted(missing[0])}: no row comes to it; allowed with the method wanda: layers "
            "that rows come to; exclude it, or take the method magnitude"
        )
    wrong = [name for name, squares in found.items() if not torch.isfinite(squares).all()]
    if wrong:
        raise InputError(
            f"calibration: layer {quoted(wrong[0])} is given NaN or infinity for rows of {listing(model.columns)}; "
            "allowed: numbers; fill them, or leave such rows out"
        )
