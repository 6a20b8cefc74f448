"""One LLVM form a function of `kernel.words`: the table that makes the kernel's words machine instructions.

Loads and stores carry align 1, so no target assumes an alignment. `multiply_high` and `inner_products` are calls of
helpers that each target defines in its own way (`retarget`), because a 128-bit product is one instruction on some
machines and a library call on others, and some have vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from unisono.kernel import words

I1, I8, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
F64 = ir.DoubleType()
POINTER = ir.PointerType(I8)

MULTIPLY_HIGH = "unisono.multiply_high"
INNER_PRODUCTS = "unisono.inner_products"

Builder = Any
Value = Any
Emit = Callable[[Builder, Sequence[Value]], Value]


def _function(builder: Builder, name: str, result: ir.Type, arguments: Sequence[ir.Type]) -> Value:
    module = builder.module
    found = module.globals.get(name)
    return found if found is not None else ir.Function(module, ir.FunctionType(result, arguments), name)


def _element(builder: Builder, address: Value, index: Value, *, width: int) -> Value:
    place = builder.add(address, builder.mul(index, I64(width)) if width > 1 else index)
    return builder.inttoptr(place, POINTER)


def _typed(builder: Builder, address: Value, index: Value, *, element: Any) -> Value:
    place = _element(builder, address, index, width=element.width // 8)
    return builder.bitcast(place, element.as_pointer())


def _load(builder: Builder, arguments: Sequence[Value]) -> Value:
    return builder.load(_typed(builder, arguments[0], arguments[1], element=I64), align=1)


def _store(builder: Builder, arguments: Sequence[Value]) -> None:
    address, index, value = arguments
    builder.store(value, _typed(builder, address, index, element=I64), align=1)


def _load_int32(builder: Builder, arguments: Sequence[Value]) -> Value:
    return builder.sext(builder.load(_typed(builder, arguments[0], arguments[1], element=I32), align=1), I64)


def _store_int32(builder: Builder, arguments: Sequence[Value]) -> None:
    address, index, value = arguments
    builder.store(builder.trunc(value, I32), _typed(builder, address, index, element=I32), align=1)


def _load_byte(builder: Builder, arguments: Sequence[Value]) -> Value:
    return builder.zext(builder.load(_typed(builder, arguments[0], arguments[1], element=I8), align=1), I64)


def _store_byte(builder: Builder, arguments: Sequence[Value]) -> None:
    address, index, value = arguments
    builder.store(builder.trunc(value, I8), _typed(builder, address, index, element=I8), align=1)


def _load_uint16(builder: Builder, arguments: Sequence[Value]) -> Value:
    return builder.zext(builder.load(_typed(builder, arguments[0], arguments[1], element=I16), align=1), I64)


def _store_uint16(builder: Builder, arguments: Sequence[Value]) -> None:
    address, index, value = arguments
    builder.store(builder.trunc(value, I16), _typed(builder, address, index, element=I16), align=1)


def _inner_products(builder: Builder, arguments: Sequence[Value]) -> None:
    builder.call(_function(builder, INNER_PRODUCTS, ir.VoidType(), (I64,) * 5), arguments)


def _copy(builder: Builder, arguments: Sequence[Value]) -> None:
    target, source, count = arguments
    move = _function(builder, "llvm.memmove.p0.p0.i64", ir.VoidType(), (POINTER, POINTER, I64, I1))
    places = [builder.inttoptr(place, POINTER) for place in (target, source)]
    builder.call(move, [*places, builder.mul(count, I64(8)), I1(0)])


def _fill(builder: Builder, arguments: Sequence[Value]) -> None:
    target, count, byte = arguments
    put = _function(builder, "llvm.memset.p0.i64", ir.VoidType(), (POINTER, I8, I64, I1))
    size = builder.mul(count, I64(8))
    builder.call(put, [builder.inttoptr(target, POINTER), builder.trunc(byte, I8), size, I1(0)])


def _prefetch(builder: Builder, arguments: Sequence[Value]) -> None:
    hint = _function(builder, "llvm.prefetch.p0", ir.VoidType(), (POINTER, I32, I32, I32))
    builder.call(hint, [_element(builder, arguments[0], arguments[1], width=8), I32(0), I32(3), I32(1)])


def _multiply_high(builder: Builder, arguments: Sequence[Value]) -> Value:
    return builder.call(_function(builder, MULTIPLY_HIGH, I64, (I64, I64)), arguments)


def _leading_zeros(builder: Builder, arguments: Sequence[Value]) -> Value:
    return builder.call(_function(builder, "llvm.ctlz.i64", I64, (I64, I1)), [arguments[0], I1(0)])


def _square_root(builder: Builder, arguments: Sequence[Value]) -> Value:
    return builder.call(_function(builder, "llvm.sqrt.f64", F64, (F64,)), arguments)


@dataclass(frozen=True, slots=True)
class Word:
    """A word's arguments ("i": int64, "f": float64), its result ("b": boolean, "": none) and its instructions."""

    arguments: str
    result: str
    emit: Emit


TYPES = {"i": types.int64, "f": types.float64, "b": types.boolean, "": types.none}

WORDS: dict[str, Word] = {
    "load": Word("ii", "i", _load),
    "store": Word("iii", "", _store),
    "load_int32": Word("ii", "i", _load_int32),
    "store_int32": Word("iii", "", _store_int32),
    "load_byte": Word("ii", "i", _load_byte),
    "store_byte": Word("iii", "", _store_byte),
    "load_uint16": Word("ii", "i", _load_uint16),
    "store_uint16": Word("iii", "", _store_uint16),
    "inner_products": Word("iiiii", "", _inner_products),
    "copy": Word("iii", "", _copy),
    "fill": Word("iii", "", _fill),
    "prefetch": Word("ii", "", _prefetch),
    "wrapping_add": Word("ii", "i", lambda builder, a: builder.add(*a)),
    "wrapping_subtract": Word("ii", "i", lambda builder, a: builder.sub(*a)),
    "wrapping_multiply": Word("ii", "i", lambda builder, a: builder.mul(*a)),
    "multiply_high": Word("ii", "i", _multiply_high),
    "unsigned_less": Word("ii", "b", lambda builder, a: builder.icmp_unsigned("<", *a)),
    "unsigned_divide": Word("ii", "i", lambda builder, a: builder.udiv(*a)),
    "unsigned_float": Word("i", "f", lambda builder, a: builder.uitofp(a[0], F64)),
    "shift_left": Word("ii", "i", lambda builder, a: builder.shl(*a)),
    "shift_right": Word("ii", "i", lambda builder, a: builder.lshr(*a)),
    "leading_zeros": Word("i", "i", _leading_zeros),
    "float_bits": Word("f", "i", lambda builder, a: builder.bitcast(a[0], I64)),
    "bits_float": Word("i", "f", lambda builder, a: builder.bitcast(a[0], F64)),
    "square_root": Word("f", "f", _square_root),
    "truncate": Word("f", "i", lambda builder, a: builder.fptosi(a[0], I64)),
}


def caller(name: str, arguments: str, result: Any, emit: Emit) -> Callable[..., Any]:
    """What numba calls for `emit`: exact argument types (a boolean may stand for an int64), one value or none out."""
    wanted = [TYPES[kind] for kind in arguments]
    signature = result(*wanted)

    def generate(context: Any, builder: Builder, _signature: Any, given: Sequence[Value]) -> Value:
        answer = emit(builder, given)
        return context.get_dummy_value() if answer is None else answer

    def typed(given: tuple[Any, ...]) -> tuple[Any, Any]:
        if len(given) != len(wanted):
            raise TypingError(f"{name}: {len(given)} arguments, must be {len(wanted)}")
        for place, (seen, want) in enumerate(zip(given, wanted, strict=True)):
            if types.unliteral(seen) not in (want, types.boolean if want is types.int64 else want):
                raise TypingError(f"{name}: argument {place + 1} is {seen}, must be {want}")
        return signature, generate

    namespace: dict[str, Any] = {"typed": typed}
    names = ", ".join(f"a{place}" for place in range(len(wanted)))
    exec(f"def form(_typing, {names}): return typed(({names}{',' if names else ''}))", namespace)
    form = namespace["form"]
    form.__name__ = form.__qualname__ = name
    return intrinsic(form)  # type: ignore[no-any-return]


def intrinsics() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Every plain word -> the form that numba compiles."""
    return {
        getattr(words, name): caller(f"words.{name}", word.arguments, TYPES[word.result], word.emit)
        for name, word in WORDS.items()
    }


def extremes() -> dict[Callable[..., Any], Callable[..., Any]]:
    """`min` and `max` of ints or of floats, as Python has them: a later value wins only if it is truly beyond.

    Numba's own are compiled for the machine that builds, in modules of their own.
    """
    return {min: _extreme("min", "<"), max: _extreme("max", ">")}


def _extreme(name: str, beyond: str) -> Callable[..., Any]:
    def form(_typing, *given):  # type: ignore[no-untyped-def]  # numba reads the parameters from the signature
        kinds = {types.unliteral(kind) for kind in given}
        if kinds not in ({types.int64}, {types.float64}) or len(given) < 2:
            raise TypingError(f"{name} of {', '.join(map(str, given))}: must be two or more ints, or floats")
        [kind] = kinds

        def generate(_context: Any, builder: Builder, _signature: Any, arguments: Sequence[Value]) -> Value:
            compared = builder.icmp_signed if kind is types.int64 else builder.fcmp_ordered
            best, *others = (builder.extract_value(arguments[0], place) for place in range(len(given)))
            for other in others:
                best = builder.select(compared(beyond, other, best), other, best)
            return best

        return kind(types.StarArgTuple.from_types([kind] * len(given))), generate

    form.__name__ = form.__qualname__ = name
    return intrinsic(form)  # type: ignore[no-any-return]
