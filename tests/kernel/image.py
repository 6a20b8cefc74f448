"""A piece of memory that any machine can be given: bytes, and which of its words hold addresses within it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """An offset into an image: an address, once the image lies somewhere."""

    offset: int


@dataclass(slots=True)
class Image:
    """Grows by `place` and `words`; `at` gives the bytes for a base address, `lifted` makes two bases comparable."""

    content: bytearray = field(default_factory=bytearray)
    pointers: list[int] = field(default_factory=list)

    def place(self, data: bytes) -> Place:
        """Append bytes, aligned to a word; where they are."""
        self.content.extend(bytes(-len(self.content) % WORD_BYTES))
        place = Place(len(self.content))
        self.content.extend(data)
        return place

    def words(self, *values: int | Place) -> Place:
        """Append int64 words; a Place becomes the address of that place."""
        place = self.place(bytes(WORD_BYTES * len(values)))
        for index, value in enumerate(values):
            offset = place.offset + WORD_BYTES * index
            if isinstance(value, Place):
                self.pointers.append(offset)
            number = value.offset if isinstance(value, Place) else value
            struct.pack_into("<q", self.content, offset, number)
        return place

    def at(self, base: int) -> bytes:
        """The bytes of the image lying at an address."""
        return _moved(bytes(self.content), self.pointers, base)

    def lifted(self, data: bytes, base: int) -> bytes:
        """What a machine left at an address, with addresses as offsets again."""
        return _moved(data, self.pointers, -base)


def _moved(data: bytes, pointers: list[int], distance: int) -> bytes:
    moved = bytearray(data)
    for offset in pointers:
        (value,) = struct.unpack_from("<q", moved, offset)
        struct.pack_into("<q", moved, offset, value + distance)
    return bytes(moved)
