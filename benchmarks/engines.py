"""Engines for trees: rows a CPU second of one predictor's graph, batch by batch, beside the library itself and oneDAL.

Every answer is compared before anything is timed: the engine's with onnxruntime's to the bit, the others' within 1e-6
(with two threads onnxruntime itself adds up in another order).
Rows are asked one after the other and never twice in a row, since a repeated row teaches the branch predictor its way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median
from typing import Any

import lightgbm
import numpy as np
import polars as pl
import xgboost
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

import unisono as un
from benchmarks.harness import finish, parser, say
from unisono.models import PredictorGraph, Session, build_graph, import_model
from unisono.models.engines import open_session
from unisono.models.session import OPTIMISATION, Setting, same_bits

FEATURES = 30
TRAINING_ROWS = 20_000
ROWS = 100_000
BATCHES = (1, 16, 1024, ROWS)
LARGE = 1024  # batches from here on are what the target is about
TARGET = 2.0
PEERS_AGREE_WITHIN = 1e-6
CALL_ROWS = 4096  # rows of one timing, if the batch is smaller

Matrix = NDArray[np.float64]
Score = Callable[[Matrix], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Model:
    """A classifier that is not fitted yet."""

    name: str
    make: Callable[[], Any]
    classes: int = 2


def _lightgbm(trees: int, leaves: int) -> Callable[[], Any]:
    settings = {"min_child_samples": 5, "n_jobs": 1, "verbose": -1, "random_state": 1}
    return lambda: lightgbm.LGBMClassifier(n_estimators=trees, num_leaves=leaves, **settings)  # type: ignore[arg-type]


MODELS = (
    Model("LightGBM 200x31", _lightgbm(200, 31)),
    Model("LightGBM 1000x63", _lightgbm(1000, 63)),
    Model("LightGBM 100x31, 5 classes", _lightgbm(100, 31), classes=5),
    Model("XGBoost 200 of depth 6", lambda: xgboost.XGBClassifier(n_estimators=200, max_depth=6, n_jobs=1)),
    Model("random forest of 100 deep trees", lambda: RandomForestClassifier(100, random_state=1)),
)


def matrix(rows: int, seed: int) -> Matrix:
    """Random features, one in twenty missing."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, FEATURES))
    numbers[random.random(numbers.shape) < 0.05] = np.nan
    return numbers


def fitted(model: Model, names: Sequence[str]) -> Any:
    numbers = matrix(TRAINING_ROWS, 1)
    known = np.nan_to_num(numbers)
    random = np.random.default_rng(2)
    scores = known @ random.normal(size=FEATURES) + np.sin(3 * known[:, 0]) * known[:, 1]
    scores += random.normal(size=TRAINING_ROWS)
    labels = np.digitize(scores, np.quantile(scores, np.linspace(0, 1, model.classes + 1)[1:-1]))
    return model.make().fit(pl.DataFrame(numbers, schema=list(names), orient="row").to_pandas(), labels)


def feature_view() -> un.FeatureView:
    columns = [f"c{place}" for place in range(FEATURES)]
    source = un.Source("events", {"key": un.String, **dict.fromkeys(columns, un.Float64)}, event_time="at")
    return un.FeatureView("v", source, key="key", windows=["1h"], aggregations=[un.mean(name) for name in columns])


def graph_of(classifier: Any, view: un.FeatureView) -> PredictorGraph:
    predictor = un.Predictor("p", request={"key": un.String}, time="at", features=[view])
    names = list(view.feature_names)
    imported = import_model(classifier, inputs={**predictor.columns, **dict.fromkeys(names, un.Float64)})
    return build_graph(predictor, [], imported, names)


def contestants(classifier: Any, graph: PredictorGraph) -> dict[str, Score]:
    """Name -> what gives the probabilities of a matrix."""
    sessions = {
        "onnxruntime": Session(graph.onnx),
        "onnxruntime, 2 threads": Session(graph.onnx, setting=Setting(OPTIMISATION, threads=2)),
        "trees": open_session(graph.onnx, "trees"),
    }
    ours = {name: _probabilities_of(session) for name, session in sessions.items()}
    return {**ours, "the library": _library(classifier), **_onedal(classifier)}


def _probabilities_of(session: Session) -> Score:
    output = next(name for name in session.outputs if name != "prediction")
    return lambda rows: session.run(rows, {})[output]


def _library(classifier: Any) -> Score:
    """What fitted it, with as little around it as the library has."""
    if isinstance(classifier, lightgbm.LGBMClassifier):
        booster = classifier.booster_
        return lambda rows: np.asarray(booster.predict(rows, num_threads=1))
    if isinstance(classifier, xgboost.XGBClassifier):
        native = classifier.get_booster()
        return lambda rows: np.asarray(native.inplace_predict(rows, validate_features=False))
    del classifier.feature_names_in_  # it is asked with bare matrices
    return lambda rows: np.asarray(classifier.predict_proba(rows))[:, 1]


def _onedal(classifier: Any) -> dict[str, Score]:
    """Nothing if it is not installed, or takes no such model."""
    if find_spec("daal4py") is None or not isinstance(classifier, lightgbm.LGBMClassifier):
        return {}
    import daal4py

    daal4py.daalinit(1)
    model = daal4py.mb.convert_model(classifier.booster_)
    if classifier.n_classes_ == 2:
        return {"oneDAL": lambda rows: np.asarray(model.predict_proba(rows))[:, 1]}
    return {"oneDAL": lambda rows: np.asarray(model.predict_proba(rows))}


def differences(scores: Mapping[str, Score], rows: Matrix) -> dict[str, float]:
    """How far each answer is from onnxruntime's at most. Ends the benchmark if that is too far."""
    wanted = scores["onnxruntime"](rows)
    found = {name: score(rows) for name, score in scores.items() if name != "onnxruntime"}
    if not same_bits([found["trees"]], [wanted]):
        raise SystemExit("trees: other bits than onnxruntime's")
    far = {name: float(np.abs(one - wanted).max()) for name, one in found.items()}
    too_far = {name: gap for name, gap in far.items() if not gap <= PEERS_AGREE_WITHIN}
    if too_far:
        raise SystemExit(f"too far from onnxruntime: {too_far}")
    return far


def cpu_s(score: Score, rows: Matrix, batch: int) -> float:
    """CPU seconds a row, of all threads."""
    starts = range(0, min(max(CALL_ROWS, batch), len(rows)), batch)
    begun = time.process_time()
    for start in starts:
        score(rows[start : start + batch])
    return (time.process_time() - begun) / (len(starts) * batch)


def rates(scores: Mapping[str, Score], rows: Matrix, batch: int, runs: int) -> dict[str, int]:
    """Rows a CPU second: medians of runs that the contestants take in turn, after one that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in scores}
    for turn in range(runs + 1):
        for name, score in scores.items():
            seconds = cpu_s(score, rows, batch)
            if turn:
                taken[name].append(seconds)
    return {name: round(1 / median(one)) for name, one in taken.items()}


def measure(model: Model, runs: int, rows: int) -> tuple[dict[str, dict[str, int]], dict[str, float]]:
    """Batch -> contestant -> rows a CPU second; and how far the answers are from onnxruntime's."""
    view = feature_view()
    classifier = fitted(model, view.feature_names)
    scores = contestants(classifier, graph_of(classifier, view))
    asked = matrix(rows, 3)
    far = differences(scores, asked[:4096])
    found = {}
    for batch in (one for one in BATCHES if one <= rows):
        name = f"{model.name}, batches of {batch}"
        found[name] = rates(scores, asked, batch, runs)
        say(f"  {name}: {found[name]}")
    return found, far


def main() -> None:
    options = parser(str(__doc__), runs=5, workload=False)
    options.add_argument("--rows", type=int, default=ROWS, help="rows of the largest batch")
    arguments = options.parse_args()
    figures: dict[str, dict[str, int]] = {}
    far: dict[str, dict[str, float]] = {}
    for model in MODELS:
        found, far[model.name] = measure(model, arguments.runs, arguments.rows)
        figures |= found
    times = {name: round(one["trees"] / one["onnxruntime"], 1) for name, one in figures.items()}
    large = [ratio for name, ratio in times.items() if int(name.rpartition(" ")[2]) >= LARGE]
    result = {
        "benchmark": "engines",
        "runs": arguments.runs,
        "rows_per_cpu_s": figures,
        "trees_times_onnxruntime": times,
        "largest_difference_from_onnxruntime": far,
        "onedal": "measured" if find_spec("daal4py") else "not installed (pip install scikit-learn-intelex)",
        "target": f"{TARGET} times onnxruntime in batches of {LARGE} and more, with the same bits",
        "met": min(large, default=0.0) >= TARGET,
    }
    finish(result, as_json=arguments.json)


if __name__ == "__main__":
    main()
