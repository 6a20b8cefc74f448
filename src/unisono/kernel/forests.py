"""Sums of decision trees, by the kernel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unisono.kernel import forest as at
from unisono.kernel.call import address_of
from unisono.kernel.library import kernel_functions
from unisono.kernel.planting import plant
from unisono.kernel.walking import Floats, Trees

_FEW_ROWS = 16


class Forest:
    """Decision trees, ready to be asked.

    trees: what they are; see `walking.Trees`.

    Threads may share it. Raises TreesError if they are none.
    """

    __slots__ = ("_add", "_desks", "_rooms", "_size", "_tables", "_template", "targets", "width")

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
        self._desks: list[_Desk] = []
        self._add = kernel_functions()["add_trees"]

    def sums(self, matrix: Floats) -> Floats:
        """What the trees add up to: float64, rows x targets; each sum from 0, in the order of the trees.

        matrix: float64, rows x columns; NaN is missing.

        Raises ValueError if it is no such matrix, or has too few columns.
        """
        if matrix.dtype != np.float64 or matrix.ndim != 2 or matrix.shape[1] < self.width:
            raise ValueError(f"{matrix.dtype} {list(matrix.shape)}, not float64 rows x {self.width} or more")
        return self._sums_of_few(matrix) if len(matrix) <= _FEW_ROWS else self._sums_of_many(matrix)

    def _sums_of_few(self, matrix: Floats) -> Floats:
        """Through a matrix that stays in place: an array's address costs 1 us, where 200 trees take 4 a row."""
        try:
            desk = self._desks.pop()  # one step, whatever other threads do
        except IndexError:
            desk = _Desk(_Room(self._template, self._size), self.width, self.targets)
        rows = len(matrix)
        desk.matrix[:rows] = matrix[:, : self.width]
        desk.sums.fill(0.0)
        desk.room.words[at.ROWS] = rows
        self._add(desk.room.address)
        sums = desk.sums[:rows].copy()
        self._desks.append(desk)
        return sums

    def _sums_of_many(self, matrix: Floats) -> Floats:
        try:
            room = self._rooms.pop()
        except IndexError:
            room = _Room(self._template, self._size)
        matrix = np.ascontiguousarray(matrix)
        sums = np.zeros((len(matrix), self.targets))
        room.take(matrix, sums)
        self._add(room.address)
        self._rooms.append(room)
        return sums


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

    def take(self, matrix: Floats, sums: Floats) -> None:
        """Say what is asked, and where the answers go."""
        words = self.words
        words[at.ROWS], words[at.WIDTH] = matrix.shape
        words[at.MATRIX], words[at.OUT] = address_of(matrix), address_of(sums)


class _Desk:
    """A room with a matrix and sums of few rows, which stay where they are."""

    __slots__ = ("matrix", "room", "sums")

    def __init__(self, room: _Room, width: int, targets: int) -> None:
        self.room = room
        self.matrix, self.sums = np.empty((_FEW_ROWS, width)), np.empty((_FEW_ROWS, targets))
        room.take(self.matrix, self.sums)
