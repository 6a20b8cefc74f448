"""Where registers lie in a workspace: those that are not needed at the same time share places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unisono.kernel.integer.checking import Register
from unisono.kernel.integer.form import BLOCK, COLUMNS
from unisono.kernel.integer.network import Activation, Add, Attention, Instruction, Norm, Requantise

NUMBER_BY_NUMBER = (Activation, Add, Norm, Requantise)
"""What has read a row up to a number before it writes that number: may write over what it reads."""

Place = tuple[int, int]
"""Where one begins, and how long it is: bytes a row."""


def cell_bytes(register: Register) -> int:
    """Bytes a number."""
    if register.top is None or register.top > 0xFFFF:
        return 4
    return 1 if register.top <= 0xFF else 2


def stride_bytes(register: Register) -> int:
    """Bytes a row: whole blocks, so that inner products may read a row to its end."""
    return _filled(register.width * cell_bytes(register), BLOCK)


def placed(
    instructions: Sequence[Instruction], registers: Sequence[Register], reads: Sequence[Sequence[int]]
) -> tuple[list[int], int]:
    """Where each register begins, and how much all of them take: bytes a row.

    reads: which registers each instruction reads.
    """
    last = {read: index for index, each in enumerate(reads) for read in each}
    last[len(registers) - 1] = len(registers)
    live: dict[int, Place] = {}
    begins: list[int] = []
    for index, register in enumerate(registers):
        size = stride_bytes(register)
        ending = [read for read in reads[index] if last[read] == index]
        under = [read for read in ending if _can_lie_over(instructions[index], register, registers[read])]
        begins.append(live[under[0]][0] if under else _first_gap(live.values(), size))
        live[index] = (begins[index], size)
        live = {each: place for each, place in live.items() if last.get(each, each) > index}
    return begins, max(begin + stride_bytes(each) for begin, each in zip(begins, registers, strict=True))


def scratch_bytes(instructions: Sequence[Instruction], registers: Sequence[Register]) -> tuple[int, int]:
    """Memory that instructions work in: bytes for each row (filled up to a whole block), and bytes beyond; see
    `attending`: keys and values of a head, and of one row scores and weights.
    """
    pairs = zip(instructions, registers, strict=True)
    sizes = [register.width // one.heads for one, register in pairs if isinstance(one, Attention)]
    return max((_filled(size, BLOCK) + _filled(size, COLUMNS) + 9 for size in sizes), default=0), BLOCK


def _can_lie_over(one: Instruction, register: Register, given: Register) -> bool:
    return (
        isinstance(one, NUMBER_BY_NUMBER)
        and cell_bytes(register) <= cell_bytes(given)
        and stride_bytes(register) <= stride_bytes(given)
    )


def _first_gap(taken: Iterable[Place], size: int) -> int:
    begin = 0
    for place, length in sorted(taken):
        if begin + size <= place:
            break
        begin = max(begin, place + length)
    return begin


def _filled(size: int, whole: int) -> int:
    return -(-size // whole) * whole
