"""Content hashes: of a model, and of the code and settings of a step."""

from __future__ import annotations

import hashlib
import inspect
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
from onnx import load_model_from_string

import unisono
from unisono.compress.recipe import step_document
from unisono.compress.steps.base import Step
from unisono.compress.subject import Subject

_LIBRARIES = ("torch", "torch-pruning", "transformers", "onnx", "onnxruntime", "lightgbm", "scikit-learn", "numpy")
_SHARED = ("modules", "teacher.py")


def subject_identity(subject: Subject) -> str:
    """Of a model: its structure and its numbers; 32 hexadecimal digits."""
    if subject.torch is not None:
        return _module_identity(subject)
    if subject.graph is not None:
        graph = load_model_from_string(subject.graph.graph)
        return _hash(graph.SerializeToString(deterministic=True), repr(sorted(subject.graph.extras.items())).encode())
    raise TypeError("an ensemble is known by its graph")


def _module_identity(subject: Subject) -> str:
    model = subject.module()
    content = hashlib.sha256(repr((model.module, model.classes, model.columns)).encode())
    for name, tensor in sorted(model.module.state_dict().items()):
        content.update(name.encode() + str(tensor.dtype).encode() + repr(tuple(tensor.shape)).encode())
        content.update(tensor.detach().contiguous().cpu().numpy().tobytes())
    if model.tokenizer is not None:
        content.update(_tokenizer_said(model.tokenizer))
    return content.hexdigest()[:32]


def _tokenizer_said(tokenizer: Any) -> bytes:
    """What a tokenizer does to a text, but for what its last call has left in it: how that was cut and filled up."""
    document = msgspec.json.decode(tokenizer.backend_tokenizer.to_str())
    said = {**document, "truncation": None, "padding": None}
    return msgspec.json.encode(said, order="sorted") + str(tokenizer.model_max_length).encode()


def stage_identity(before: str, step: Step, *, data: str, seed: int) -> str:
    """Of what a step makes: of what went in, its settings, the data, and the code that does it, the user's as well."""
    said = msgspec.json.encode(step_document(step), order="sorted")
    code = (_code_identity(type(step)).encode(), *step.sources())
    return _hash(before.encode(), said, data.encode(), str(seed).encode(), *code)


def _code_identity(step: type[Step]) -> str:
    """Of the sources in a step's own folder, of what all steps share, and of the libraries' versions."""
    own = Path(inspect.getfile(step)).parent
    shared = [Path(__file__).parents[1] / name for name in _SHARED]
    files = sorted({file for place in (own, *shared) for file in ([place] if place.is_file() else place.rglob("*.py"))})
    versions = [f"{name} {_version(name)}" for name in _LIBRARIES]
    return _hash(*(file.read_bytes() for file in files), unisono.__version__.encode(), repr(versions).encode())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _hash(*parts: bytes) -> str:
    content = hashlib.sha256()
    for part in parts:
        content.update(len(part).to_bytes(8, "little") + part)
    return content.hexdigest()[:32]
