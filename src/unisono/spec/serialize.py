"""Specs to JSON and back, without running anybody's code: transforms travel as their traced graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from unisono.spec.aggregations import Aggregation
from unisono.spec.durations import format_duration
from unisono.spec.errors import DefinitionError
from unisono.spec.frozen import Schema
from unisono.spec.predictor import Label, Predictor
from unisono.spec.project import Definitions
from unisono.spec.source import Source
from unisono.spec.transform import Transform, graph_of
from unisono.spec.types import DType, parse_dtype
from unisono.spec.view import ALL_OF_HISTORY, FeatureView
from unisono.spec.wire import (
    FORMAT,
    MAX_BYTES,
    AggregationJson,
    Document,
    Header,
    LabelJson,
    PredictorJson,
    SourceJson,
    TransformJson,
    ViewJson,
)
from unisono.spec.wording import did_you_mean, listing, one_line, quoted


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Json = TypeVar("Json", bound=_Named)
Built = TypeVar("Built")

_HEADER = msgspec.json.Decoder(Header)
_DOCUMENT = msgspec.json.Decoder(Document)


def to_json(spec: Definitions | Predictor, graphs: Mapping[str, bytes] | None = None) -> bytes:
    """A predictor, or the definitions of a project, as a JSON document that from_json reads.

    graphs: transform name -> bytes of its traced graph, for transforms that do not hold their own.

    Raises DefinitionError if a transform has no graph, or the document would be too large to be read again.
    """
    whole = Definitions(predictors=[spec]) if isinstance(spec, Predictor) else spec
    document = Document(
        format=FORMAT,
        kind="predictor" if isinstance(spec, Predictor) else "definitions",
        sources=[_source_json(source) for source in whole.sources.values()],
        transforms=[_transform_json(transform, graphs or {}) for transform in whole.transforms.values()],
        views=[_view_json(view) for view in whole.views.values()],
        predictors=[_predictor_json(predictor) for predictor in whole.predictors.values()],
    )
    data = msgspec.json.encode(document)
    _decode(data)  # what is written can be read
    return data


def from_json(data: bytes) -> Definitions | Predictor:
    """What to_json wrote: the same objects with the same content ids; transforms hold graphs, and no function.

    data: at most 64 MiB of JSON; unknown fields are refused, and every object is checked as if it were written by hand.

    Raises DefinitionError with what is wrong and where.
    """
    document = _decode(data)
    sources = _build("source", document.sources, _source)
    transforms = _build("transform", document.transforms, _transform)
    views = _build("view", document.views, lambda view: _view(view, sources, transforms))
    predictors = _build("predictor", document.predictors, lambda one: _predictor(one, sources, views, transforms))
    if document.kind == "definitions":
        return Definitions(sources.values(), views.values(), predictors.values())
    if len(predictors) != 1:
        raise DefinitionError(
            f"spec JSON: predictors: {len(predictors)} of them; allowed: one, as its kind is predictor; write it again"
        )
    return next(iter(predictors.values()))


def _decode(data: bytes) -> Document:
    if len(data) > MAX_BYTES:
        raise DefinitionError(
            f"spec JSON: {len(data)} bytes; allowed: at most {MAX_BYTES}; are the graphs of transforms so large?"
        )
    try:
        header = _HEADER.decode(data)
        if header.format != FORMAT:
            raise DefinitionError(
                f"spec JSON: format: {header.format}; allowed: {FORMAT}; read it with the unisono that wrote it"
            )
        return _DOCUMENT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DefinitionError(
            f"spec JSON: {one_line(error)}; allowed: a document of format {FORMAT} as to_json writes it; write it again"
        ) from error


def _source_json(source: Source) -> SourceJson:
    return SourceJson(
        name=source.name,
        schema=_columns_json(source.schema),
        event_time=source.event_time,
        ingest_time=source.ingest_time,
        id=source.id,
        retraction=source.retraction,
        remember_ids=None if source.remember_ids is None else format_duration(source.remember_ids),
        timezone=source.timezone,
    )


def _transform_json(transform: Transform, graphs: Mapping[str, bytes]) -> TransformJson:
    return TransformJson(name=transform.name, inputs=list(transform.inputs), graph=graph_of(transform, graphs))


def _view_json(view: FeatureView) -> ViewJson:
    return ViewJson(
        name=view.name,
        source=view.source.name,
        key=list(view.key),
        aggregations=[AggregationJson(kind=one.kind, column=one.column) for one in view.aggregations],
        windows=[None if name == ALL_OF_HISTORY else name for name in view.window_names],
        derive=_names(view.derive),
        refresh=view.refresh,
    )


def _predictor_json(predictor: Predictor) -> PredictorJson:
    return PredictorJson(
        name=predictor.name,
        request=_columns_json(predictor.request),
        time=predictor.time,
        features=_names(predictor.features),
        derive=_names(predictor.derive),
        label=None if predictor.label is None else _label_json(predictor.label),
    )


def _label_json(label: Label) -> LabelJson:
    return LabelJson(
        source=label.source.name,
        column=label.column,
        on=label.on,
        within=format_duration(label.within),
        derive=_names(label.derive),
    )


def _columns_json(schema: Schema) -> dict[str, str]:
    return {name: str(dtype) for name, dtype in schema.items()}


def _names(things: Iterable[_Named]) -> list[str]:
    return [thing.name for thing in things]


def _build(kind: str, items: Sequence[Json], make: Callable[[Json], Built]) -> dict[str, Built]:
    """What `make` makes of each item, by name; raises the faults of all of them together."""
    built: dict[str, Built] = {}
    problems: list[str] = []
    for item in items:
        if item.name in built:
            problems.append(f"spec JSON: {kind} {item.name}: comes twice; allowed: once; write the document again")
        try:
            built[item.name] = make(item)
        except DefinitionError as error:
            problems.extend(error.problems)
    if problems:
        raise DefinitionError(problems)
    return built


def _source(item: SourceJson) -> Source:
    return Source(
        item.name,
        _columns(item.schema),
        event_time=item.event_time,
        ingest_time=item.ingest_time,
        id=item.id,
        retraction=item.retraction,
        remember_ids=item.remember_ids,
        timezone=item.timezone,
    )


def _transform(item: TransformJson) -> Transform:
    return Transform(item.name, inputs=tuple(item.inputs), graph=item.graph)


def _view(item: ViewJson, sources: Mapping[str, Source], transforms: Mapping[str, Transform]) -> FeatureView:
    return FeatureView(
        item.name,
        _find(f"view {item.name}: source", item.source, sources),
        key=item.key,
        aggregations=[Aggregation(one.kind, one.column) for one in item.aggregations],
        windows=item.windows,
        derive=[_find(f"view {item.name}: derive", name, transforms) for name in item.derive],
        refresh=item.refresh,
    )


def _predictor(
    item: PredictorJson,
    sources: Mapping[str, Source],
    views: Mapping[str, FeatureView],
    transforms: Mapping[str, Transform],
) -> Predictor:
    place = f"predictor {item.name}"
    return Predictor(
        item.name,
        request=_columns(item.request),
        time=item.time,
        features=[_find(f"{place}: features", name, views) for name in item.features],
        derive=[_find(f"{place}: derive", name, transforms) for name in item.derive],
        label=None if item.label is None else _label(place, item.label, sources, transforms),
    )


def _label(place: str, item: LabelJson, sources: Mapping[str, Source], transforms: Mapping[str, Transform]) -> Label:
    return Label(
        _find(f"{place}: label: source", item.source, sources),
        item.column,
        on=item.on,
        within=item.within,
        derive=[_find(f"{place}: label: derive", name, transforms) for name in item.derive],
    )


def _columns(columns: Mapping[str, str]) -> dict[str, DType]:
    return {name: parse_dtype(text) for name, text in columns.items()}


def _find(path: str, name: str, things: Mapping[str, Built]) -> Built:
    if name not in things:
        step = did_you_mean(name, things)
        seen = f"{quoted(name)} is not in the document"
        raise DefinitionError(f"spec JSON: {path}: {seen}; allowed: {listing(things)}; {step}")
    return things[name]
