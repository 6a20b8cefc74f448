"""From a module of torch to its integer network, with the calibration that does best on validation rows."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.compress.context import Context
from unisono.compress.data import sample_of
from unisono.compress.integer import floating, matrices, stems
from unisono.compress.integer.building import Built, Rows, built
from unisono.compress.integer.curves import IBERT, SHIFT, Curves
from unisono.compress.integer.encoder import Encoder, Floats, Squares, Words
from unisono.compress.integer.graph import Front, model_of
from unisono.compress.integer.growing import How
from unisono.compress.integer.reading import read
from unisono.compress.integer.scales import Calibration, Spans
from unisono.compress.integer.step import FEWEST_ROWS, Integer
from unisono.compress.modules.model import TorchModel, answers
from unisono.kernel.integer.network import BYTE_TOP
from unisono.models import ImportedModel
from unisono.models.importers.huggingface import Pair, tokenizer_of
from unisono.models.tokenizer_files import files_of
from unisono.spec.errors import InputError, ModelError

_CURVES: Mapping[str, Curves] = {"ibert": IBERT, "shift": SHIFT}
_TRIED: tuple[Calibration, ...] = ("minmax", "percentile", "mse")
_SAME = 1e-3  # share of the scores' spread, that the matrices may be off the module


def converted(model: TorchModel, step: Integer, context: Context) -> tuple[ImportedModel, dict[str, object]]:
    """A module in whole numbers, and what was found out. Raises ModelError, InputError: see `Integer`."""
    encoder = read(model.module)
    front, encoder = _front(model, encoder, context)
    train = _sample(context.data.train, step, context)
    rows = rows_of(encoder, model.arrays(train)[0])
    _refuse_other(model, encoder, train, rows)
    validation = _sample(context.data.validation, step, context)
    made, errors = _best(encoder, rows, rows_of(encoder, model.arrays(validation)[0]), step, context)
    calibration = min(errors, key=lambda one: errors[one])
    found = made[calibration]
    notes: dict[str, object] = {
        "calibration": calibration,
        "validation_errors": errors,
        "errors": found.errors,
        "alphas": found.alphas,
        "weights": sum(one.size for one in found.network.arrays() if one.dtype == np.int8),
    }
    return model_of(found.network, encoder, front, model.classes), notes


def rows_of(encoder: Encoder, arrays: NDArray[Any]) -> Rows:
    """Rows as calibration takes them. arrays: token ids, one array a text; or images.

    Raises InputError for images whose numbers are not 0 to 1.
    """
    if isinstance(encoder.stem, Squares):
        _refuse_pixels(arrays)
        patches = stems.patches_of(arrays.astype(np.float64), encoder.stem)
        return Rows(patches, np.arange(len(arrays) + 1) * encoder.stem.count)
    lengths = [len(one) for one in arrays]
    return Rows(np.concatenate(list(arrays)).astype(np.int64), np.cumsum([0, *lengths]))


def _refuse_pixels(images: NDArray[Any]) -> None:
    least, most = float(images.min()), float(images.max())
    if least < 0 or most > 1:
        raise InputError(
            f"integer: pixels from {least:g} to {most:g}; allowed: 0 to 1; divide them by their largest value before "
            "the model is trained"
        )


def _front(model: TorchModel, encoder: Encoder, context: Context) -> tuple[Front, Encoder]:
    """What the model reads; positions that no text reaches are left out."""
    column, inputs = model.columns[0], context.data.inputs
    if isinstance(encoder.stem, Squares):
        return Front(column, inputs, {}), encoder
    if model.tokenizer is None:
        raise ModelError(
            "integer: token ids without a tokenizer; allowed: a model that reads texts; pass (model, tokenizer)"
        )
    tokenizer = tokenizer_of(Pair(_with_config(model), model.tokenizer))
    _refuse_words(encoder.stem, model.tokenizer)
    stem = replace(encoder.stem, positions=encoder.stem.positions[: tokenizer.length])
    return Front(column, inputs, files_of(column, tokenizer)), replace(encoder, stem=stem)


def _with_config(model: TorchModel) -> Any:
    """The part of a module that says how many positions it has."""
    return next(one for one in model.module.modules() if hasattr(one, "config"))


def _refuse_words(stem: Words, tokenizer: Any) -> None:
    largest = max(tokenizer.get_vocab().values())
    if largest >= len(stem.words):
        raise ModelError(
            f"integer: the tokenizer gives ids up to {largest:,}; allowed: below {len(stem.words):,}, the words of the "
            "model; use its own tokenizer, or resize_token_embeddings"
        )


def _sample(frame: pl.DataFrame, step: Integer, context: Context) -> pl.DataFrame:
    found = sample_of(frame, step.rows, context.seed)
    if found.height < FEWEST_ROWS:
        raise InputError(
            f"integer: {found.height} rows to see ranges in; allowed: {FEWEST_ROWS} or more in the training part, and "
            "in the validation part; give more rows, since ranges of a few are those of no others"
        )
    return found


def _refuse_other(model: TorchModel, encoder: Encoder, frame: pl.DataFrame, rows: Rows) -> None:
    """A module may do more than its layers say. It is asked what calibration shows: pixels in 8 bits."""
    shown = model.arrays(frame)
    if isinstance(encoder.stem, Squares):
        shown = [(np.rint(one * BYTE_TOP) / BYTE_TOP).astype(one.dtype) for one in shown]
    ours = floating.answers(encoder, rows.given, rows.bounds)
    theirs = answers(replace(model, arrays=lambda _: shown), frame)
    if theirs.shape[1] > ours.shape[1]:  # the one score of the second of two classes
        theirs = theirs[:, 1:]
    off, spread = float(np.abs(ours - theirs).max()), float(theirs.std()) + 1e-6
    if off > _SAME * spread:
        raise ModelError(
            f"integer: {type(model.module).__name__} gives other scores than its layers, by up to {off:.2g}; allowed: "
            "a model that does nothing to what it is given, or gives, around them; put what it does into the data"
        )


def _best(
    encoder: Encoder, rows: Rows, validation: Rows, step: Integer, context: Context
) -> tuple[dict[Calibration, Built], dict[Calibration, float]]:
    """A network by each calibration, and how far it is from the floats on validation rows."""
    tried: Sequence[Calibration] = _TRIED if step.calibration == "best" else (step.calibration,)
    wanted = floating.answers(encoder, validation.given, validation.bounds)
    made: dict[Calibration, Built] = {}
    errors: dict[Calibration, float] = {}
    for one in tried:
        make = partial(
            built,
            encoder,
            rows,
            how=How(_CURVES[step.mode], Spans(one, step.percentile)),
            progress=partial(context.progress, f"calibrating by {one}"),
        )
        made[one] = _kept(context.stage / f"{one}.pickle", make)
        errors[one] = error_of(made[one], validation, wanted)
    return made, errors


def _kept(path: Path, make: Callable[[], Built]) -> Built:
    """What a run that was cut has made already, or what is made now."""
    if not path.exists():
        path.with_suffix(".part").write_bytes(pickle.dumps(make()))
        path.with_suffix(".part").replace(path)
    found: Built = pickle.loads(path.read_bytes())
    return found


def error_of(found: Built, rows: Rows, wanted: Floats) -> float:
    """Root mean square difference of a network's answers, as a share of their spread."""
    network = found.network
    given = (matrices.answered(network, rows.given, rows.bounds) - network.zero) * network.scale
    return float(np.sqrt(((given - wanted) ** 2).mean()) / max(float(wanted.std()), 1e-12))
