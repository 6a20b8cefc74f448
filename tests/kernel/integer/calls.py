"""Calls of the kernel with an integer network as a piece of memory for any machine, and what registers differ."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.kernel.image import Image, Place
from tests.kernel.machines import Machine
from unisono.kernel.integer import form as at
from unisono.kernel.integer.encoder import Encoder
from unisono.kernel.integer.network import Network, Patches
from unisono.kernel.integer.packing import packed

GUARD = b"\xa5" * 64
"""What lies around the memory that may be written."""


@dataclass(frozen=True)
class Placed:
    """A call as memory: its image, descriptor and workspace, the place of its answer and how many numbers that has."""

    image: Image
    call: Place
    workspace: Place
    out: Place
    size: int

    def changed(self, memory: bytes, **words: int) -> Placed:
        """The same call over the memory that another left, with other words."""
        image = Image(bytearray(memory), self.image.pointers)
        for word, value in words.items():
            struct.pack_into("<q", image.content, self.call.offset + 8 * getattr(at, word), value)
        return Placed(image, self.call, self.workspace, self.out, self.size)


def placed(network: Network, given: Sequence[Any], *, room: int | None = None, fill: int = 0) -> Placed:
    """The call that answers one text or image.

    room: bytes of the workspace, if not as many as it needs.
    fill: every byte of it before the call.
    """
    is_images = isinstance(network.instructions[0], Patches)
    encoder = Encoder(network)
    needed = encoder.workspace_bytes(len(given)) if room is None else room
    size = encoder.answer(given).size
    image = Image()
    blob = image.place(packed(network))
    asked = image.place(np.array(given, np.uint8 if is_images else np.int32).tobytes())
    image.place(GUARD)
    workspace = image.place(bytes([fill]) * needed)
    image.place(GUARD)
    out = image.place(bytes(4 * size))
    words: list[int | Place] = [0] * at.CALL_WORDS
    words[at.NETWORK], words[at.WORKSPACE], words[at.WORKSPACE_BYTES] = blob, workspace, needed
    words[at.ASKED], words[at.TOKENS], words[at.OUT] = asked, len(given), out
    words[at.START], words[at.STOP] = 0, -1
    return Placed(image, image.words(*words), workspace, out, size)


def registers_on(machine: Machine, network: Network, given: Sequence[Any]) -> list[list[list[int]]]:
    """Every register that a machine makes, one call an instruction."""
    call = placed(network, given)
    found = []
    for index in range(len(network.instructions)):
        call = call.changed(bytes(call.image.content), START=index, STOP=index + 1)
        said, memory = machine.call("answer_network", call.image, call.call)
        assert said == at.DONE
        call = call.changed(memory)
        found.append(_register(call, network, given, index))
    return found


def _register(call: Placed, network: Network, given: Sequence[Any], index: int) -> list[list[int]]:
    """A register in the memory that a machine left."""
    desk = Encoder(network)._desk(given)
    begin = call.workspace.offset
    left = np.frombuffer(bytes(call.image.content[begin : begin + len(desk.workspace)]), np.uint8)
    desk.workspace[:] = left
    found: list[list[int]] = desk.register(index).tolist()
    return found


def answer_on(machine: Machine, network: Network, given: Sequence[Any], **how: int) -> list[int]:
    """What a machine answers, number after number, with the memory around its workspace looked at."""
    call = placed(network, given, **how)
    said, memory = machine.call("answer_network", call.image, call.call)
    assert said == at.DONE
    assert _untouched(call, memory)
    found: list[int] = np.frombuffer(memory[call.out.offset :], np.int32, call.size).tolist()
    return found


def _untouched(call: Placed, memory: bytes) -> bool:
    """Is all but the workspace and the answer as it was?"""
    before, begin = bytes(call.image.content), call.workspace.offset
    end = memory.index(GUARD, begin + struct.unpack_from("<q", memory, call.call.offset + 8 * at.WORKSPACE_BYTES)[0])
    return memory[:begin] == before[:begin] and memory[end : call.out.offset] == before[end : call.out.offset]


def first_difference(network: Network, wanted: Sequence[Any], found: Sequence[Any]) -> str:
    """The name of the first instruction whose register differs in the rows that were made; empty: none does."""
    triples = zip(network.instructions, wanted, found, strict=True)
    return next((one.name for one, want, seen in triples if not np.array_equal(want[: len(seen)], seen)), "")
