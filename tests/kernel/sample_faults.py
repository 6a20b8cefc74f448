"""Functions that leave the kernel's subset, one fault each, and the words by which the build refuses them."""

from __future__ import annotations

from collections.abc import Callable

from unisono.kernel import words

LARGE = 1 << 63
TEXT = "text"


def constant_too_large(a: int) -> int:
    return a & LARGE


def literal_too_large(a: int) -> int:
    return a & 0xFFFFFFFFFFFFFFFF


def text(a: int) -> int:
    return a if TEXT else 0


def raising(a: int) -> int:
    if a < 0:
        raise ValueError
    return a


def asserting(a: int) -> int:
    assert a > 0
    return a


def defaulted(a: int, b: int = 0) -> int:
    return a + b


def nested(a: int) -> int:
    return sum(each for each in range(a))


def recursive(a: int) -> int:
    return recursive(a - 1) if a > 0 else 0


def unannotated(a) -> int:  # type: ignore[no-untyped-def]
    return int(a)


def listed(a: list[int]) -> int:
    return a[0]


def wrong_result(a: int) -> int:
    return a * 0.5  # type: ignore[return-value]


def wrong_tuple(a: int) -> tuple[int, float]:
    return a, a


def divided(a: int) -> int:
    return words.truncate(a / 3)


def powered(a: int) -> int:
    return int(a**2)


def compared(a: int) -> int:
    return 1 if words.bits_float(a) < a else 0


def floored(a: int) -> int:
    return words.truncate(words.bits_float(a) // 2.0)


def taking_float(value: float) -> int:
    return words.float_bits(value)


def passing_int(a: int) -> int:
    return taking_float(a)


def word_of_wrong_type(a: int) -> int:
    return words.float_bits(a)


def stepping(a: int) -> int:
    total = 0
    for each in range(0, 10, a):
        total += each
    return total


def listing(a: int) -> int:
    items = [a, a]
    return items[0]


def two_arguments(a: int, b: int) -> int:
    return a + b


FAULTS: dict[Callable[..., object], str] = {
    constant_too_large: "LARGE: the constant 0x8000000000000000 does not fit",
    literal_too_large: "the constant 0xffffffffffffffff does not fit",
    text: "TEXT: str is not a number",
    raising: "raise_varargs has no place in the kernel",
    asserting: "load_assertion_error has no place in the kernel",
    defaulted: "closures, defaults and * arguments are not compiled",
    nested: "make_function has no place in the kernel",
    recursive: "recursive -> recursive: recursion",
    unannotated: "no annotation for a",
    listed: "argument a is list[int], must be int, float or bool",
    wrong_result: "annotated to return int64, returns float64",
    wrong_tuple: "annotated to return Tuple(int64, float64), returns UniTuple(int64 x 2)",
    divided: "int / int rounds twice",
    powered: "** is not part of",
    compared: "comparing an int with a float",
    floored: "// and % of floats",
    passing_int: "argument 1 is int64, must be float64",
    word_of_wrong_type: "words.float_bits: argument 1 is int64, must be float64",
    stepping: "an exception can be raised in sample_faults.stepping",
    listing: "NRT required but not enabled",
    two_arguments: "must be (int) -> int",
}
