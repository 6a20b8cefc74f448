"""What transforms need beyond the array API: nulls and categories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from unisono.spec.errors import DefinitionError
from unisono.spec.wording import quoted

_masks: ContextVar[dict[int, tuple[Any, Any]]] = ContextVar("unisono_null_masks")
"""id of a column's array -> the array (kept, so that no other gets its id) and the array that says where it is null."""


@contextmanager
def remembering_masks() -> Iterator[dict[int, tuple[Any, Any]]]:
    """While a transform is traced: the masks of the columns it has taken."""
    masks: dict[int, tuple[Any, Any]] = {}
    token = _masks.set(masks)
    try:
        yield masks
    finally:
        _masks.reset(token)


def is_null(column: Any) -> Any:
    """Where a column has no value: an array of booleans that is never null itself.

    column: as taken from a namespace (`request["carrier"]`), before anything is done with it.

    Raises DefinitionError for anything else. To be used inside a transform.
    """
    known = _masks.get({}).get(id(column))
    if known is None:
        raise DefinitionError(
            f"is_null of {quoted(column)}, which is not a column as a namespace gave it; "
            'allowed: e.g. request["carrier"]; ask inside a transform, and before anything is done with the column'
        )
    return known[1]


def fill_null(column: Any, value: Any) -> Any:
    """A column with a value where it has none; what is made of the answer is not null there.

    column: as taken from a namespace, before anything is done with it.
    value:  of the column's type.

    Raises DefinitionError. To be used inside a transform.
    """
    import ndonnx

    return ndonnx.where(is_null(column), ndonnx.asarray(value, dtype=column.dtype), column)


def category(column: Any, names: Sequence[str]) -> Any:
    """The position of each text in a list, as int64; -1 for a text that is not in it.

    column: an array of strings.
    names:  the categories, each once. Their order is part of the meaning: a model learns the positions.

    Raises DefinitionError if the names are no list of different strings. To be used inside a transform.
    """
    import ndonnx

    if isinstance(names, str) or not names or not all(isinstance(name, str) for name in names):
        raise DefinitionError(f"categories {quoted(names)}; allowed: one or more strings; write e.g. ['EWR', 'JFK']")
    positions = {name: position for position, name in enumerate(names)}
    if len(positions) < len(names):
        raise DefinitionError(
            f"categories {quoted(list(names))} with one of them twice; allowed: each once; remove one"
        )
    return ndonnx.extensions.static_map(column, positions, default=-1)
