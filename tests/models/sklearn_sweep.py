"""Every estimator of scikit-learn, fitted as it comes on a small table: is it imported, and how near is the graph?"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from sklearn.base import OutlierMixin
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils import all_estimators

import unisono as un
from unisono.models import build_graph, import_model, verify

NAMES = ("a", "b", "c", "d")
KINDS = ("classifier", "regressor", "cluster", "outlier detector", "transformer")
_PREDICTOR = un.Predictor("sweep", request=dict.fromkeys(NAMES, un.Float64), time="at", features=())


def estimators(kind: str) -> Mapping[str, type[Any]]:
    """Name -> class of all that can be made without arguments."""
    found = all_estimators(type_filter=None if kind == "outlier detector" else kind)
    kept = {name: one for name, one in found if kind != "outlier detector" or issubclass(one, OutlierMixin)}
    return {name: one for name, one in kept.items() if _is_made_without_arguments(one)}


def _is_made_without_arguments(estimator: type[Any]) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of those that are to be removed
        try:
            estimator()
        except TypeError:
            return False
        return True


def outcome(kind: str, estimator: type[Any]) -> str:
    """ "exact" or "bounded" as it is measured, "refused", or "not fitted": not on a table of numbers with one label."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model, rows = _fitted(kind, estimator())
        except Exception:  # it wants other data
            return "not fitted"
        try:
            imported = import_model(model, inputs=dict.fromkeys(NAMES, un.Float64), columns=list(NAMES))
            graph = build_graph(_PREDICTOR, [], imported, [])
            return verify(graph, imported, pl.DataFrame(rows, schema=list(NAMES))).numeric_class
        except un.ModelError:
            return "refused"


def _fitted(kind: str, model: Any) -> tuple[Any, np.ndarray[Any, Any]]:
    if "random_state" in model.get_params():
        model.set_params(random_state=1)
    if kind == "outlier detector" and "novelty" in model.get_params():
        model.set_params(novelty=True)
    flowers, species = load_iris(return_X_y=True)
    if kind == "regressor":
        people, measured = load_diabetes(return_X_y=True)
        return model.fit(people[:150, :4] * 10, measured[:150] / 100), people[:150, :4] * 10
    if kind == "transformer":
        return make_pipeline(model, Ridge()).fit(flowers, species), flowers
    return model.fit(flowers, species), flowers


def sweep(kind: str) -> Iterator[tuple[str, str]]:
    """Every estimator of a kind with its outcome."""
    for name, estimator in sorted(estimators(kind).items()):
        yield name, outcome(kind, estimator)


def table(outcomes: Mapping[str, Mapping[str, str]]) -> str:
    """The outcomes as a table in Markdown, a kind and an outcome a row."""
    lines = ["| kind | outcome | estimators |", "|---|---|---|"]
    for kind, found in outcomes.items():
        for wanted in ("exact", "bounded", "refused", "not fitted"):
            names = [name for name, one in found.items() if one == wanted]
            if names:
                lines.append(f"| {kind} | {wanted} | {', '.join(names)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table({kind: dict(sweep(kind)) for kind in KINDS}))
