"""How much a model's answers suffer from what a layer loses: measured, one layer after the other."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import polars as pl
import torch
from torch.nn import functional

from unisono.compress.low_rank.factors import Spectrum, Way
from unisono.compress.modules.model import TorchModel, answers
from unisono.compress.modules.replacing import replace_layer
from unisono.spec.progress import Progress

_SMALLEST = 1e-12  # share of a layer's energy: whoever loses less cannot be measured by it


def sensitivities(
    model: TorchModel,
    ways: Mapping[str, Way],
    spectra: Mapping[str, Spectrum],
    probes: Mapping[str, int],
    frame: pl.DataFrame,
    progress: Progress,
) -> dict[str, float]:
    """How far the answers move for the whole of a layer's energy, by layer.

    A small error moves them by a divergence that grows with the error's square, which is the energy that is lost: one
    rank is tried for each layer, and the rest follows.

    probes: the rank that each layer is tried with.
    frame:  the rows that are asked.
    """
    tried = model.with_module(deepcopy(model.module))
    known = torch.from_numpy(answers(model, frame))
    found = {}
    for place, (name, way) in enumerate(ways.items()):
        progress("measuring what layers matter", place, len(ways))
        layer = tried.module.get_submodule(name)
        replace_layer(tried.module, name, way.build(probes[name], spectra[name]))
        moved = divergence(known, torch.from_numpy(answers(tried, frame)))
        replace_layer(tried.module, name, layer)
        found[name] = moved / max(float(spectra[name].lost[probes[name]]), _SMALLEST)
    return found


def divergence(known: torch.Tensor, said: torch.Tensor) -> float:
    """How far some scores are from others: of probabilities, or the squared error in shares of the variance."""
    if known.shape[1] == 1:
        return float(functional.mse_loss(said, known) / known.var(correction=0).clamp(min=_SMALLEST))
    wanted, soft = (functional.log_softmax(scores.double(), dim=1) for scores in (known, said))
    return float(functional.kl_div(soft, wanted, log_target=True, reduction="batchmean").clamp(min=0.0))
