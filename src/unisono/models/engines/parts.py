"""The parts of a graph that is cut at its tree ensembles, as data: nothing of it needs onnx to be run."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.kernel.walking import Ints, Trees
from unisono.models.engines.steps import Steps
from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line


@dataclass(frozen=True, slots=True)
class Ensemble:
    """One tree ensemble.

    matrix, sums: names of what it reads and makes.
    width:        columns that the matrix has to have; None: as many as are asked about, or more.
    trees:        for the kernel.
    whole:        the columns that splits of mode "member" ask about. ONNX says that a fraction is in no set of whole
                  numbers; onnxruntime 1.32 cuts it off if the set has a member beyond 30.
    """

    matrix: str
    sums: str
    width: int | None
    trees: Trees
    whole: Ints


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a graph.

    before:    makes the matrices, and values that are used later, too; None if the matrices are the graph's inputs.
    ensembles: in the middle.
    after:     makes the outputs; None if they are the sums.
    outputs:   their names, in order.
    steps:     the same as `after`, for a few rows, where it is known.
    """

    before: bytes | None
    ensembles: tuple[Ensemble, ...]
    after: bytes | None
    outputs: tuple[str, ...]
    steps: Steps | None

    @property
    def asks_sets(self) -> bool:
        """Whether a split asks if a number is in a set; then some rows have to be left to the whole graph."""
        return any(len(one.whole) for one in self.ensembles)

    def to_bytes(self) -> bytes:
        """As `read_parts` reads them."""
        ensembles = [
            _EnsembleBytes(one.matrix, one.sums, one.width, _TreesBytes.of(one.trees), one.whole.tobytes())
            for one in self.ensembles
        ]
        return msgspec.msgpack.encode(_PartsBytes(self.before, ensembles, self.after, list(self.outputs), self.steps))


class _TreesBytes(msgspec.Struct, array_like=True, frozen=True):
    """`walking.Trees` with its arrays as bytes."""

    feature: bytes
    threshold: bytes
    member_of: bytes
    missing_yes: bytes
    yes: bytes
    no: bytes
    weight: bytes
    target: bytes
    roots: bytes
    sets: list[list[float]]
    targets: int

    @classmethod
    def of(cls, trees: Trees) -> _TreesBytes:
        arrays = {name: np.ascontiguousarray(getattr(trees, name), kind).tobytes() for name, kind in _ARRAYS.items()}
        return cls(**arrays, sets=[list(one) for one in trees.sets], targets=trees.targets)

    def trees(self) -> Trees:
        arrays: dict[str, NDArray[Any]] = {
            name: np.frombuffer(getattr(self, name), kind) for name, kind in _ARRAYS.items()
        }
        return Trees(**arrays, sets=tuple(tuple(one) for one in self.sets), targets=self.targets)


_FLOATS = ("threshold", "weight")
_ARRAYS: dict[str, Any] = {
    one.name: np.float64 if one.name in _FLOATS else np.bool_ if one.name == "missing_yes" else np.int64
    for one in fields(Trees)
    if one.name not in ("sets", "targets")
}


class _EnsembleBytes(msgspec.Struct, array_like=True, frozen=True):
    matrix: str
    sums: str
    width: int | None
    trees: _TreesBytes
    whole: bytes


class _PartsBytes(msgspec.Struct, array_like=True, frozen=True):
    before: bytes | None
    ensembles: list[_EnsembleBytes]
    after: bytes | None
    outputs: list[str]
    steps: Steps | None


def read_parts(content: bytes) -> Parts:
    """What `Parts.to_bytes` wrote. Raises ModelError for anything else."""
    try:
        found = msgspec.msgpack.decode(content, type=_PartsBytes)
        ensembles = tuple(
            Ensemble(one.matrix, one.sums, one.width, one.trees.trees(), np.frombuffer(one.whole, np.int64))
            for one in found.ensembles
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise ModelError(
            f"trees: {one_line(error)}; allowed: what this engine wrote; prepare the version again"
        ) from error
    return Parts(found.before, ensembles, found.after, tuple(found.outputs), found.steps)
