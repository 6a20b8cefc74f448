"""The rows of a frame as data of a recipe: to learn from, to choose by, to be judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.compress.data import Data, column_of
from unisono.compress.recipe import DataSettings
from unisono.spec.errors import InputError
from unisono.spec.types import DType
from unisono.spec.wording import listing, quoted

_PARTS = ("train", "validation", "test")
_FEWEST = 10  # rows of a part


def split(
    frame: pl.DataFrame,
    settings: DataSettings,
    *,
    reads: Sequence[str],
    carries: Sequence[str],
    inputs: Mapping[str, DType],
    classes: tuple[Any, ...],
    label: str | None,
    unlabelled: pl.DataFrame | None = None,
) -> Data:
    """The rows of a frame in three parts; rows whose label is null join those without one.

    reads:   the columns that the model reads.
    carries: other columns that the predictor knows; those that are there are kept.
    label:   the predictor's, if the settings do not name one.

    Raises InputError for columns that are not there, labels that the model does not know, and too few rows.
    """
    name = _label(settings, label)
    column_of(frame, name, "label")
    for column in reads:
        column_of(frame, column, "model's input")
    for column in settings.slices:
        column_of(frame, column, "slice of the report")
    known = frame.filter(pl.col(name).is_not_null())
    others = [frame.filter(pl.col(name).is_null()), *([] if unlabelled is None else [unlabelled])]
    carried = [column for column in carries if column in frame.columns]
    kept = list(dict.fromkeys([*reads, *carried, *settings.slices, name]))
    parts = dict(zip(_PARTS, _parts(known, settings, inputs), strict=True))
    _refuse_small(parts)
    chosen = {part: rows.select(kept) for part, rows in parts.items()}
    nameless = pl.concat([_readable(rows, reads) for rows in others])
    data = Data(
        **chosen,
        unlabelled=nameless,
        inputs=inputs,
        label=name,
        classes=classes,
        slices=tuple(settings.slices),
        identity=_identity([*chosen.values(), nameless], name, classes),
    )
    for rows in chosen.values():
        data.targets(rows)
    return data


def _label(settings: DataSettings, label: str | None) -> str:
    name = settings.label or label
    if name is None:
        raise InputError(
            "data: nothing says which column is right: the predictor has no label; allowed: the name of a column; "
            "set `label` in [data] of the recipe"
        )
    return name


def _readable(rows: pl.DataFrame, reads: Sequence[str]) -> pl.DataFrame:
    for column in reads:
        column_of(rows, column, "model's input")
    return rows.select(reads)


def not_test(frame: pl.DataFrame, settings: DataSettings, inputs: Iterable[str], label: str | None) -> pl.DataFrame:
    """The rows that a model may be fitted on: all but those that the report will judge by."""
    name = _label(settings, label)
    column_of(frame, name, "label")
    train, validation, _ = _parts(frame.filter(pl.col(name).is_not_null()), settings, inputs)
    return pl.concat([train, validation])


def _parts(frame: pl.DataFrame, settings: DataSettings, inputs: Iterable[str]) -> list[pl.DataFrame]:
    if settings.split is not None:
        return list(_said(frame, settings.split))
    known = [column for column in inputs if column in frame.columns]
    groups = _groups(frame, known if settings.group is None else settings.group)
    count = int(groups.max()) + 1 if len(groups) else 0
    places = np.random.default_rng(settings.seed).permutation(count)[groups] / max(count, 1)
    test, validation = places < settings.test, places < settings.test + settings.validation
    return [frame.filter(chosen) for chosen in (~validation, validation & ~test, test)]


def _groups(frame: pl.DataFrame, columns: Sequence[str]) -> NDArray[np.int64]:
    """The number of each row's group; rows that are equal in these columns are of one group."""
    if not columns:
        return np.arange(frame.height)
    for column in columns:
        column_of(frame, column, "group")
    keys = [pl.col(name) for name in columns]
    numbered = (
        frame.select(*keys)
        .with_row_index("unisono.row")
        .with_columns(pl.col("unisono.row").min().over(keys).alias("unisono.first"))
    )
    return numbered["unisono.first"].rank("dense").to_numpy().astype(np.int64) - 1


def _said(frame: pl.DataFrame, column: str) -> Iterator[pl.DataFrame]:
    said = column_of(frame, column, "split")
    unknown = [value for value in said.unique(maintain_order=True).to_list() if value not in _PARTS]
    if unknown:
        raise InputError(
            f"data, split {quoted(column)}: {listing(quoted(one) for one in unknown[:5])}; allowed: {listing(_PARTS)}; "
            "correct its values"
        )
    for part in _PARTS:
        yield frame.filter(pl.col(column) == part)


def _refuse_small(parts: Mapping[str, pl.DataFrame]) -> None:
    small = [f"{rows.height} to {part}" for part, rows in parts.items() if rows.height < _FEWEST]
    if small:
        raise InputError(
            f"data: {listing(small)}; allowed: at least {_FEWEST} rows with a label in each part; give more rows, or "
            "change validation and test in [data]"
        )


def _identity(frames: Sequence[pl.DataFrame], label: str, classes: Sequence[Any]) -> str:
    content = hashlib.sha256(repr((label, list(classes))).encode())
    for frame in frames:
        buffer = frame.rechunk().write_ipc(None, compression="uncompressed")
        content.update(buffer.getbuffer())
    return content.hexdigest()[:32]
