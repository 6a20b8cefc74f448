"""Everything a project defines, by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from unisono.spec.errors import DefinitionError
from unisono.spec.frozen import FrozenMapping, assign
from unisono.spec.predictor import Predictor, clashes
from unisono.spec.source import Source
from unisono.spec.transform import Transform
from unisono.spec.view import FeatureView
from unisono.spec.wording import quoted

T = TypeVar("T", Source, Transform, FeatureView, Predictor)


@dataclass(frozen=True, slots=True, init=False)
class Definitions:
    """The sources, views and predictors of a project, by name.

    What a predictor or a view needs is taken in with it, so `Definitions(predictors=[delay])` is whole.
    Raises DefinitionError with all faults, e.g. two different views of one name.
    """

    sources: FrozenMapping[Source]
    views: FrozenMapping[FeatureView]
    predictors: FrozenMapping[Predictor]

    def __init__(
        self,
        sources: Iterable[Source] = (),
        views: Iterable[FeatureView] = (),
        predictors: Iterable[Predictor] = (),
    ) -> None:
        given = (tuple(sources), tuple(views), tuple(predictors))
        problems = [line for things, kind in zip(given, _KINDS, strict=True) for line in _strangers(things, kind)]
        if problems:
            raise DefinitionError(problems)
        all_sources, all_views = _reachable(*given)
        problems = validate(all_sources, all_views, given[2])
        if problems:
            raise DefinitionError(problems)
        assign(self, sources=_by_name(all_sources), views=_by_name(all_views), predictors=_by_name(given[2]))

    @property
    def transforms(self) -> FrozenMapping[Transform]:
        """Every transform of its views, labels and predictors, by name."""
        return _by_name(_transforms(tuple(self.views.values()), tuple(self.predictors.values())))


def validate(sources: Iterable[Source], views: Iterable[FeatureView], predictors: Iterable[Predictor]) -> list[str]:
    """The faults that lie between objects, each of which is sound: names that two different things have."""
    predictors = tuple(predictors)
    views = tuple(views)
    lines: list[str] = []
    for things in (sources, views, predictors, _transforms(views, predictors)):
        lines.extend(clashes(things, owner="project"))
    return lines


def _transforms(views: tuple[FeatureView, ...], predictors: tuple[Predictor, ...]) -> list[Transform]:
    of_views = [transform for view in views for transform in view.derive]
    return of_views + [transform for predictor in predictors for transform in predictor.transforms.values()]


_KINDS = (Source, FeatureView, Predictor)


def _strangers(things: tuple[object, ...], kind: type) -> list[str]:
    return [
        f"project: {quoted(thing)} is not a {kind.__name__}; allowed: {kind.__name__}; pass the object itself"
        for thing in things
        if not isinstance(thing, kind)
    ]


def _reachable(
    sources: tuple[Source, ...], views: tuple[FeatureView, ...], predictors: tuple[Predictor, ...]
) -> tuple[list[Source], list[FeatureView]]:
    all_views = [*views, *(view for predictor in predictors for view in predictor.features)]
    of_views = [view.source for view in all_views]
    of_labels = [predictor.label.source for predictor in predictors if predictor.label]
    return [*sources, *of_views, *of_labels], all_views


def _by_name(things: Iterable[T]) -> FrozenMapping[T]:
    return FrozenMapping({thing.name: thing for thing in things})
