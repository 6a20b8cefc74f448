"""A PyTorch module as a graph: exported by `torch.onnx` for any number of rows, then what its outputs mean."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import spox
import spox.opset.ai.onnx.v21
from numpy.typing import NDArray

from unisono.models.canonical import canonical
from unisono.models.emit import OPSET
from unisono.models.importers.base import Answers, Task, class_array, labelled
from unisono.models.importers.torch_resize import with_exact_pixels
from unisono.models.names import PREDICTION, PROBABILITIES, PROBABILITY
from unisono.models.steady import with_steady_scores
from unisono.spec.errors import ModelError
from unisono.spec.wording import is_name, listing, one_line, quoted

Tensor = NDArray[Any]
Var = Any  # spox's own types are not exported, nor are all of its operators
op: Any = spox.opset.ai.onnx.v21

_SIZES = (1, 2, 3)
_STEP = "write forward() so that the first axis of what it takes and gives is the rows, of any number"


@dataclass(frozen=True, slots=True)
class Input:
    """One argument of a module.

    name:  of the graph's input.
    kind:  numpy's type of what the graph gets.
    shape: of one row; None: of any length.
    cast:  the type that the module takes, if it is another.
    """

    name: str
    kind: type[np.generic]
    shape: tuple[int | None, ...]
    cast: type[np.generic] | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a module's outputs are.

    task:    as of an ImportedModel.
    classes: the labels in order; empty where there are none.
    names:   of the outputs, for the task "outputs".
    """

    task: Task
    classes: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()


def frozen(module: Any) -> Any:
    """A copy of a module as it predicts: on the CPU, without dropout."""
    from copy import deepcopy

    return deepcopy(module).cpu().eval().requires_grad_(requires_grad=False)


def ask(module: Any, arguments: Sequence[Any]) -> dict[str, Any]:
    """What a module says: output name -> tensor; the one tensor that it gives is the prediction.

    Raises ModelError if it gives something else.
    """
    import torch

    with torch.inference_mode():
        said = module(*arguments)
    outputs = {PREDICTION: said} if isinstance(said, torch.Tensor) else said
    if not isinstance(outputs, Mapping) or not all(isinstance(one, torch.Tensor) for one in outputs.values()):
        raise ModelError(
            f"model: {type(module).__name__} gives {quoted(type(said))}; allowed: a tensor, or a dict from a name to a "
            "tensor; return one of these from forward()"
        )
    wrong = [name for name in outputs if not is_name(name)]
    if wrong:
        raise ModelError(f"model: an output is named {quoted(wrong[0])}; allowed: names such as embedding; rename it")
    return dict(outputs)


def meaning_of(module: Any, outputs: Mapping[str, Any], classes: Sequence[Any] | None) -> Meaning:
    """What a module's outputs mean: `classes` are of its scores, a dict has names of its own, else it is a regression.

    Raises ModelError for scores that do not fit the classes, and outputs that are no numbers.
    """
    if [*outputs] != [PREDICTION]:
        if classes is not None:
            raise ModelError("model: classes_, and a dict of outputs; allowed: one tensor of scores; return that")
        return Meaning("outputs", names=tuple(outputs))
    shape = tuple(outputs[PREDICTION].shape[1:])
    if classes is None:
        if len(shape) > 1 or not outputs[PREDICTION].is_floating_point():
            seen = f"{outputs[PREDICTION].dtype}, rows x {listing(shape)}"
            raise ModelError(
                f"model: {type(module).__name__} gives {seen}; allowed: one number a row, or a row of them; "
                'return {"NAME": ...} for anything else'
            )
        return Meaning("regression")
    labels = tuple(class_array(list(classes)).tolist())
    fits = shape in ((len(labels),), *([(), (1,)] if len(labels) == 2 else []))
    if not fits or len(labels) < 2:
        raise ModelError(
            f"model: scores of the shape rows x {listing(shape)} for the {len(labels)} classes {listing(labels)}; "
            "allowed: one score a class, or one of the second of two; correct classes_"
        )
    return Meaning("binary" if len(labels) == 2 else "multiclass", labels)


def graph_of(module: Any, inputs: Sequence[Input], examples: Sequence[Any], meaning: Meaning) -> bytes:
    """The module's graph with the outputs of its task.

    module:   frozen.
    examples: one tensor an input, as the module takes it, of three rows.

    Raises ModelError if torch cannot export it, or its answer has not one value a row.
    """
    _refuse_fixed_rows(module, examples)
    exported = _exported(module, inputs, [one[:2] for one in examples])
    arguments = {
        one.name: spox.argument(spox.Tensor(one.kind, ("N", *("T" if side is None else side for side in one.shape))))
        for one in inputs
    }
    taken = [
        argument if one.cast is None else op.cast(argument, to=one.cast)
        for one, argument in zip(inputs, arguments.values(), strict=True)
    ]
    given = spox.inline(exported)(**{f"_input_{place}": one for place, one in enumerate(taken)})
    outputs = _meant(list(given.values()), meaning)
    return canonical(with_steady_scores(spox.build(arguments, outputs)), {})


def answers_of(outputs: Mapping[str, Any], meaning: Meaning) -> Answers:
    """A module's own outputs as the graph gives them."""
    arrays = {name: one.numpy() for name, one in outputs.items()}
    if meaning.task == "outputs":
        return arrays
    numbers = arrays[PREDICTION].astype(np.float64)
    if meaning.task == "regression":
        return {PREDICTION: numbers[:, 0] if numbers.shape[1:] == (1,) else numbers}
    return labelled(meaning.task, _probabilities(numbers), class_array(meaning.classes))


def _probabilities(scores: Tensor) -> Tensor:
    """Of each class, from one score a class or one of the second of two."""
    if scores.ndim == 1 or scores.shape[1] == 1:
        with np.errstate(over="ignore"):
            second = 1.0 / (1.0 + np.exp(-scores.reshape(-1)))
        return np.stack([1.0 - second, second], axis=1)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    whole: Tensor = powers / powers.sum(axis=1, keepdims=True)
    return whole


def _meant(given: Sequence[Var], meaning: Meaning) -> dict[str, Var]:
    if meaning.task == "outputs":
        return dict(zip(meaning.names, given, strict=True))
    numbers = op.cast(given[0], to=np.float64)
    sides = len(given[0].unwrap_tensor().shape or ())
    is_single = sides == 1 or given[0].unwrap_tensor().shape[1] == 1
    if meaning.task == "regression":
        return {PREDICTION: _flat(numbers) if is_single else numbers}
    labels = class_array(meaning.classes)
    names = op.const(labels.astype(np.str_) if labels.dtype == object else labels)
    if is_single:
        probability = op.sigmoid(_flat(numbers))
        place = op.cast(op.greater(probability, op.const(0.5)), to=np.int64)
        return {PREDICTION: op.gather(names, place), PROBABILITY: probability}
    probabilities = op.softmax(numbers, axis=1)
    prediction = op.gather(names, op.arg_max(probabilities, axis=1, keepdims=0))
    if meaning.task == "binary":
        return {PREDICTION: prediction, PROBABILITY: op.gather(probabilities, op.const(np.int64(1)), axis=1)}
    return {PREDICTION: prediction, PROBABILITIES: probabilities}


def _flat(numbers: Var) -> Var:
    return op.reshape(numbers, op.const(np.array([-1])))


def _refuse_fixed_rows(module: Any, examples: Sequence[Any]) -> None:
    for rows in _SIZES:
        try:
            outputs = ask(module, [one[:rows] for one in examples])
        except ModelError:
            raise
        except Exception as error:  # torch's own
            raise ModelError(
                f"model: {type(module).__name__} fails on {rows} rows: {one_line(error)}; allowed: any number; {_STEP}"
            ) from error
        wrong = [name for name, one in outputs.items() if one.ndim == 0 or len(one) != rows]
        if wrong:
            seen = f"{list(outputs[wrong[0]].shape)} for {rows} rows"
            raise ModelError(
                f"model: {wrong[0]} has the shape {seen}; allowed: one value a row, or a row of them; {_STEP}"
            )


def _exported(module: Any, inputs: Sequence[Input], examples: Sequence[Any]) -> onnx.ModelProto:
    """As torch exports it: `_input_0`, ... and `_output_0`, ..."""
    import torch

    rows = torch.export.Dim("rows")
    axes = tuple(
        {0: rows, **{axis: torch.export.Dim(f"axis{axis}") for axis, side in enumerate(one.shape, 1) if side is None}}
        for one in inputs
    )
    count = len(ask(module, examples))
    with quiet():
        try:
            program: Any = torch.onnx.export(
                _as_tuple(module),
                tuple(examples),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=(axes,),
                input_names=[f"_input_{place}" for place in range(len(inputs))],
                output_names=[f"_output_{place}" for place in range(count)],
                verbose=False,
            )
        except Exception as error:  # of many kinds, most of them torch's own
            raise ModelError(
                f"model: torch cannot export {type(module).__name__}: {_reason(error)}; allowed: a module whose steps "
                f"do not depend on the values that it is given; {_STEP}"
            ) from error
    return with_exact_pixels(program.model_proto)


def _as_tuple(module: Any) -> Any:
    """The module with its outputs in order, without names."""
    import torch

    class Ordered(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, *arguments: Any) -> Any:
            said = self.inner(*arguments)
            return tuple(said.values()) if isinstance(said, Mapping) else said

    return Ordered().eval()


def _reason(error: Exception) -> str:
    """The first line of what is behind torch's long advice."""
    cause = error
    while isinstance(cause.__cause__, Exception):
        cause = cause.__cause__
    lines = [line for line in str(cause).splitlines() if line.strip()]
    return one_line(lines[0] if lines else type(cause).__name__)


@contextmanager
def quiet() -> Iterator[None]:
    """Without torch's remarks on libraries that are not installed, and on its own future."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def in_batches(rows: int, size: int, ask_part: Callable[[int, int], Answers]) -> Answers:
    """The answers to rows, some at a time: `ask_part` is given where they begin and end."""
    parts = [ask_part(start, min(start + size, rows)) for start in range(0, rows, size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
