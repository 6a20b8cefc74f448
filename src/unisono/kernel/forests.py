"""Sums of decision trees, by the kernel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unisono.kernel import forest as at
from unisono.kernel.call import address_of
from unisono.kernel.library import kernel_functions
from unisono.kernel.planting import plant
from unisono.kernel.walking import Floats, Trees


class Forest:
    """Decision trees, ready to be asked.

    trees: what they are; see `walking.Trees`.

    Threads may share it. Raises TreesError if they are none.
    """

    __slots__ = ("_add", "_rooms", "_size", "_tables", "_template", "targets", "width")

    def __init__(self, trees: Trees) -> None:
        tables = plant(trees)
        self.width, self.targets = tables.width, trees.targets
        self._tables = {place: np.ascontiguousarray(table) for place, table in tables.arrays.items()}
        self._template = np.zeros(at.FOREST_WORDS, np.int64)
        for place, table in self._tables.items():
            self._template[place] = address_of(table)
        for place, number in tables.numbers.items():
            self._template[place] = number
        self._size = tables.room
        self._rooms: list[_Room] = []
        self._add = kernel_functions()["add_trees"]

    def sums(self, matrix: Floats) -> Floats:
        """What the trees add up to: float64, rows x targets; each sum from 0, in the order of the trees.

        matrix: float64, rows x columns; NaN is missing.

        Raises ValueError if it is no such matrix, or has too few columns.
        """
        if matrix.dtype != np.float64 or matrix.ndim != 2 or matrix.shape[1] < self.width:
            raise ValueError(f"{matrix.dtype} {list(matrix.shape)}, not float64 rows x {self.width} or more")
        matrix = np.ascontiguousarray(matrix)
        sums = np.zeros((len(matrix), self.targets))
        room = self._take_room()
        words = room.words
        words[at.ROWS], words[at.WIDTH] = matrix.shape
        words[at.MATRIX], words[at.OUT] = address_of(matrix), address_of(sums)
        self._add(room.address)
        self._rooms.append(room)
        return sums

    def _take_room(self) -> _Room:
        try:
            return self._rooms.pop()  # one step, whatever other threads do
        except IndexError:
            return _Room(self._template, self._size)


class _Room:
    """A descriptor and the memory that one call works in."""

    __slots__ = ("_memory", "address", "words")

    def __init__(self, template: npt.NDArray[np.int64], sizes: dict[int, int]) -> None:
        self.words = template.copy()
        self.address = address_of(self.words)
        self._memory = np.empty(sum(sizes.values()), np.int64)
        begin = address_of(self._memory)
        for place, words in sizes.items():
            self.words[place] = begin
            begin += 8 * words
