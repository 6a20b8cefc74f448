"""The model that a recipe works on, as it is between two steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from unisono.compress.kinds import Kind
from unisono.models import ImportedModel
from unisono.spec.errors import ModelError

if TYPE_CHECKING:
    from unisono.compress.modules.model import TorchModel


@dataclass(frozen=True, slots=True)
class Subject:
    """A model between two steps; exactly one of the three is there.

    torch:    a module with what feeds it.
    ensemble: what an importer takes, of scikit-learn or LightGBM.
    graph:    the model's graph.
    columns:  the columns of an ensemble in training order, if it does not know their names.
    notes:    what steps found out on the way, by the name of the step, for the report: ranks, bits, temperatures.
    """

    torch: TorchModel | None = None
    ensemble: Any = None
    graph: ImportedModel | None = None
    columns: tuple[str, ...] | None = None
    notes: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """Which of the three it is."""
        if self.torch is not None:
            return "torch"
        return "graph" if self.graph is not None else "ensemble"

    def module(self) -> TorchModel:
        """Its module. Raises ModelError if it is something else, which the order of a recipe's steps rules out."""
        if self.torch is None:
            raise ModelError(f"recipe: a {self.kind}; allowed: a module of torch; report it with the recipe")
        return self.torch

    def imported(self) -> ImportedModel:
        """Its graph. Raises ModelError if it is something else, which the order of a recipe's steps rules out."""
        if self.graph is None:
            raise ModelError(f"recipe: a {self.kind}; allowed: a graph; report it with the recipe")
        return self.graph

    def with_torch(self, model: TorchModel) -> Self:
        """The same with another module."""
        return replace(self, torch=model, ensemble=None, graph=None)

    def with_ensemble(self, model: Any, columns: tuple[str, ...] | None = None) -> Self:
        """The same with another ensemble."""
        return replace(self, torch=None, ensemble=model, graph=None, columns=columns)

    def with_graph(self, graph: ImportedModel) -> Self:
        """The same with another graph."""
        return replace(self, torch=None, ensemble=None, graph=graph)

    def noting(self, step: str, **found: object) -> Self:
        """The same with more notes of a step; they must be what JSON can hold."""
        return replace(self, notes={**self.notes, step: {**self.notes.get(step, {}), **found}})
