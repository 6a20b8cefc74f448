"""What layers make of rows that were seen: moments of their answers before the bias."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl
import torch
from torch import nn

from unisono.compress.low_rank.factors import Moments, Way
from unisono.compress.modules.batches import Batch, Batches
from unisono.compress.modules.model import TorchModel
from unisono.spec.errors import InputError
from unisono.spec.progress import Progress
from unisono.spec.wording import listing, quoted

_BATCH_ROWS = 32


@dataclass(slots=True)
class Seen:
    """Of one layer.

    moments: of what it makes.
    shape:   of what it was given last, without the batch's axis; None: no row came to it.
    """

    moments: Moments
    shape: tuple[int, ...] | None = None


def seen_by(model: TorchModel, ways: Mapping[str, Way], frame: pl.DataFrame, progress: Progress) -> dict[str, Seen]:
    """What some layers make of the rows of a frame, by their names.

    Raises InputError for rows with NaN or infinity.
    """
    found = {name: Seen(Moments()) for name in ways}
    hooks = [
        model.module.get_submodule(name).register_forward_pre_hook(_watching(way, found[name]))
        for name, way in ways.items()
    ]
    done = 0
    try:
        with torch.inference_mode():
            for batch in Batches(model, frame).in_order(_BATCH_ROWS):
                _refuse_no_numbers(batch, model)
                model.module(*batch.arguments)
                done += len(batch.rows)
                progress("looking at what layers make of rows", done, frame.height)
    finally:
        for hook in hooks:
            hook.remove()
    _refuse_overflow(found)
    return found


def _watching(way: Way, seen: Seen) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
    def watch(layer: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        seen.moments.add(way.seen(given[0]))
        seen.shape = tuple(given[0].shape[1:])

    return watch


def _refuse_no_numbers(batch: Batch, model: TorchModel) -> None:
    wrong = [one for one in batch.arguments if one.is_floating_point() and not torch.isfinite(one).all()]
    if wrong:
        rows = (~torch.isfinite(wrong[0]).flatten(1)).any(dim=1)
        raise InputError(
            f"calibration: NaN, null or infinity in {int(rows.sum())} of {len(rows)} rows of {listing(model.columns)}; "
            "allowed: numbers; fill them, or leave such rows out"
        )


def _refuse_overflow(found: Mapping[str, Seen]) -> None:
    wrong = [name for name, seen in found.items() if seen.moments.count and not seen.moments.is_finite()]
    if wrong:
        raise InputError(
            f"calibration: layer {quoted(wrong[0])} makes NaN or infinity of the rows; allowed: numbers; exclude the "
            "layer, or look for huge numbers among the rows"
        )
