"""A graph as a model of its own: what it answers is what running it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.compress.running.whole import is_whole, whole_answer, whole_graph
from unisono.models import ImportedModel
from unisono.models.columns import encode
from unisono.models.importers.base import Answers, Block, Task, matrix_of
from unisono.models.session import Runner
from unisono.models.tokenizer_files import tokenizers_of
from unisono.spec.types import DType

_ROWS = 256  # asked at a time


def graph_model(
    graph: bytes,
    *,
    task: Task,
    classes: tuple[Any, ...],
    blocks: tuple[Block, ...],
    library: str,
    finite: bool,
    extras: Mapping[str, bytes],
    inputs: Mapping[str, DType],
) -> ImportedModel:
    """A graph with what is known of it, and nobody but itself to say what is right."""
    model = ImportedModel(
        task=task,
        classes=classes,
        blocks=blocks,
        graph=graph,
        library=library,
        finite=finite,
        answer=_nobody,
        extras=extras,
    )
    return replace(model, answer=answering(model, inputs))


def _nobody(frame: pl.DataFrame) -> Answers:
    raise NotImplementedError


def answering(model: ImportedModel, inputs: Mapping[str, DType]) -> Callable[[pl.DataFrame], Answers]:
    """What a model's graph itself says of the rows of a frame. It is opened when it is first asked."""
    if is_whole(model):
        return whole_answer(whole_graph(model))
    opened: list[Runner] = []

    def answer(frame: pl.DataFrame) -> Answers:
        if not opened:
            opened.append(Runner(model.graph))
        return _asked(opened[0], _feeds(model, frame, inputs), frame.height)

    return answer


def _feeds(model: ImportedModel, frame: pl.DataFrame, inputs: Mapping[str, DType]) -> dict[str, NDArray[Any]]:
    tokenizers = tokenizers_of(model.extras)
    feeds: dict[str, NDArray[Any]] = {}
    for block in model.blocks:
        name = block.columns[0]
        if block.kind == "matrix":
            feeds[block.name] = matrix_of(frame, block.columns, inputs)
        elif block.kind == "tokens":
            feeds[block.name] = tokenizers[name].column(frame.get_column(name).fill_null("").to_list())
        elif block.kind == "text":
            feeds[block.name] = np.array(frame.get_column(name).fill_null("").to_list(), object)
        else:
            feeds[block.name] = encode(frame.get_column(name), inputs[name], place="data")[0]
    return feeds


def _asked(runner: Runner, feeds: Mapping[str, NDArray[Any]], rows: int) -> Answers:
    ragged = [
        name for name, one in feeds.items() if one.dtype == object and isinstance(one[:1].tolist()[0], np.ndarray)
    ]
    size = 1 if ragged else _ROWS
    parts = []
    for start in range(0, rows, size):
        cut = {name: one[start : start + size] for name, one in feeds.items()}
        parts.append(runner({**cut, **{name: cut[name][0][np.newaxis] for name in ragged}}))
    return {name: np.concatenate(column) for name, column in zip(runner.outputs, zip(*parts, strict=True), strict=True)}
