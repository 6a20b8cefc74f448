"""Immutable pieces that the spec's values are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from unisono.spec.types import DType

V = TypeVar("V")


class FrozenMapping(Mapping[str, V]):
    """A mapping that cannot change, can be hashed and pickled; keeps insertion order, compares without it.

    >>> FrozenMapping({"a": 1, "b": 2}) == FrozenMapping({"b": 2, "a": 1})
    True
    """

    # types.MappingProxyType can neither be pickled nor hashed in Python 3.11.
    __slots__ = ("_items",)
    _items: dict[str, V]

    def __init__(self, items: Mapping[str, V]) -> None:
        object.__setattr__(self, "_items", dict(items))

    def __getitem__(self, name: str) -> V:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __reduce__(self) -> tuple[type[FrozenMapping[V]], tuple[dict[str, V]]]:
        return (type(self), (self._items,))

    def __repr__(self) -> str:
        return repr(self._items)


Schema = FrozenMapping[DType]
"""Column name -> dtype."""


def assign(target: object, **values: object) -> None:
    """Sets the fields of a frozen dataclass once, from its own `__init__`."""
    for name, value in values.items():
        object.__setattr__(target, name, value)


def listed(value: object) -> tuple[object, ...]:
    """A list or tuple as a tuple; anything else as a tuple of that one thing (so that `key="carrier"` reads well)."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)
