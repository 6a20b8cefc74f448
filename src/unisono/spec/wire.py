"""The spec as JSON has it: what may be in a document, and how large. Things refer to each other by name.

Format 1 is read and written by unisono 0.1.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

FORMAT = 1
MAX_BYTES = 64 * 2**20
MAX_GRAPH_BYTES = 16 * 2**20
MAX_ITEMS = 10_000

Text = Annotated[str, Meta(max_length=100)]
Texts = Annotated[list[Text], Meta(max_length=MAX_ITEMS)]
Columns = Annotated[dict[Text, Text], Meta(max_length=MAX_ITEMS)]
Graph = Annotated[bytes, Meta(max_length=MAX_GRAPH_BYTES)]


class Header(Struct, frozen=True):
    """Read first, so that a document of a later format is called that, and not full of unknown fields."""

    format: int


class SourceJson(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A source."""

    name: Text
    schema: Columns
    event_time: Text
    ingest_time: Text | None = None
    id: Text | None = None
    retraction: Text | None = None
    remember_ids: Text | None = None
    timezone: Text | None = None


class TransformJson(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A transform; its graph is base64."""

    name: Text
    inputs: Texts
    graph: Graph


class AggregationJson(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An aggregation."""

    kind: Text
    column: Text | None = None


class ViewJson(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A feature view; a window is null for all of history."""

    name: Text
    source: Text
    key: Texts
    aggregations: Annotated[list[AggregationJson], Meta(max_length=MAX_ITEMS)]
    windows: Annotated[list[Text | None], Meta(max_length=MAX_ITEMS)]
    derive: Texts = []
    refresh: Text = "stream"


class LabelJson(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A label."""

    source: Text
    column: Text
    on: Text
    within: Text
    derive: Texts = []


class PredictorJson(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A predictor."""

    name: Text
    request: Columns
    time: Text
    features: Texts
    derive: Texts = []
    label: LabelJson | None = None


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """One predictor with all it needs, or the definitions of a project."""

    format: int
    kind: Literal["predictor", "definitions"]
    sources: Annotated[list[SourceJson], Meta(max_length=MAX_ITEMS)]
    transforms: Annotated[list[TransformJson], Meta(max_length=MAX_ITEMS)]
    views: Annotated[list[ViewJson], Meta(max_length=MAX_ITEMS)]
    predictors: Annotated[list[PredictorJson], Meta(max_length=MAX_ITEMS)]
