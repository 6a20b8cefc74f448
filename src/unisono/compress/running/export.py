"""A module or an ensemble becomes a graph, which is compared with it."""

from __future__ import annotations

from dataclasses import replace

from unisono.compress.data import Data, sample_of
from unisono.compress.running.definition import Definition, graph_with
from unisono.compress.running.graphs import answering
from unisono.compress.subject import Subject
from unisono.models import ImportedModel, import_model, verify_with_edges
from unisono.spec.progress import Progress

_COMPARED_ROWS = 200


def exported(
    subject: Subject, definition: Definition, data: Data, *, bound: float | None, progress: Progress
) -> Subject:
    """The same model as a graph; a graph is one already.

    The graph is compared with the model on validation rows and on rows at the edges, as at a registration. From then on
    it answers for itself.

    Raises ModelError if it cannot be exported, or the graph says something else.
    """
    if subject.kind == "graph":
        return subject
    progress("exporting", 0, None)
    imported = imported_of(subject, definition)
    sample = sample_of(data.validation, _COMPARED_ROWS, seed=0)
    graph = graph_with(definition, imported)
    verify_with_edges(graph, imported, sample, transforms=definition.transforms, bound=bound, progress=progress)
    return subject.with_graph(replace(imported, answer=answering(imported, definition.inputs)))


def imported_of(subject: Subject, definition: Definition) -> ImportedModel:
    """A module or an ensemble as an importer takes it. Raises ModelError."""
    if subject.torch is not None:
        columns = None if subject.torch.tokenizer is None else subject.torch.columns
        named = subject.torch.columns if columns is None else columns
        return import_model(subject.torch.importable, inputs=definition.inputs, columns=named)
    return import_model(subject.ensemble, inputs=definition.inputs, columns=subject.columns)
