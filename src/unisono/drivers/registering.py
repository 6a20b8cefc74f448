"""A fitted model becomes a version: imported into one graph, verified against the model, kept with golden rows."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version as version_of

import msgspec
import polars as pl

from unisono import __version__
from unisono.drivers.predictors import ReadyPredictor
from unisono.models import Session, Verification, build_graph, choose_golden, import_model, verify
from unisono.spec.active import Version
from unisono.spec.serialize import to_json
from unisono.store.artifacts import make_artifact
from unisono.store.registry import Registry


@dataclass(frozen=True, slots=True)
class Registered:
    """A model that was registered.

    version:      which answers from now on.
    verification: how near its graph is to the fitted model.
    """

    version: Version
    verification: Verification


def register(
    ready: ReadyPredictor,
    registry: Registry,
    model: object,
    *,
    sample: pl.DataFrame,
    columns: Sequence[str] | None = None,
    bound: float | None = None,
) -> Registered:
    """Import, verify, keep, and let answer; see `Project.register`. Nothing is kept of a model that is refused."""
    imported = import_model(model, inputs=ready.inputs, columns=columns)
    graph = build_graph(ready.spec, ready.transforms, imported, ready.feature_names)
    verification = verify(graph, imported, sample, transforms=ready.transforms, bound=bound)
    golden = choose_golden(Session(graph.onnx), graph.features_of(sample), graph.encode(sample, "sample"))
    files = {
        "spec.json": to_json(ready.spec, ready.graphs),
        "graph.onnx": graph.onnx,
        "golden.json": golden.to_bytes(),
        "passport.json": _passport(verification),
    }
    version = registry.add(make_artifact(ready.name, files))
    registry.promote(version)
    return Registered(version, verification)


def _passport(verification: Verification) -> bytes:
    """What was measured where this artifact was made."""
    target = f"{platform.machine()}-{platform.system().lower()}"
    libraries = {"unisono": __version__, **{name: version_of(name) for name in ("onnxruntime", "numpy")}}
    measured = {"verification": verification.as_dict(), "versions": libraries}
    return msgspec.json.encode({"format": 1, "targets": {target: measured}}, order="sorted")
