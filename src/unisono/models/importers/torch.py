"""PyTorch: any `torch.nn.Module` that reads numbers or tensors, and gives one row for each.

A module says what it is by the names that scikit-learn uses: `feature_names_in_`, the columns that it reads, and
`classes_`, the labels that its scores are of. Without classes it is a regression; with a dict of outputs, each has its
name.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from unisono.models.columns import encode
from unisono.models.importers.base import (
    NUMBERS,
    Answers,
    Block,
    ImportedModel,
    Tensor,
    comes_from,
    match_columns,
    matrix_of,
    refuse_other_dtypes,
)
from unisono.models.importers.torch_graph import (
    Input,
    Meaning,
    answers_of,
    ask,
    frozen,
    graph_of,
    in_batches,
    meaning_of,
    quiet,
)
from unisono.models.tensors import ELEMENTS
from unisono.spec.errors import ModelError
from unisono.spec.types import DType
from unisono.spec.types import Tensor as TensorType
from unisono.spec.wording import listing

_MATRIX = "matrix"
_ROWS = 256  # asked at a time


class Torch:
    """The importer of modules."""

    def accepts(self, model: object) -> bool:
        """Whether this is a module of PyTorch, the user's own or a library's."""
        return comes_from(model, "torch") and callable(getattr(model, "forward", None))

    def import_model(
        self, model: Any, *, inputs: Mapping[str, DType], columns: Sequence[str] | None = None
    ) -> ImportedModel:
        """The module as a graph; it is taken as it predicts, whatever mode it is in.

        Raises ModelError for what torch cannot export, and for columns that are not there.
        """
        with quiet():
            module = frozen(model)
        blocks, taken = arguments_of(model, inputs, columns)
        examples = [_example(one) for one in taken]
        meaning = meaning_of(module, _asked(module, examples), getattr(model, "classes_", None))
        return ImportedModel(
            task=meaning.task,
            classes=meaning.classes,
            blocks=tuple(blocks),
            graph=graph_of(module, taken, examples, meaning),
            library=f"torch {_version()}",
            finite=False,
            answer=lambda frame: _answer(module, frame, blocks, taken, inputs, meaning),
        )


def arguments_of(
    model: Any, inputs: Mapping[str, DType], columns: Sequence[str] | None
) -> tuple[list[Block], list[Input]]:
    """What a module takes, one block and one input an argument. Raises ModelError if it does not say, or cannot."""
    blocks = _blocks(_columns(model, inputs, columns), inputs)
    return blocks, [_input(block, inputs, _element(model)) for block in blocks]


def _columns(model: Any, inputs: Mapping[str, DType], columns: Sequence[str] | None) -> tuple[str, ...]:
    """What it reads: as the user says, as it says itself, or by the names of its arguments."""
    known = getattr(model, "feature_names_in_", None)
    if known is not None:
        return match_columns([str(name) for name in known], inputs, columns)
    if columns is not None:
        return match_columns(columns, inputs, columns)
    tensors = [name for name, dtype in inputs.items() if isinstance(dtype, TensorType)]
    arguments = [name for name, one in inspect.signature(model.forward).parameters.items() if one.default is one.empty]
    if arguments and all(name in tensors for name in arguments):
        return tuple(arguments)
    if len(arguments) == len(tensors) == 1:
        return tuple(tensors)
    raise ModelError(
        f"model: forward({', '.join(arguments)}) of {type(model).__name__} does not say which columns it reads; "
        f"allowed: {listing(inputs)}; say columns=[...], or set feature_names_in_ to their names, in its order"
    )


def _blocks(names: Sequence[str], inputs: Mapping[str, DType]) -> list[Block]:
    """One argument for each tensor, and one for all numbers, where the first of them stands."""
    numbers = tuple(name for name in names if not isinstance(inputs[name], TensorType))
    refuse_other_dtypes(numbers, inputs, NUMBERS)
    blocks: dict[str, Block] = {}
    for name in names:
        own = Block(_MATRIX, numbers) if name in numbers else Block(f"tensor.{name}", (name,), kind="tensor")
        blocks.setdefault(own.name, own)
    return list(blocks.values())


def _element(module: Any) -> type[np.generic]:
    """The floats that a module computes with."""
    import torch

    kinds = [one.dtype for one in (*module.parameters(), *module.buffers()) if one.is_floating_point()]
    return np.float64 if torch.float64 in kinds else np.float32


def _input(block: Block, inputs: Mapping[str, DType], element: type[np.generic]) -> Input:
    if block.kind == "matrix":
        return Input(block.name, np.float64, (len(block.columns),), None if element is np.float64 else element)
    dtype = inputs[block.columns[0]]
    assert isinstance(dtype, TensorType)
    return Input(block.name, ELEMENTS[dtype.element], dtype.shape)


def _example(one: Input) -> Any:
    import torch

    shape = (3, *(side or 1 for side in one.shape))
    return torch.from_numpy(np.ones(shape, one.cast or one.kind))


def _asked(module: Any, examples: Sequence[Any]) -> dict[str, Any]:
    try:
        return ask(module, examples)
    except ModelError:
        raise
    except Exception as error:  # torch's own
        shapes = listing(f"{list(one.shape)} {one.dtype}" for one in examples)
        raise ModelError(
            f"model: {type(module).__name__} fails on {shapes}: {' '.join(str(error).split())[:200]}; allowed: its "
            "columns in the order of its arguments: each Tensor is one, all numbers together are one matrix; say "
            "columns=[...]"
        ) from error


def _answer(
    module: Any,
    frame: pl.DataFrame,
    blocks: Sequence[Block],
    taken: Sequence[Input],
    inputs: Mapping[str, DType],
    meaning: Meaning,
) -> Answers:
    import torch

    arrays = arrays_of(frame, blocks, taken, inputs)

    def ask_part(start: int, end: int) -> Answers:
        return answers_of(ask(module, [torch.tensor(one[start:end]) for one in arrays]), meaning)

    return in_batches(frame.height, _ROWS, ask_part)


def arrays_of(
    frame: pl.DataFrame, blocks: Sequence[Block], taken: Sequence[Input], inputs: Mapping[str, DType]
) -> list[Tensor]:
    """The columns of a frame as a module takes them, one array an argument."""
    with np.errstate(over="ignore"):
        return [
            matrix_of(frame, block.columns, inputs).astype(one.cast or one.kind)
            if block.kind == "matrix"
            else encode(frame.get_column(block.columns[0]), inputs[block.columns[0]], place="sample")[0]
            for block, one in zip(blocks, taken, strict=True)
        ]


def _version() -> str:
    import torch

    return str(torch.__version__).partition("+")[0]
