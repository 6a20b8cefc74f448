"""A registered version's graph as a model: transforms and model in one, with nobody else to ask what is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import polars as pl

from unisono.models import ImportedModel, PredictorGraph, Session, load_graph
from unisono.models.importers.base import Answers, Block, Task

_WHOLE = "predictor"


def version_model(graph: PredictorGraph, files: Mapping[str, bytes]) -> ImportedModel:
    """The graph of a version as a model that steps for graphs can work on.

    files: of its artifact.
    """
    reads = tuple(graph.features) + tuple(graph.request)
    return ImportedModel(
        task=cast(Task, graph.task),
        classes=graph.classes,
        blocks=(Block(_WHOLE, reads),),
        graph=graph.onnx,
        library=graph.library,
        finite=True,
        answer=whole_answer(graph),
        extras={name: content for name, content in files.items() if name.startswith("tokenizer/")},
    )


def is_whole(model: ImportedModel) -> bool:
    """Whether this is a whole predictor's graph, which is not joined with transforms again."""
    return [block.name for block in model.blocks] == [_WHOLE]


def whole_graph(model: ImportedModel) -> PredictorGraph:
    """The predictor's graph that it is. Raises ModelError if a step has lost what it says of itself."""
    return load_graph(model.graph, model.extras)


def whole_answer(graph: PredictorGraph) -> Callable[[pl.DataFrame], Answers]:
    """What the graph itself says. It is opened when it is first asked."""
    opened: list[Session] = []

    def answer(frame: pl.DataFrame) -> Answers:
        if not opened:
            opened.append(Session(graph.onnx))
        return opened[0].run(graph.features_of(frame), graph.encode(frame, "data"))

    return answer
