"""What causal attention remembers of the events before, as bytes: of one size, whatever has come.

Little-endian: "UATT", the version (uint16), the element (uint16: 1 float64, 2 int64), an identity of what it is a state
of (16 bytes), the events that it has seen (uint64), the sums, and the CRC-32 of all before it (uint32).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from struct import Struct
from typing import Any, Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from unisono.spec.errors import StateError

VERSION = 1
_MAGIC = b"UATT"
_HEAD, _CHECK = Struct("<4sHH16sQ"), Struct("<I")
_ELEMENTS = {"<f8": 1, "<i8": 2}


@dataclass(frozen=True, slots=True)
class Layout:
    """Of the states of one network.

    identity:    16 bytes; a state of another network has another.
    element:     numpy's name of the numbers.
    shapes:      of the sums, one a layer.
    most_events: after which nothing more may come; None: no end.
    """

    identity: bytes
    element: Literal["<f8", "<i8"]
    shapes: tuple[tuple[int, ...], ...]
    most_events: int | None = None

    @property
    def size_bytes(self) -> int:
        """Of every state."""
        return _HEAD.size + sum(map(prod, self.shapes)) * np.dtype(self.element).itemsize + _CHECK.size

    def begin(self) -> bytes:
        """The state before the first event."""
        return self.write(0, [np.zeros(shape, self.element) for shape in self.shapes])

    def write(self, events: int, sums: Sequence[NDArray[Any]]) -> bytes:
        """A state that has seen some events."""
        head = _HEAD.pack(_MAGIC, VERSION, _ELEMENTS[self.element], self.identity, events)
        content = b"".join([head, *(np.ascontiguousarray(one, self.element).tobytes() for one in sums)])
        return content + _CHECK.pack(crc32(content))

    def read(self, state: bytes) -> tuple[int, list[NDArray[Any]]]:
        """Events that a state has seen, and its sums.

        Raises StateError for bytes that are no state of this network, and for one that has seen all that it can.
        """
        if len(state) != self.size_bytes:
            raise _unfit(f"{len(state):,} bytes", f"{self.size_bytes:,}")
        magic, version, element, identity, events = _HEAD.unpack_from(state)
        if magic != _MAGIC or _CHECK.unpack_from(state, len(state) - _CHECK.size)[0] != crc32(state[: -_CHECK.size]):
            raise _unfit("other bytes than were written", "a state as `step` gave it")
        if version != VERSION:
            raise _unfit(f"version {version}", f"version {VERSION}")
        if element != _ELEMENTS[self.element] or identity != self.identity:
            raise _unfit("a state of another network", "of this one")
        if self.most_events is not None and events >= self.most_events:
            raise _unfit(f"{events:,} events", f"fewer than {self.most_events:,}, up to which no sum overflows")
        return events, self._sums(state)

    def _sums(self, state: bytes) -> list[NDArray[Any]]:
        flat = np.frombuffer(state[_HEAD.size : -_CHECK.size], self.element)
        ends = np.cumsum([prod(shape) for shape in self.shapes])
        parts = np.split(flat, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]


def _unfit(seen: str, allowed: str) -> StateError:
    return StateError(
        f"state of attention: {seen}; allowed: {allowed}; begin again with `begin()`, and the first event"
    )
