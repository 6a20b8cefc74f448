"""What is known of a module's layers before ranks are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Self

from torch import nn

from unisono.compress.context import Context
from unisono.compress.data import sample_of
from unisono.compress.low_rank.calibration import seen_by
from unisono.compress.low_rank.factors import Spectrum, Way, way_of
from unisono.compress.low_rank.step import LowRank
from unisono.compress.modules.model import TorchModel
from unisono.compress.modules.replacing import layers_of, refuse_unknown
from unisono.spec.errors import ModelError
from unisono.spec.wording import quoted


@dataclass(frozen=True, slots=True)
class Plan:
    """The layers that can be made of two, and those that cannot.

    ways:       name -> how it is made of two.
    ranks:      name -> rank, where that was said.
    left_alone: name -> why.
    spectra:    name -> its directions.
    shapes:     name -> shape of what one row gives it, of the last row that was seen; empty if none was looked at.
    """

    ways: Mapping[str, Way]
    ranks: Mapping[str, int]
    left_alone: Mapping[str, str]
    spectra: Mapping[str, Spectrum]
    shapes: Mapping[str, tuple[int, ...]]

    def choices(self, multiple: int) -> dict[str, list[int]]:
        """The ranks that a layer can have: the one that was said, or all that save something."""
        return {
            name: [self.ranks[name]] if name in self.ranks else [*range(multiple, way.highest + 1, multiple)]
            for name, way in self.ways.items()
        }

    def without(self, names: Mapping[str, str]) -> Self:
        """The same but for some layers: name -> why."""
        return replace(
            self,
            ways={name: way for name, way in self.ways.items() if name not in names},
            left_alone={**self.left_alone, **names},
        )


def planned(model: TorchModel, step: LowRank, context: Context) -> Plan:
    """The layers that a step means. Raises ModelError and InputError: see `LowRank`."""
    ways, left_alone = _ways(model.module, step)
    ranks = _said(step.ranks, ways, left_alone)
    if ranks and not step.budgets:
        ways = {name: ways[name] for name in ranks}
    plan = Plan(ways, ranks, left_alone, {}, {})
    plan = plan.without(
        {
            name: f"no multiple of {step.multiple} up to {ways[name].highest} saves anything"
            for name, one in plan.choices(step.multiple).items()
            if not one
        }
    )
    if step.method == "svd" and step.speedup is None:
        return replace(plan, spectra={name: way.spectrum(None) for name, way in plan.ways.items()})
    return _looked_at(plan, model, step, context)


def _looked_at(plan: Plan, model: TorchModel, step: LowRank, context: Context) -> Plan:
    """With what the layers make of some rows."""
    rows = sample_of(context.data.train, step.rows, context.seed)
    seen = seen_by(model, plan.ways, rows, context.progress)
    shapes = {name: one.shape for name, one in seen.items() if one.shape is not None}
    met = plan.without({name: "no row comes to it" for name in plan.ways if name not in shapes})
    spectra = {}
    for place, (name, way) in enumerate(met.ways.items()):
        context.progress("finding directions", place, len(met.ways))
        spectra[name] = way.spectrum(seen[name].moments if step.method == "whitened" else None)
    return replace(met, spectra=spectra, shapes=shapes)


def _ways(module: nn.Module, step: LowRank) -> tuple[dict[str, Way], dict[str, str]]:
    layers = layers_of(module, (nn.Linear, nn.Conv2d), include=step.include, exclude=step.exclude)
    ways: dict[str, Way] = {}
    left_alone = dict(layers.left_alone)
    for name, layer in layers.chosen.items():
        way = way_of(layer, step.convolutions)
        if isinstance(way, str):
            left_alone[name] = way
        else:
            ways[name] = way
    return ways, left_alone


def _said(said: Mapping[str, int], ways: Mapping[str, Way], left_alone: Mapping[str, str]) -> dict[str, int]:
    """The ranks that patterns say, by layer; the last pattern that fits decides."""
    found: dict[str, int] = {}
    for pattern, rank in said.items():
        refuse_unknown(pattern, [*ways, *left_alone])
        if pattern in left_alone:
            raise ModelError(
                f"low_rank: layer {quoted(pattern)}: {left_alone[pattern]}; allowed: layers that can be made of two; "
                "take it out of ranks"
            )
        found.update({name: rank for name in ways if fnmatchcase(name, pattern)})
    for name, rank in found.items():
        if rank > ways[name].highest:
            raise _saves_nothing(name, ways[name], rank)
    return found


def _saves_nothing(name: str, way: Way, rank: int) -> ModelError:
    seen = f"rank {rank} needs {way.parameters(rank):,} parameters, and the layer has {way.whole:,}"
    allowed = f"1 to {way.highest}" if way.highest else "none, since it is too small"
    return ModelError(
        f"low_rank: layer {quoted(name)}: {seen}, so it saves nothing; allowed: {allowed}; lower it in ranks, or "
        "exclude the layer"
    )
