"""Cases of other tests as graphs, and what graphs say of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tests.compress.conftest import Case
from unisono.compress.running.graphs import answering
from unisono.compress.subject import Subject
from unisono.models import ImportedModel, import_model
from unisono.models.importers.base import Answers

_EXPORTED: dict[int, tuple[Case, Case]] = {}


def as_graph(case: Case) -> Case:
    """The same rows with the model as a graph, as a recipe has it before a step for graphs; exported once."""
    if id(case) not in _EXPORTED:
        _EXPORTED[id(case)] = (case, _exported(case))
    return _EXPORTED[id(case)][1]


def _exported(case: Case) -> Case:
    torch = case.subject.torch
    model = case.subject.ensemble if torch is None else torch.importable
    columns = None if torch is None else torch.columns
    imported = import_model(model, inputs=case.data.inputs, columns=columns)
    graph = replace(imported, answer=answering(imported, case.data.inputs))
    return replace(case, subject=Subject(graph=graph))


def probabilities(model: ImportedModel, frame: pl.DataFrame) -> NDArray[np.float64]:
    """Of a classifier: rows, or rows x classes."""
    return floats(model.answer(frame))


def floats(said: Answers) -> NDArray[np.float64]:
    """The one output that is of floats."""
    return np.asarray(next(one for one in said.values() if one.dtype.kind == "f"), np.float64)
