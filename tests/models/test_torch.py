"""Modules of PyTorch: numbers, images and several outputs, as graphs that say what the module says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import unisono as un
from tests.models.samples import row_answers
from unisono.models import ImportedModel, PredictorGraph, Session, build_graph, import_model
from unisono.models.session import same_bits
from unisono.spec.types import DType

pytestmark = pytest.mark.slow

RANDOM = np.random.default_rng(3)
NUMBERS = {"a": un.Float64, "b": un.Int64, "c": un.Decimal(places=1)}
IMAGES = {"image": un.Tensor("UInt8", (8, 8)), "wave": un.Tensor("Float32", (16,)), "weight": un.Float64}
ROWS = pl.DataFrame(
    {
        "a": RANDOM.normal(size=40),
        "b": RANDOM.integers(-5, 9, 40),
        "c": RANDOM.integers(0, 99, 40) / 10,
        "image": pl.Series(RANDOM.integers(0, 17, (40, 8, 8)).astype(np.uint8)),
        "wave": pl.Series(RANDOM.normal(size=(40, 16)).astype(np.float32)),
        "weight": RANDOM.uniform(size=40),
    }
)


class Layers(nn.Module):
    """Two layers with everything that differs between training and predicting."""

    def __init__(self, inputs: int, outputs: int, **said: Any) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.inner = nn.Sequential(
            nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, outputs)
        )
        for name, value in said.items():
            setattr(self, name, value)

    def forward(self, x: Any) -> Any:
        return self.inner(x)


class Pictures(nn.Module):
    """Convolutions over a grey image."""

    classes_ = tuple("0123456789")

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.inner = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 10)
        )

    def forward(self, image: Any) -> Any:
        return self.inner(image.float()[:, None] / 16)


class Several(nn.Module):
    """Reads two tensors and a number; names two outputs."""

    feature_names_in_ = ("image", "weight", "wave")

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.left, self.right = nn.Linear(64, 5), nn.Linear(16, 5)

    def forward(self, image: Any, weight: Any, wave: Any) -> Any:
        both = self.left(image.flatten(1).float()) * weight + self.right(wave)
        return {"embedding": both, "length": both.square().sum(dim=1).sqrt()}


def predictor(request: Mapping[str, DType]) -> un.Predictor:
    return un.Predictor("seen", request=request, time="asked_at", features=())


def graph_of(model: object, request: Mapping[str, DType], **options: Any) -> tuple[PredictorGraph, ImportedModel]:
    given = import_model(model, inputs=predictor(request).columns, **options)
    return build_graph(predictor(request), [], given, []), given


def says(graph: PredictorGraph, rows: pl.DataFrame = ROWS) -> Mapping[str, NDArray[Any]]:
    return Session(graph.onnx).run(np.zeros((rows.height, 0)), graph.encode(rows))


CASES: dict[str, tuple[Any, Mapping[str, DType], Any, str, dict[str, tuple[int, ...]]]] = {
    "one number": (lambda: Layers(3, 1), NUMBERS, [*NUMBERS], "regression", {"prediction": (40,)}),
    "three numbers": (lambda: Layers(3, 3), NUMBERS, [*NUMBERS], "regression", {"prediction": (40, 3)}),
    "one score of two classes": (
        lambda: Layers(2, 1, classes_=[False, True], feature_names_in_=["c", "a"]),
        NUMBERS,
        None,
        "binary",
        {"prediction": (40,), "probability": (40,)},
    ),
    "two scores": (
        lambda: Layers(2, 2, classes_=["no", "yes"], feature_names_in_=["c", "a"]),
        NUMBERS,
        None,
        "binary",
        {"prediction": (40,), "probability": (40,)},
    ),
    "scores of three classes": (
        lambda: Layers(2, 3, classes_=["red", "green", "blue"], feature_names_in_=["c", "a"]),
        NUMBERS,
        None,
        "multiclass",
        {"prediction": (40,), "probabilities": (40, 3)},
    ),
    "images": (Pictures, IMAGES, None, "multiclass", {"prediction": (40,), "probabilities": (40, 10)}),
    "two tensors and a number": (Several, IMAGES, None, "outputs", {"embedding": (40, 5), "length": (40,)}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_graph_says_what_its_module_says_in_every_batch(name: str) -> None:
    make, request, columns, task, shapes = CASES[name]
    graph, given = graph_of(make(), request, columns=columns)
    answers, wanted = says(graph), given.answer(ROWS)
    assert given.task == task
    assert {output: one.shape for output, one in answers.items()} == shapes
    for output, one in answers.items():
        assert one.dtype == wanted[output].dtype and one.shape == wanted[output].shape
        assert np.allclose(one, wanted[output], atol=1e-5) if one.dtype.kind == "f" else (one == wanted[output]).all()
    for size in (1, 7):
        parts = [list(says(graph, ROWS[start : start + size]).values()) for start in range(0, 40, size)]
        assert same_bits([*answers.values()], [np.concatenate(column) for column in zip(*parts, strict=True)])
    alone = row_answers(graph, ROWS[:1], graph.request)
    assert same_bits([*alone.values()], [one[:1] for one in answers.values()])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[3] != "outputs"])
def test_many_rows_are_answered_together(name: str) -> None:
    """A softmax of onnxruntime's in float64 depends on the batch, and such graphs have to go row by row."""
    make, request, columns, _, _ = CASES[name]
    graph, _ = graph_of(make(), request, columns=columns)
    assert not Session(graph.onnx).one_by_one


def test_a_module_is_taken_as_it_predicts_and_left_as_it_was() -> None:
    module = Layers(3, 1)
    assert module.training
    graph, given = graph_of(module, NUMBERS, columns=[*NUMBERS])
    assert all(one.requires_grad for one in module.parameters()) and module.inner.training
    module.eval()
    numbers = torch.tensor(ROWS.select(*NUMBERS).to_numpy(), dtype=torch.float32)
    with torch.no_grad():
        wanted = module(numbers).numpy()[:, 0]
    assert np.allclose(says(graph)["prediction"], wanted, atol=1e-5)
    assert given.library.startswith("torch ")


def test_the_same_module_is_the_same_bytes_without_any_place_in_them() -> None:
    graph, _ = graph_of(Pictures(), IMAGES)
    again, _ = graph_of(Pictures(), IMAGES)
    assert graph.onnx == again.onnx
    assert __file__.encode() not in graph.onnx and b"test_torch" not in graph.onnx


@pytest.mark.parametrize("size", [(64, 64), (10, 33), (28, 56), (3, 200), (28, 28)], ids=str)
def test_an_image_of_another_size_has_the_pixels_that_torch_takes(size: tuple[int, int]) -> None:
    """onnxruntime's own factor is rounded, and puts pixel 16 of 64 on pixel 6 of 28."""

    class Resized(nn.Module):
        def forward(self, image: Any) -> Any:
            return {"resized": nn.functional.interpolate(image[:, None], size=size, mode="nearest")}

    images = np.arange(28 * 28 * 3, dtype=np.float32).reshape(3, 28, 28)
    graph, _ = graph_of(Resized(), {"image": un.Tensor("Float32", (28, 28))})
    wanted = Resized()(torch.from_numpy(images))["resized"].numpy()
    found = says(graph, pl.DataFrame({"image": images}))["resized"]
    assert same_bits([found], [wanted])


def test_a_module_in_float64_computes_in_float64() -> None:
    graph, given = graph_of(Layers(3, 1).double(), NUMBERS, columns=[*NUMBERS])
    assert np.allclose(says(graph)["prediction"], given.answer(ROWS)["prediction"], rtol=1e-13)


class Odd(nn.Module):
    """A module whose forward is what a test says."""

    def __init__(self, forward: Any, **said: Any) -> None:
        super().__init__()
        self.forward = forward
        for name, value in said.items():
            setattr(self, name, value)


UNSOUND: dict[str, tuple[Any, str]] = {
    "a mean over rows": (lambda image: image.float().mean(), r"prediction has the shape \[\] for 1 rows"),
    "a fixed number of rows": (lambda image: image.float().reshape(3, 64)[:, :1], "fails on 1 rows: .*; allowed: any"),
    "a branch on values": (
        lambda image: image.float()[:, 0] if image.sum() > 3 else image.float()[:, 1],
        "torch cannot export Odd: .*; allowed: a module whose steps do not depend on the values",
    ),
    "a list": (lambda image: [image], "Odd gives .*list.*; allowed: a tensor, or a dict"),
    "an output with a dot": (lambda image: {"a.b": image}, 'an output is named "a.b"; allowed: names'),
    "a matrix a row": (lambda image: image.float(), "gives torch.float32, rows x 8, 8; allowed: one number a row"),
    "an error of its own": (lambda image: image @ image[:, :3], r"Odd fails on \[3, 8, 8\] torch.uint8: .*; allowed"),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_a_module_that_does_not_answer_by_rows_is_refused(name: str) -> None:
    forward, message = UNSOUND[name]
    with pytest.raises(un.ModelError, match=message):
        graph_of(Odd(forward, feature_names_in_=["image"]), IMAGES)


def test_scores_have_to_fit_the_classes() -> None:
    module = Layers(3, 2, classes_=["a", "b", "c"])
    with pytest.raises(
        un.ModelError, match="scores of the shape rows x 2 for the 3 classes a, b, c; allowed: one score"
    ):
        graph_of(module, NUMBERS, columns=[*NUMBERS])


def test_which_columns_it_reads_has_to_be_said() -> None:
    with pytest.raises(
        un.ModelError, match=r"forward\(x\) of Layers does not say which columns .* set feature_names_in_"
    ):
        graph_of(Layers(3, 1), NUMBERS)
    with pytest.raises(un.ModelError, match='reads "d", which is not there'):
        graph_of(Layers(3, 1), NUMBERS, columns=["a", "b", "d"])
    with pytest.raises(un.ModelError, match='"word" is String; allowed: Int64'):
        graph_of(Layers(1, 1), {"word": un.String}, columns=["word"])
