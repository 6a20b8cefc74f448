"""Stages on disk: what a step made, so that it is made once.

A graph is kept as data. A module or an ensemble is kept by pickle, since its class is the user's own; it is opened only
if it has the hash that was written down beside it. Whoever can change these files can change the project's definitions.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from unisono.compress.running.graphs import graph_model
from unisono.compress.subject import Subject
from unisono.models import ImportedModel
from unisono.models.importers.base import Block, Task
from unisono.spec.types import DType

_ABOUT, _GRAPH, _MODEL = "about.json", "graph.onnx", "model.pickle"


class _GraphJson(msgspec.Struct, forbid_unknown_fields=True):
    task: Task
    classes: list[Any]
    blocks: list[Block]
    library: str
    finite: bool
    extras: list[str]


class _AboutJson(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    hash: str
    notes: dict[str, dict[str, Any]]
    columns: list[str] | None = None
    graph: _GraphJson | None = None


class Stages:
    """The stages of a project's recipes.

    folder: where they are, one folder a stage.
    inputs: the columns that models may read.
    """

    def __init__(self, folder: Path, inputs: Mapping[str, DType]) -> None:
        self._folder, self._inputs = folder, inputs
        folder.mkdir(parents=True, exist_ok=True)

    def find(self, identity: str) -> Subject | None:
        """What the stage of this identity made; None if there is none, or it cannot be opened here any more."""
        folder = self._folder / identity
        try:
            about = msgspec.json.decode((folder / _ABOUT).read_bytes(), type=_AboutJson)
            content = (folder / (_GRAPH if about.kind == "graph" else _MODEL)).read_bytes()
        except (OSError, msgspec.MsgspecError):
            return None
        if hashlib.sha256(content).hexdigest() != about.hash:
            return None
        return self._opened(folder, about, content)

    def _opened(self, folder: Path, about: _AboutJson, content: bytes) -> Subject | None:
        if about.graph is not None:
            extras = {name: (folder / f"extra-{place}").read_bytes() for place, name in enumerate(about.graph.extras)}
            return Subject(graph=_graph(about.graph, content, extras, self._inputs), notes=about.notes)
        try:
            kept = pickle.loads(content)
        except Exception:  # of a class that is not there any more, or not where it was
            return None
        if about.kind == "ensemble":
            columns = None if about.columns is None else tuple(about.columns)
            return Subject(ensemble=kept, columns=columns, notes=about.notes)
        from unisono.compress.modules.model import torch_model

        module, tokenizer, columns = kept
        model = module if tokenizer is None else (module, tokenizer)
        return Subject(torch=torch_model(model, self._inputs, columns), notes=about.notes)

    def keep(self, identity: str, subject: Subject) -> None:
        """Write down what a stage made. Whatever is there already, whole or not, is replaced."""
        folder, part = self._folder / identity, self._folder / f"{identity}.{os.getpid()}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        content, about = self._written(subject, part)
        (part / (_GRAPH if subject.kind == "graph" else _MODEL)).write_bytes(content)
        (part / _ABOUT).write_bytes(msgspec.json.encode(about))
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)

    def _written(self, subject: Subject, folder: Path) -> tuple[bytes, _AboutJson]:
        notes: dict[str, dict[str, Any]] = msgspec.to_builtins(subject.notes)
        if subject.graph is not None:
            for place, extra in enumerate(subject.graph.extras.values()):
                (folder / f"extra-{place}").write_bytes(extra)
            content = subject.graph.graph
            return content, _AboutJson("graph", _hash(content), notes, graph=_graph_json(subject.graph))
        if subject.torch is not None:
            model = subject.torch
            content = pickle.dumps((model.module, model.tokenizer, model.columns))
            return content, _AboutJson("torch", _hash(content), notes)
        content = pickle.dumps(subject.ensemble)
        columns = None if subject.columns is None else list(subject.columns)
        return content, _AboutJson("ensemble", _hash(content), notes, columns)

    def workplace(self, identity: str) -> Path:
        """A folder for what continues the stage of this identity if it is cut; `keep` does not touch it."""
        folder = self._folder / f"{identity}.work"
        folder.mkdir(exist_ok=True)
        return folder

    def clear(self, identity: str) -> None:
        """The stage is done: what would have continued it is not needed any more."""
        shutil.rmtree(self._folder / f"{identity}.work", ignore_errors=True)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _graph_json(model: ImportedModel) -> _GraphJson:
    return _GraphJson(
        task=model.task,
        classes=list(model.classes),
        blocks=list(model.blocks),
        library=model.library,
        finite=model.finite,
        extras=list(model.extras),
    )


def _graph(
    about: _GraphJson, content: bytes, extras: Mapping[str, bytes], inputs: Mapping[str, DType]
) -> ImportedModel:
    return graph_model(
        content,
        task=about.task,
        classes=tuple(about.classes),
        blocks=tuple(about.blocks),
        library=about.library,
        finite=about.finite,
        extras=extras,
        inputs=inputs,
    )
