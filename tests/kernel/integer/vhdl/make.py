"""Vectors of SwiftTron's units: its published VHDL, simulated with GHDL on corner and random inputs.

    python -m tests.kernel.integer.vhdl.make CHECKOUT COMMIT

CHECKOUT is a folder with the sources of github.com/albertomarchisio/SwiftTron at COMMIT; they stay where they are. The
benches beside this file are ours. Answers go to ../vectors, a file a unit; rows whose answer is unknown, since the
hardware divides by zero, are left out.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.kernel.integer.vhdl import array
from tests.kernel.integer.vhdl.simulator import SEED, Design, Row, hexadecimal, signed, write
from unisono.kernel.integer.units import swifttron

HERE = Path(__file__).parent
LOW, HIGH = -(1 << 31), (1 << 31) - 1
CORNERS = (0, 1, -1, 2, -2, 127, -128, 255, 256, 1 << 16, -(1 << 16), HIGH, HIGH - 1, LOW, LOW + 1)
HANGS = 100
"""Cycles after which a bench stops to wait for a root."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit and what it is asked.

    sources: files that it is made of, in order.
    columns: what a row's numbers are; a star stands for all that follow.
    digits:  hexadecimal digits of each column as the bench reads it; 0: decimal. The last goes for all that follow.
    counts:  whether a count of cycles comes last.
    rows:    the questions.
    """

    sources: tuple[str, ...]
    columns: tuple[str, ...]
    digits: tuple[int, ...]
    counts: bool
    rows: Callable[[random.Random], Iterator[Row]]


def word(source: random.Random) -> int:
    """A corner, a word of any size, or one of all words."""
    kind = source.randrange(4)
    if kind == 0:
        return source.choice(CORNERS)
    bits = 32 if kind == 1 else source.randrange(2, 33)
    return source.randrange(-(1 << (bits - 1)), 1 << (bits - 1))


def requantisations(source: random.Random) -> Iterator[Row]:
    for number in CORNERS:
        for multiplier in CORNERS:
            yield [number, multiplier, source.randrange(64)]
    for _ in range(800):  # what calibration makes: a multiplier of 31 bits
        yield [word(source), source.randrange(1 << 30, 1 << 31), source.randrange(31, 64)]
    for _ in range(800):
        yield [word(source), word(source), source.randrange(64)]


def exponential_ports(source: random.Random) -> Row:
    """Those of a scale, or any; by 1 the smallest word would be shifted by 2**31, at which the simulator stops."""
    if source.random() < 0.7:
        found = swifttron.ExponentialPorts.at(2.0 ** -source.uniform(1, 14.5))
        return [found.b, found.c, found.ln2, found.divisor]
    divisor = word(source)
    return [word(source), word(source), word(source), divisor if abs(divisor) > 1 else 3]


def exponentials(source: random.Random) -> Iterator[Row]:
    for number in CORNERS:
        yield [number, *exponential_ports(source)]
    for _ in range(900):  # what a softmax asks
        found = exponential_ports(source)
        yield [-source.randrange(abs(found[2]) * 34 + 2), *found] if abs(found[2]) < 1 << 20 else [word(source), *found]
    for _ in range(900):
        yield [word(source), *exponential_ports(source)]


def softmaxes(source: random.Random) -> Iterator[Row]:
    for _ in range(400):
        count = source.randrange(1, 33)
        bits = source.choice((4, 8, 12, 16, 32))
        below = source.choice((0, 1 << (bits - 1)))
        yield [count, *exponential_ports(source), *(source.randrange(1 << (bits - 1)) - below for _ in range(count))]


def gelus(source: random.Random) -> Iterator[Row]:
    def ports() -> Row:
        if source.random() < 0.7:
            found = swifttron.GeluPorts.at(2.0 ** -source.uniform(1, 15))
            return [found.b, found.c, found.most, found.one]
        return [word(source) for _ in range(4)]

    for number in CORNERS:
        yield [number, *ports()]
    for _ in range(900):
        found = ports()
        reach = min(2 * abs(found[2]) + 2, HIGH)
        yield [source.randrange(-reach, reach), *found]
    for _ in range(900):
        yield [word(source), *ports()]


def square_roots(source: random.Random) -> Iterator[Row]:
    for number in (*CORNERS, *range(200)):
        yield [number]
    for _ in range(150):
        root = source.randrange(1, 46341)
        for number in (root * root - 1, root * root, root * root + 1):
            yield [min(number, HIGH)]
    for _ in range(600):
        yield [word(source)]


def layer_norms(source: random.Random) -> Iterator[Row]:
    for _ in range(400):
        count = source.randrange(2, 49)
        bits = source.choice((4, 8, 12, 14, 16, 24, 32))
        centre = source.choice((0, 0, 1 << (bits - 2), -(1 << (bits - 2))))
        c = count if source.random() < 0.9 else word(source) or 1
        row = [source.randrange(-(1 << (bits - 1)), 1 << (bits - 1)) + centre for _ in range(count)]
        yield [count, c, *(min(max(number, LOW), HIGH) for number in row)]


def sums(source: random.Random) -> Iterator[Row]:
    for extreme in ((-128, -128), (-128, 127), (127, 127)):
        yield [512, *(extreme * 512)]
    for _ in range(60):
        count = source.randrange(1, 97)
        yield [count, *(source.randrange(-128, 128) for _ in range(2 * count))]


EXPONENTIAL = ("NonLinear/I_POLY_exp.vhd", "NonLinear/I_EXP.vhd")
GELU = ("NonLinear/I_POLY.vhd", "NonLinear/I_ERF.vhd", "NonLinear/I_GELU.vhd")
NORM = ("NonLinear/regnbit.vhd", "NonLinear/I_SQRT.vhd", "NonLinear/LayerNorm.vhd")
MAC = ("MatMul/common/regnbit.vhd", "MatMul/common/MAC.vhd")
PORTS = ("b", "c", "ln2", "divisor")
UNITS: dict[str, Unit] = {
    "requantise": Unit(
        ("NonLinear/REQUANTIZATION.vhd",), ("number", "multiplier", "shift"), (8, 8, 2), False, requantisations
    ),
    "exponential": Unit(EXPONENTIAL, ("number", *PORTS), (8,), False, exponentials),
    "softmax": Unit((*EXPONENTIAL, "NonLinear/I_SOFTMAX.vhd"), ("count", *PORTS, "numbers*"), (0, 8), True, softmaxes),
    "gelu": Unit(GELU, ("number", "b", "c", "most", "one"), (8,), False, gelus),
    "square_root": Unit(("NonLinear/I_SQRT.vhd",), ("number",), (8,), True, square_roots),
    "layer_norm": Unit(NORM, ("count", "c", "numbers*"), (0, 8), True, layer_norms),
    "mac": Unit(MAC, ("count", "pairs*"), (0, 2), True, sums),
}


def main() -> None:
    design = Design(Path(sys.argv[1]), sys.argv[2])
    for name, unit in UNITS.items():
        asked = list(unit.rows(random.Random(f"{SEED} {name}")))
        bench = (HERE / f"bench_{name}.vhd").read_text("utf-8")
        answers = design.answers(unit.sources, (f"bench_{name}", bench), [_line(unit, row) for row in asked])
        pairs = [(row, _numbers(unit, found)) for row, found in zip(asked, answers, strict=True) if "X" not in found]
        known = [pair for pair in pairs if not (name == "square_root" and pair[1][-1] == HANGS)]
        head = {"source": design.provenance(unit.sources), "given": unit.columns, "cycles_last": unit.counts}
        write(f"swifttron_{name}", head, known)
    array.write_all(design)


def _line(unit: Unit, row: Row) -> str:
    last = unit.digits[-1]
    digits = [*unit.digits, *([last] * (len(row) - len(unit.digits)))]
    return " ".join(
        hexadecimal(number, size) if size else str(number) for number, size in zip(row, digits, strict=True)
    )


def _numbers(unit: Unit, answer: str) -> Row:
    words = answer.split()
    cycles = [int(words.pop())] if unit.counts else []
    return [*map(signed, words), *cycles]


if __name__ == "__main__":
    main()
