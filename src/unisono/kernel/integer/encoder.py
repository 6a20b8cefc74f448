"""Answers of an integer network, by the kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from unisono.kernel.call import address_of
from unisono.kernel.integer import form as at
from unisono.kernel.integer.answering import workspace_bytes
from unisono.kernel.integer.cells import cell_of, record, row_at, row_count
from unisono.kernel.integer.checking import INT32_TOP, NetworkError
from unisono.kernel.integer.network import BYTE_TOP, Embedding, Int32s, Network, Patches
from unisono.kernel.integer.packing import packed
from unisono.kernel.integer.unpacking import Blob, unpacked
from unisono.kernel.library import kernel_functions
from unisono.kernel.words import load

_CELLS: dict[int, np.dtype[Any]] = {1: np.dtype("u1"), 2: np.dtype("<u2"), 4: np.dtype("<i4")}


class Encoder:
    """An integer network, ready to be asked: the numbers of `reference`, by the kernel. Threads may share it.

    network: what it is. Raises NetworkError if it cannot be run.

    >>> import numpy as np
    >>> from unisono.kernel.integer.network import Embedding, Network, Pool
    >>> vectors, factors = np.array([[1, 2], [3, 4]], np.int8), np.array([10, 20], np.int32)
    >>> words = Embedding("words", vectors, factors, positions=np.zeros((8, 2), np.int32))
    >>> Encoder(Network((words, Pool("mean", 0, "mean")), zero=0, scale=1.0)).answer([0, 1, 1]).tolist()
    [[43, 60]]
    """

    __slots__ = ("_answer", "_blob", "_desks", "network")

    def __init__(self, network: Network) -> None:
        self._open(network, packed(network))

    @classmethod
    def opened(cls, blob: Blob) -> Encoder:
        """A packed network from anywhere; it is judged first, and not copied: nobody may write into it afterwards.

        Raises NetworkError if it is none.
        """
        self = cls.__new__(cls)
        self._open(unpacked(blob), blob)
        return self

    def _open(self, network: Network, blob: Blob) -> None:
        self.network = network
        self._blob = np.frombuffer(blob, np.uint8)
        self._desks: list[_Desk] = []
        self._answer = kernel_functions()["answer_network"]

    def answer(self, given: Any) -> Int32s:
        """The last register: int32, rows x columns, in which `network.zero` stands for 0.

        given: token ids; or of a network of images its patches, numbers from 0 to 255.

        Raises NetworkError if there are too many or too few, or one is out of range.
        """
        desk = self._desk(given)
        out = desk.empty(len(self.network.instructions) - 1)
        desk.words[at.OUT] = address_of(out)
        self._run(desk, 0, -1)
        self._desks.append(desk)
        return out

    def registers(self, given: Any) -> list[Int32s]:
        """Every register, to find the first that differs elsewhere; rows that nothing reads are left out."""
        desk = self._desk(given)
        found: list[Int32s] = []
        for index in range(len(self.network.instructions)):
            self._run(desk, index, index + 1)
            found.append(desk.register(index))
        self._desks.append(desk)
        return found

    def workspace_bytes(self, tokens: int) -> int:
        """How much memory it takes to answer so many tokens, beside the packed network."""
        desk = _Desk(self._blob)
        desk.words[at.TOKENS] = tokens
        return workspace_bytes(desk.address)

    def _desk(self, given: Any) -> _Desk:
        asked = _patches(first, given) if isinstance(first := self.network.instructions[0], Patches) else _ids(given)
        try:
            desk = self._desks.pop()  # one step, whatever other threads do
        except IndexError:
            desk = _Desk(self._blob)
        desk.take(asked)
        return desk

    def _run(self, desk: _Desk, start: int, stop: int) -> None:
        desk.words[at.START], desk.words[at.STOP] = start, stop
        said = self._answer(desk.address)
        if said != at.DONE:
            raise NetworkError(self._why(said, desk))

    def _why(self, said: int, desk: _Desk) -> str:
        first, tokens = self.network.instructions[0], int(desk.words[at.TOKENS])
        if said == at.REFUSED_ID and isinstance(first, Embedding):
            place = int(desk.words[at.FAULTY])
            return (
                f"token {place} of {tokens} has id {int(desk.asked[place])}; allowed: 0 to {len(first.words) - 1}; "
                "use the tokenizer of this model"
            )
        if said == at.REFUSED_TOKENS and isinstance(first, Patches):
            return f"{tokens} patches; allowed: {first.count}; cut the image as the network's training did"
        if said == at.REFUSED_TOKENS:
            return f"{tokens} tokens; allowed: 1 to {self.network.most_tokens}; shorten the text"
        return f"the kernel refused the packed network ({said}): its bytes were changed after it was opened"


class _Desk:
    """A call and the memory that it works in."""

    __slots__ = ("address", "asked", "words", "workspace")

    def __init__(self, blob: npt.NDArray[np.uint8]) -> None:
        self.words = np.zeros(at.CALL_WORDS, np.int64)
        self.words[at.NETWORK] = address_of(blob)
        self.address = address_of(self.words)
        self.workspace = np.empty(0, np.uint8)

    def take(self, asked: npt.NDArray[Any]) -> None:
        """Say what is asked, and have room for it."""
        self.asked = asked
        self.words[at.ASKED], self.words[at.TOKENS], self.words[at.OUT] = address_of(asked), len(asked), 0
        needed = workspace_bytes(self.address)
        if needed > len(self.workspace):
            self.workspace = np.zeros(needed, np.uint8)
            self.words[at.WORKSPACE], self.words[at.WORKSPACE_BYTES] = address_of(self.workspace), needed

    def empty(self, index: int) -> Int32s:
        """A matrix for a register's numbers."""
        one = record(self.address, index)
        return np.empty((row_count(self.address, one), load(one, at.WIDTH)), np.int32)

    def register(self, index: int) -> Int32s:
        """A register that has just been made."""
        one = record(self.address, index)
        found = self.empty(index)
        width, cell = found.shape[1], cell_of(one)
        for row in range(len(found)):
            begin = row_at(self.address, one, row) - int(self.words[at.WORKSPACE])
            found[row] = self.workspace[begin : begin + width * cell].view(_CELLS[cell])
        return found


def _ids(given: Any) -> npt.NDArray[np.int32]:
    ids = np.asarray(given)
    if ids.ndim != 1 or (ids.dtype.kind not in "iu" and len(ids)):
        raise NetworkError(f"{ids.dtype} {list(ids.shape)}; allowed: whole numbers, the token ids of one text")
    return np.where((ids < 0) | (ids > INT32_TOP), -1, ids).astype(np.int32)


def _patches(one: Patches, given: Any) -> npt.NDArray[np.uint8]:
    patches = np.asarray(given)
    if patches.shape[1:] != (one.width,) or patches.dtype.kind not in "iu":
        raise NetworkError(f"{patches.dtype} {list(patches.shape)}; allowed: whole numbers, {one.count} x {one.width}")
    if patches.size and (patches.min() < 0 or patches.max() > BYTE_TOP):
        raise NetworkError(f"numbers from {patches.min()} to {patches.max()}; allowed: 0 to {BYTE_TOP}")
    return np.ascontiguousarray(patches, np.uint8)
