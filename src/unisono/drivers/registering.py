"""A fitted model becomes a version: imported into one graph, verified against the model, kept with golden rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from unisono.drivers.lineage import lineage_json, lineage_of
from unisono.drivers.predictors import ReadyPredictor
from unisono.models import (
    GoldenRows,
    ImportedModel,
    Passport,
    PredictorGraph,
    Session,
    Verification,
    build_graph,
    choose_golden,
    import_model,
    make_passport,
    verify_with_edges,
)
from unisono.models.metrics import FORMAT, MetricsJson, given_metrics, metrics_json, metrics_of
from unisono.spec.active import Version
from unisono.spec.progress import Progress, no_progress
from unisono.spec.serialize import to_json
from unisono.spec.types import Tensor
from unisono.store.artifacts import Artifact, make_artifact
from unisono.store.registry import CHAMPION, Registry

_GOLDEN_OF_SAMPLE, _GOLDEN_OF_EDGES = 48, 16
_GOLDEN_NUMBERS = 1 << 20  # of tensor columns in all golden rows, which are kept as text


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms a model is registered.

    columns: the model's inputs in the order it was fitted with, if it does not know their names.
    bound:   largest difference between graph and model that is accepted; None: what is usual for such a graph.
    metrics: the user's own, by name.
    key:     content of the PEM file of a private key that signs the artifact; None: it is not signed.
    alias:   that the version gets; None: none, so that nothing changes for those who ask.
    by:      who registers it; None: the login name.
    why:     is kept in the history.
    """

    columns: Sequence[str] | None = None
    bound: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    key: bytes | None = field(default=None, repr=False)
    alias: str | None = CHAMPION
    by: str | None = None
    why: str = ""


USUAL = Terms()


@dataclass(frozen=True, slots=True)
class Registered:
    """A model that was registered.

    version:      which it is.
    alias:        that it has from now on, or None.
    verification: how near its graph is to the fitted model.
    passport:     what is promised of other machines.
    metrics:      how good it is on the rows of the sample whose truth is known.
    signed_by:    fingerprints of the keys that signed it.
    """

    version: Version
    alias: str | None
    verification: Verification
    passport: Passport
    metrics: MetricsJson
    signed_by: tuple[str, ...]

    def __str__(self) -> str:
        """In one line."""
        found, version = self.verification, self.version
        near = "bit for bit the fitted model" if found.is_equal else f"within {found.max_gap:.2g} of the fitted model"
        machines = found.machines
        class_ = "exact" if machines.numeric_class == "exact" else f"bounded by {machines.bound:.2g}"
        alias = "" if self.alias is None else f", {self.alias}"
        return f"{version.predictor} {version.id[:12]}{alias}: {near} on {found.rows + found.edges:,} rows; {class_}"


def register(
    ready: ReadyPredictor,
    registry: Registry,
    model: object,
    *,
    sample: pl.DataFrame,
    terms: Terms = USUAL,
    folder: Path | None = None,
    progress: Progress = no_progress,
) -> Registered:
    """Import, verify, keep, and let answer; see `Project.register`. Nothing is kept of a model that is refused.

    folder: of the project, whose commit the lineage names.
    """
    given = given_metrics(terms.metrics)
    _check_key(terms.key)
    progress("importing", 0, None)
    imported = import_model(model, inputs=ready.inputs, columns=terms.columns)
    graph = build_graph(ready.spec, ready.transforms, imported, ready.feature_names)
    draft = draft_of(ready, imported, graph, sample, terms=terms, given=given, folder=folder, progress=progress)
    progress("keeping", 0, None)
    return keep(draft, registry, terms)


@dataclass(frozen=True, slots=True)
class Draft:
    """A version that is verified and not kept yet.

    predictor:    whose it is.
    files:        of its artifact.
    graph:        its graph.
    verification: how near that is to the fitted model.
    passport:     what is promised of other machines.
    metrics:      how good it is on the rows of the sample whose truth is known.
    """

    predictor: str
    files: Mapping[str, bytes] = field(repr=False)
    graph: PredictorGraph
    verification: Verification
    passport: Passport
    metrics: MetricsJson

    @property
    def artifact(self) -> Artifact:
        """Without a signature."""
        return make_artifact(self.predictor, self.files)


def draft_of(
    ready: ReadyPredictor,
    imported: ImportedModel,
    graph: PredictorGraph,
    sample: pl.DataFrame,
    *,
    terms: Terms = USUAL,
    given: dict[str, float] | None = None,
    folder: Path | None = None,
    progress: Progress = no_progress,
) -> Draft:
    """A version of a model that is imported already.

    graph: the predictor's, with that model in it.

    Raises ModelError if it does not verify.
    """
    verified = verify_with_edges(
        graph, imported, sample, transforms=ready.transforms, bound=terms.bound, progress=progress
    )
    golden = _golden(graph, sample, verified.edges)
    passport = make_passport(verified.verification, golden_rows=golden.rows)
    metrics = _metrics(ready, graph, sample, given or {})
    files = {
        **imported.extras,
        "spec.json": to_json(ready.spec, ready.graphs),
        "graph.onnx": graph.onnx,
        "golden.json": golden.to_bytes(),
        "passport.json": passport.to_bytes(),
        "metrics.json": metrics_json(metrics),
        "lineage.json": lineage_json(lineage_of(ready, sample, library=imported.library, folder=folder)),
    }
    return Draft(ready.name, files, graph, verified.verification, passport, metrics)


def keep(draft: Draft, registry: Registry, terms: Terms) -> Registered:
    """The draft as a version, signed if the terms have a key, with their alias."""
    artifact = _signed(draft.artifact, terms.key)
    version = registry.add(artifact, by=terms.by, why=terms.why)
    if terms.alias is not None:
        registry.promote(version, alias=terms.alias, by=terms.by, why=terms.why)
    signed_by = tuple(one.fingerprint for one in artifact.signatures)
    return Registered(version, terms.alias, draft.verification, draft.passport, draft.metrics, signed_by)


def _golden(graph: PredictorGraph, sample: pl.DataFrame, edges: pl.DataFrame) -> GoldenRows:
    """Rows of the sample and rows at the edges, spread over each; fewer of large tensors."""
    size = sum(dtype.size for dtype in graph.request.values() if isinstance(dtype, Tensor))
    most = _GOLDEN_NUMBERS // size if size else _GOLDEN_OF_SAMPLE
    parts = [_spread(sample, min(_GOLDEN_OF_SAMPLE, max(most, 1))), _spread(edges, min(_GOLDEN_OF_EDGES, most))]
    features = np.concatenate([graph.features_of(part) for part in parts])
    encoded = [graph.encode(part, "sample") for part in parts]
    request = {name: np.concatenate([one[name] for one in encoded]) for name in encoded[0]}
    return choose_golden(Session(graph.onnx), features, request)


def _spread(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    places = np.linspace(0, max(frame.height - 1, 0), min(most, frame.height))
    return frame[np.unique(places.astype(np.int64))]


def _metrics(
    ready: ReadyPredictor, graph: PredictorGraph, sample: pl.DataFrame, given: dict[str, float]
) -> MetricsJson:
    label = None if ready.spec.label is None else ready.spec.label.column
    if label is None or label not in sample.columns:
        return MetricsJson(FORMAT, label, 0, {}, given)
    known = sample.filter(pl.col(label).is_not_null())
    outputs = Session(graph.onnx).run(graph.features_of(known), graph.encode(known, "sample"))
    values, note = metrics_of(graph.task, graph.classes, outputs, known.get_column(label).to_list())
    return MetricsJson(FORMAT, label, known.height, values, given, note)


def _check_key(key: bytes | None) -> None:
    """Raises InputError before any work is done, if this cannot sign."""
    if key is not None:
        from unisono.store.artifacts.signing import public_of

        public_of(key)


def _signed(artifact: Artifact, key: bytes | None) -> Artifact:
    if key is None:
        return artifact
    from unisono.store.artifacts.signing import sign

    return sign(artifact, key)
