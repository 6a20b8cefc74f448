"""A predictor: request, feature views, transforms and label; with a model it is what is deployed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from unisono.spec.faults import Faults
from unisono.spec.frozen import FrozenMapping, Schema, assign, listed
from unisono.spec.source import Source
from unisono.spec.transform import Transform
from unisono.spec.types import DType, Timestamp
from unisono.spec.view import KEY_DTYPES, FeatureView, check_source, check_transforms
from unisono.spec.wording import listing, quoted


@dataclass(frozen=True, slots=True, init=False)
class Label:
    """What turns out to be true: a column of a later event.

    source: the log in which the truth arrives.
    column: a column of the source, or one derived from it here or by one of the predictor's views.
    on:     the column of the source that says which request an event answers.
    within: how long after the request the event may come ("2d", timedelta); held as microseconds.
    derive: transforms of the source's columns.

    Raises DefinitionError with all faults.
    """

    source: Source
    column: str
    on: str
    within: int
    derive: tuple[Transform, ...]

    def __init__(
        self,
        source: Source,
        column: str,
        *,
        on: str,
        within: str | timedelta,
        derive: Transform | Sequence[Transform] = (),
    ) -> None:
        faults = Faults("label", column)
        columns = check_source(faults, source)
        if columns is not None:
            dtype = faults.column("on", on, columns, owner=f"source {source.name}")
            if dtype is not None and dtype.name not in KEY_DTYPES:
                seen = f'"{on}" is {dtype}'
                faults.add("on", seen, allowed=listing(KEY_DTYPES), step="match by an id column")
        duration = faults.duration("within", within)
        transforms = check_transforms(faults, listed(derive), (getattr(source, "name", "source"),))
        faults.raise_if_any()
        assign(self, source=source, column=column, on=on, within=duration, derive=transforms)


@dataclass(frozen=True, slots=True, init=False)
class Predictor:
    """What answers a request: its columns, the features of its keys at its time, and what is derived from both.

    name:     names the predictor in commands, addresses and stores.
    request:  column name -> dtype: what a caller sends.
    time:     the request's own time, a Timestamp column; need not be in `request`.
    features: views whose key columns are columns of the request.
    derive:   transforms of `request` and `features`.
    label:    what turns out to be true; None: there is none to train on.

    Raises DefinitionError with all faults.
    """

    name: str
    request: Schema
    time: str
    features: tuple[FeatureView, ...]
    derive: tuple[Transform, ...]
    label: Label | None

    def __init__(
        self,
        name: str,
        *,
        request: Mapping[str, DType],
        time: str,
        features: FeatureView | Sequence[FeatureView],
        derive: Transform | Sequence[Transform] = (),
        label: Label | None = None,
    ) -> None:
        faults = Faults("predictor", name)
        schema = faults.schema("request", request)
        columns = _check_time(faults, time, schema)
        views = _check_views(faults, listed(features), columns)
        transforms = check_transforms(faults, listed(derive), ("request", "features"))
        if not request and not listed(features):
            step = "name request columns or features"
            faults.add("request", "no columns, and no features", allowed="one or the other", step=step)
        truth = _check_label(faults, label, columns, views)
        faults.extend(clashes(_sources(views, truth), owner=f"predictor {name}"))
        faults.extend(clashes(_transforms(views, truth, transforms), owner=f"predictor {name}"))
        faults.raise_if_any()
        assign(self, name=name, request=schema, time=time, features=views, derive=transforms, label=truth)

    @property
    def columns(self) -> Schema:
        """Every column of a request with its dtype: `request`, then `time` if it is not among them."""
        return Schema({**self.request, self.time: Timestamp})

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of its features, view by view."""
        return tuple(name for view in self.features for name in view.feature_names)

    @property
    def sources(self) -> FrozenMapping[Source]:
        """Every source that its features or its label come from, by name."""
        return FrozenMapping({source.name: source for source in _sources(self.features, self.label)})

    @property
    def transforms(self) -> FrozenMapping[Transform]:
        """Every transform of its views, its label and its own, by name."""
        own = _transforms(self.features, self.label, self.derive)
        return FrozenMapping({transform.name: transform for transform in own})


def clashes(things: Iterable[Source | Transform | FeatureView | Predictor], *, owner: str) -> list[str]:
    """A fault for each name that two different things of one kind have."""
    seen: dict[str, object] = {}
    lines = []
    for thing in things:
        if seen.setdefault(thing.name, thing) != thing:
            kind = _KINDS[type(thing)]
            lines.append(
                f"{owner}: {kind} {thing.name}: two different {kind}s of this name; allowed: one; rename one of them"
            )
    return lines


def _sources(views: Iterable[FeatureView], label: Label | None) -> list[Source]:
    return [view.source for view in views] + ([label.source] if label else [])


def _transforms(views: Iterable[FeatureView], label: Label | None, derive: Iterable[Transform]) -> list[Transform]:
    of_views = [transform for view in views for transform in view.derive]
    return [*of_views, *(label.derive if label else ()), *derive]


def _check_time(faults: Faults, time: object, schema: Schema) -> Schema:
    name = faults.name("time", time)
    if name is None:
        return schema
    if name in schema and schema[name] != Timestamp:
        step = "make it a Timestamp, or leave it out of request"
        faults.add("time", f'"{name}" is {schema[name]} in the request', allowed="Timestamp", step=step)
    return Schema({**schema, name: Timestamp})


def _check_views(faults: Faults, features: tuple[object, ...], columns: Schema) -> tuple[FeatureView, ...]:
    views: dict[str, FeatureView] = {}
    for index, view in enumerate(features):
        path = f"features[{index}]"
        if not isinstance(view, FeatureView):
            step = "pass the FeatureView itself"
            faults.add(path, f"{quoted(view)} is not a view", allowed="FeatureView", step=step)
            continue
        if view.name in views:
            step = "rename one, or list it once"
            faults.add(path, f"a second view {view.name}", allowed="one of each name", step=step)
        views[view.name] = view
        for column in view.key:
            _check_key_column(faults, f"{path} {view.name}: key", view.source.columns[column], column, columns)
    return tuple(views.values())


def _check_key_column(faults: Faults, path: str, wanted: DType, column: str, columns: Schema) -> None:
    if column not in columns:
        step = f'add "{column}": unisono.{wanted} to request'
        faults.add(path, f'"{column}" is not in the request', allowed=listing(columns), step=step)
    elif columns[column] != wanted:
        step = "give both one dtype"
        seen = f'"{column}" is {columns[column]} in the request and {wanted} in the source'
        faults.add(path, seen, allowed=str(wanted), step=step)


def _check_label(faults: Faults, label: object, columns: Schema, views: tuple[FeatureView, ...]) -> Label | None:
    if label is None:
        return None
    if not isinstance(label, Label):
        step = "write unisono.Label(source, column, on=..., within=...)"
        faults.add("label", f"{quoted(label)} is not a label", allowed="Label", step=step)
        return None
    derived = bool(label.derive) or any(view.derive for view in views if view.source == label.source)
    if not derived:
        faults.column("label", label.column, label.source.columns, owner=f"source {label.source.name}")
    if label.column in columns:
        step = "rename the request's column"
        seen = f'"{label.column}" is a column of the request too'
        faults.add("label", seen, allowed="a name of its own in the training frame", step=step)
    if label.on in columns and columns[label.on] != label.source.columns[label.on]:
        seen = f'"{label.on}" is {columns[label.on]} in the request'
        allowed = f"{label.source.columns[label.on]}, as in source {label.source.name}"
        faults.add("label: on", seen, allowed=allowed, step="give both one dtype")
    return label


_KINDS = {Source: "source", Transform: "transform", FeatureView: "view", Predictor: "predictor"}
