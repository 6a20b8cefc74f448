"""Content ids: equal for equal meaning, on every machine and in every process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import singledispatch
from hashlib import sha256

from unisono.spec.aggregations import Aggregation
from unisono.spec.durations import format_duration
from unisono.spec.frozen import Schema
from unisono.spec.predictor import Label, Predictor
from unisono.spec.project import Definitions
from unisono.spec.source import Source
from unisono.spec.transform import Transform, graph_of
from unisono.spec.view import FeatureView

Spec = Source | Transform | Aggregation | FeatureView | Label | Predictor | Definitions
Graphs = Mapping[str, bytes]
Content = dict[str, object]

_ID_LENGTH = 32  # 128 bits


def content_id(spec: Spec, graphs: Graphs | None = None) -> str:
    """32 hexadecimal digits that are equal if, and only if, two specs mean the same.

    spec:   a source, view, predictor, ...
    graphs: transform name -> bytes of its traced graph, for transforms that do not hold their own. What a transform
            means is its graph: renaming a variable in it changes nothing.

    The order of columns in a schema is no meaning; the order of windows, aggregations and views is, since it is the
    order of the answer. Raises DefinitionError if a transform has no graph.

    >>> from unisono.spec.types import Int64, String
    >>> one = Source("taps", {"user": String, "n": Int64}, event_time="at")
    >>> two = Source("taps", {"n": Int64, "user": String}, event_time="at")
    >>> content_id(one) == content_id(two)
    True
    """
    # ASCII only, sorted keys, no floats: there is one way to write it.
    canonical = json.dumps(_present(_content(spec, graphs or {})), sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode("ascii")).hexdigest()[:_ID_LENGTH]


def _present(content: object) -> object:
    """Without the fields that are None, so that a field added later leaves the ids of older specs as they are."""
    if isinstance(content, dict):
        return {name: _present(value) for name, value in content.items() if value is not None}
    return [_present(value) for value in content] if isinstance(content, list) else content


@singledispatch
def _content(spec: object, graphs: Graphs) -> Content:
    raise TypeError(f"{type(spec).__name__} is no part of a spec")


@_content.register
def _(spec: Source, graphs: Graphs) -> Content:
    return {
        "source": spec.name,
        "schema": _schema(spec.schema),
        "event_time": spec.event_time,
        "ingest_time": spec.ingest_time,
        "id": spec.id,
        "retraction": spec.retraction,
        "remember_ids": None if spec.remember_ids is None else format_duration(spec.remember_ids),
        "timezone": spec.timezone,
    }


@_content.register
def _(spec: Transform, graphs: Graphs) -> Content:
    return {"transform": sha256(graph_of(spec, graphs)).hexdigest()}


@_content.register
def _(spec: Aggregation, graphs: Graphs) -> Content:
    return {"aggregation": spec.kind, "column": spec.column}


@_content.register
def _(spec: FeatureView, graphs: Graphs) -> Content:
    return {
        "view": spec.name,
        "source": _content(spec.source, graphs),
        "key": list(spec.key),
        "aggregations": [_content(aggregation, graphs) for aggregation in spec.aggregations],
        "windows": list(spec.window_names),
        "derive": [_content(transform, graphs) for transform in spec.derive],
        "refresh": spec.refresh,
    }


@_content.register
def _(spec: Label, graphs: Graphs) -> Content:
    return {
        "label": spec.column,
        "source": _content(spec.source, graphs),
        "on": spec.on,
        "within": format_duration(spec.within),
        "derive": [_content(transform, graphs) for transform in spec.derive],
    }


@_content.register
def _(spec: Predictor, graphs: Graphs) -> Content:
    return {
        "predictor": spec.name,
        "request": _schema(spec.request),
        "time": spec.time,
        "features": [_content(view, graphs) for view in spec.features],
        "derive": [_content(transform, graphs) for transform in spec.derive],
        "label": None if spec.label is None else _content(spec.label, graphs),
    }


@_content.register
def _(spec: Definitions, graphs: Graphs) -> Content:
    return {
        "sources": {name: _content(source, graphs) for name, source in spec.sources.items()},
        "views": {name: _content(view, graphs) for name, view in spec.views.items()},
        "predictors": {name: _content(predictor, graphs) for name, predictor in spec.predictors.items()},
    }


def _schema(schema: Schema) -> Content:
    return {name: str(dtype) for name, dtype in schema.items()}
