"""Judges what is inside the files of an artifact, before anything is built of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
import numpy as np

from unisono.spec.errors import DefinitionError, ModelError
from unisono.spec.predictor import Predictor
from unisono.spec.project import Definitions
from unisono.spec.serialize import from_json
from unisono.spec.transform import graph_of
from unisono.spec.wording import one_line, quoted
from unisono.store.artifacts import names
from unisono.store.artifacts.limits import Limits
from unisono.store.artifacts.refusal import refused

# A string of JSON, to its end or to the end of the text: it always matches, so no text is gone through twice.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # one level deeper, one level back
_DEEPER = b"\x01"
_CHUNK = 1 << 20


def judge_contents(predictor: str, files: Mapping[str, bytes], limits: Limits) -> None:
    """Raises StateError, with the reason, for files that no predictor of this name could have.

    No file is built into anything but the spec, which is read without running code.
    """
    for name, content in files.items():
        if name != names.GRAPH:
            judge_json(name, content, limits)
    spec = _judge_spec(predictor, files[names.SPEC])
    for transform in Definitions(predictors=[spec]).transforms.values():
        _judge_graph(f"{names.SPEC}: transform {transform.name}", graph_of(transform, {}))
    _judge_graph(names.GRAPH, files[names.GRAPH])


def judge_json(name: str, content: bytes, limits: Limits) -> None:
    """Raises StateError for what is no JSON object, nests too deep, or is of too many parts.

    Nothing is built of it, now; later a few MB of `[[],[],...` would become a few hundred.
    """
    steps = _STRING.sub(b"", content).translate(_STEPS, _NO_BRACKETS)
    if (parts := steps.count(_DEEPER)) > limits.json_parts:
        raise refused(f"{name} of {parts} arrays and objects", f"at most {limits.json_parts}")
    depth = _depth(steps)
    if depth > limits.json_depth:
        raise refused(f"{name} is {depth} levels deep", f"at most {limits.json_depth}")
    try:
        msgspec.json.decode(content, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refused(f"{name} cannot be read ({one_line(error)})", "JSON") from error
    if not content.lstrip().startswith(b"{"):
        raise refused(f"{name} is no object", "a JSON object")


def _depth(steps: bytes) -> int:
    """The deepest level that some steps lead to, gone through a little at a time."""
    level = deepest = 0
    for start in range(0, len(steps), _CHUNK):
        levels = np.cumsum(np.frombuffer(steps[start : start + _CHUNK], np.int8), dtype=np.int64) + level
        level, deepest = int(levels[-1]), max(deepest, int(levels.max()))
    return deepest


def _judge_spec(predictor: str, content: bytes) -> Predictor:
    try:
        spec = from_json(content)
    except DefinitionError as error:
        raise refused(f"{names.SPEC}: {one_line(error, length=400)}", "the spec of a predictor") from error
    if not isinstance(spec, Predictor) or spec.name != predictor:
        seen = f"the spec of {quoted(spec.name)}" if isinstance(spec, Predictor) else "the definitions of a project"
        raise refused(seen, f"the spec of predictor {predictor}, whose artifact this is")
    return spec


def _judge_graph(place: str, graph: bytes) -> None:
    from unisono.models.judging import judge_graph  # imports onnx, which takes a tenth of a second

    try:
        judge_graph(graph)
    except ModelError as error:
        seen, _, allowed = str(error).partition("; allowed: ")
        raise refused(f"{place}: {seen}", allowed.rpartition("; ")[0]) from error
