from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn import ensemble, linear_model, preprocessing
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline

import unisono as un
from tests.models.samples import answers, graph_of, view
from unisono.models import ImportedModel, Session, Verification, build_graph, import_model, verify
from unisono.models.emit import Emitter, finished, value

pytestmark = pytest.mark.slow

NUMBERS = [*view().feature_names, "dist", "seats"]
INPUTS = {**dict.fromkeys(NUMBERS, un.Float64), "seats": un.Int64, "carrier": un.String}


def matrix(rows: pl.DataFrame) -> NDArray[np.float32]:
    return rows.select(pl.col(NUMBERS).cast(pl.Float64).fill_null(0.0)).to_numpy().astype(np.float32)


def known(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col(NUMBERS).fill_null(0))


def scores(rows: pl.DataFrame) -> NDArray[np.float64]:
    numbers = matrix(rows).astype(np.float64)
    made: NDArray[np.float64] = numbers[:, 1] + np.abs(numbers[:, 2]) - numbers[:, 6] / 100
    return made


def exported(model: Any, rows: pl.DataFrame, **options: Any) -> bytes:
    """A fitted model as skl2onnx writes it."""
    from skl2onnx import to_onnx

    data: bytes = to_onnx(model, matrix(rows)[:1], **options).SerializeToString()
    return data


def judged(file: object, rows: pl.DataFrame, **more: Any) -> tuple[ImportedModel, Verification]:
    imported = import_model(file, inputs=INPUTS, columns=NUMBERS)
    return imported, verify(graph_of(imported), imported, rows, **more)


# What others exported


@pytest.mark.parametrize("labels", [["no", "yes"], [0, 1], ["a", "b", "c"]])
@pytest.mark.parametrize("has_maps", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        lambda: ensemble.RandomForestClassifier(9, max_depth=4, random_state=1),
        lambda: ensemble.GradientBoostingClassifier(n_estimators=9),
        lambda: linear_model.LogisticRegression(max_iter=50),
    ],
    ids=["forest", "boosting", "linear"],
)
def test_a_classifier_keeps_its_labels_and_probabilities(
    rows: pl.DataFrame, make: Callable[[], Any], has_maps: bool, labels: list[Any]
) -> None:
    places = np.digitize(scores(rows), [0.0, 8.0][: len(labels) - 1])
    model = make_pipeline(preprocessing.StandardScaler(), make()).fit(matrix(rows), np.array(labels)[places])
    file = exported(model, rows, options=None if has_maps else {"zipmap": False})
    imported, found = judged(file, known(rows))
    if imported.task == "outputs":  # the labels of a linear model without maps are in no operator
        assert not has_maps
        return
    assert imported.task == ("binary" if len(labels) == 2 else "multiclass")
    assert imported.classes == tuple(labels)
    assert found.flips == 0
    says = answers(graph_of(imported), known(rows))["prediction"]
    assert (says == model.predict(matrix(rows))).mean() > 0.99  # float32 scaling flips a few at the thresholds


def test_a_regression_of_trees_has_the_bits_of_onnxruntime(rows: pl.DataFrame) -> None:
    for model in (ensemble.GradientBoostingRegressor(n_estimators=40), ensemble.RandomForestRegressor(20, max_depth=5)):
        imported, found = judged(exported(model.fit(matrix(rows), scores(rows)), rows), known(rows))
        assert imported.task == "regression"
        assert found.is_equal
        assert found.numeric_class == "exact"


@pytest.mark.parametrize("kind", ["CatBoostRegressor", "CatBoostClassifier"])
def test_an_export_of_catboost_answers(rows: pl.DataFrame, kind: str, tmp_path: Path) -> None:
    import catboost

    labels = scores(rows) if kind == "CatBoostRegressor" else (scores(rows) > 5).astype(int)
    model = getattr(catboost, kind)(iterations=20, depth=4, verbose=0, allow_writing_files=False)
    model.fit(matrix(rows), labels).save_model(str(tmp_path / "model.onnx"), format="onnx")
    imported, found = judged((tmp_path / "model.onnx").read_bytes(), known(rows))
    assert imported.library.startswith("onnx")
    assert found.flips == 0
    assert found.max_gap <= 1e-6


def test_inputs_are_columns_of_the_same_names(rows: pl.DataFrame) -> None:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    columns = ColumnTransformer(
        [("numbers", "passthrough", ["dist", "seats"]), ("names", preprocessing.OneHotEncoder(), ["carrier"])]
    )
    frame = known(rows).select("dist", "seats", pl.col("carrier").fill_null("none"))
    model = make_pipeline(columns, linear_model.Ridge()).fit(frame.to_pandas(), scores(rows))
    types = [("dist", FloatTensorType([None, 1])), ("seats", Int64TensorType([None, 1]))]
    file = to_onnx(model, initial_types=[*types, ("carrier", StringTensorType([None, 1]))])
    imported = import_model(file, inputs=INPUTS)
    assert {block.name: block.kind for block in imported.blocks} == {
        "dist": "matrix",
        "seats": "matrix",
        "carrier": "text",
    }
    asked = rows.with_columns(frame)
    assert verify(graph_of(imported), imported, asked, bound=1e-4).rows == rows.height
    says = answers(graph_of(imported), asked)["prediction"]
    assert np.allclose(says, model.predict(frame.to_pandas()), rtol=1e-4, atol=1e-4)


# Images


def image_file(*, batch: int | str = "N") -> bytes:
    """A small convolution, as another tool might export it: opset 13, open rows."""
    random = np.random.default_rng(3)
    weights = numpy_helper.from_array(random.normal(size=(4, 1, 3, 3)).astype(np.float32), "weights")
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["edges"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["edges"], ["seen"]),
        helper.make_node("GlobalAveragePool", ["seen"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["embedding"]),
        helper.make_node("ArgMax", ["embedding"], ["best"], axis=1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "image",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 1, 8, 8])],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, 4]),
            helper.make_tensor_value_info("best", TensorProto.INT64, [batch]),
        ],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def test_a_model_of_images_reads_a_tensor_and_keeps_its_outputs() -> None:
    dtype = un.Tensor("Float32", (1, 8, 8))
    predictor = un.Predictor("seen", request={"image": dtype}, time="at", features=())
    images = np.random.default_rng(1).random((20, 1, 8, 8)).astype(np.float32)
    frame = pl.DataFrame({"image": pl.Series(images, dtype=pl.Array(pl.Float32, (1, 8, 8)))})
    imported = import_model(image_file(), inputs={"image": dtype})
    assert imported.task == "outputs"
    graph = build_graph(predictor, [], imported, [])
    verify(graph, imported, frame)
    says = Session(graph.onnx).run(np.empty((20, 0)), graph.encode(frame))
    assert {name: (str(one.dtype), one.shape) for name, one in says.items()} == {
        "best": ("int64", (20,)),
        "embedding": ("float32", (20, 4)),
    }
    assert np.allclose(says["embedding"], imported.answer(frame)["embedding"], rtol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (un.Tensor("UInt8", (1, 8, 8)), r"allowed: a Tensor of Float32 and shape \[1, 8, 8\]; declare it so"),
        (un.Tensor("Float32", (8, 8)), r"allowed: a Tensor of Float32 and shape \[1, 8, 8\]"),
        (un.Float64, r'reads "image" as "image" \(float, \[N, 1, 8, 8\]\); allowed: a Tensor of shape'),
    ],
)
def test_a_column_that_is_not_the_image_is_refused(dtype: Any, message: str) -> None:
    with pytest.raises(un.ModelError, match=message):
        import_model(image_file(), inputs={"image": dtype})


# What it refuses


def one_node(operator: str, *, domain: str = "", kind: int = TensorProto.FLOAT, **attributes: Any) -> bytes:
    node = helper.make_node(operator, ["dist"], ["y"], domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("dist", TensorProto.FLOAT, ["N", 1])],
        [helper.make_tensor_value_info("y", kind, ["N", 1])],
    )
    opsets = [helper.make_opsetid("", 21)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


REFUSED: Mapping[str, tuple[Callable[[], object], str]] = {
    "no model": (lambda: b"not a model", "allowed: an ONNX model; export it again"),
    "nothing": (lambda: b"", "no inputs; allowed: one or more"),
    "an operator of somebody else": (lambda: one_node("Magic", domain="com.example"), "of the domain"),
    "random numbers": (lambda: one_node("RandomNormalLike"), "gives another answer each time"),
    "a fixed number of rows": (lambda: image_file(batch=1), "takes 1 rows at a time; allowed: any number"),
    "half floats": (
        lambda: one_node("Cast", kind=TensorProto.FLOAT16, to=TensorProto.FLOAT16),
        r'output "y" \(float16, \[N, 1\]\); allowed: tensors of numbers, booleans or strings',
    ),
}


@pytest.mark.parametrize(("file", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_safe_or_not_clear_is_refused(file: Callable[[], object], message: str) -> None:
    inputs = {**INPUTS, "image": un.Tensor("Float32", (1, 8, 8))}
    with pytest.raises(un.ModelError, match=message):
        import_model(file(), inputs=inputs)


def test_numbers_in_another_file_are_refused(tmp_path: Path) -> None:
    model = onnx.load_model_from_string(image_file())
    weights = model.graph.initializer[0]
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=str(tmp_path / "secret.bin"))
    weights.ClearField("raw_data")
    with pytest.raises(un.ModelError, match="external"):
        import_model(model, inputs={"image": un.Tensor("Float32", (1, 8, 8))})


def test_inputs_that_are_no_columns_are_refused_with_what_there_is(rows: pl.DataFrame) -> None:
    file = exported(linear_model.Ridge().fit(matrix(rows), scores(rows)), rows)
    with pytest.raises(un.ModelError, match=r'reads "X", which is not there; its inputs are "X" \(float, \[N, 8\]\)'):
        import_model(file, inputs=INPUTS)
    with pytest.raises(un.ModelError, match=r'"X" \(float, \[N, 8\]\) of 2 columns; allowed: as many as it has'):
        import_model(file, inputs=INPUTS, columns=["dist", "seats"])
    with pytest.raises(un.ModelError, match='reads "carrier", which is String, as "X"'):
        import_model(file, inputs=INPUTS, columns=[*NUMBERS[:-1], "carrier"])


def test_whole_numbers_that_are_missing_are_zero(rows: pl.DataFrame) -> None:
    emit = Emitter()
    emit.rename(emit("Cast", emit("Add", "seats", emit.constant(np.int64(1))), to=TensorProto.DOUBLE), "y")
    graph = emit.model([value("seats", np.int64, "N")], [value("y", np.float64, "N")]).graph
    imported = import_model(finished(graph), inputs=INPUTS)
    assert verify(graph_of(imported), imported, rows).is_equal
    says = answers(graph_of(imported), rows)["prediction"]
    assert says.tolist() == (rows["seats"].fill_null(0) + 1).cast(pl.Float64).to_list()
