"""The helper behind `words.inner_products`: four sums of products of bytes, in the form that suits a machine.

All forms give the same bits: sums are modulo 2^32, and two products fit 16 bits.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from unisono.kernel.build.intrinsics import INNER_PRODUCTS
from unisono.kernel.build.targets import Products

COLUMNS = 4
BLOCK = 16
I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))

Builder = Any
Value = Any


def products(form_name: Products) -> str:
    """The helper's LLVM module."""
    module = ir.Module()
    form = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 5), INNER_PRODUCTS)
    start, test, body, end = (form.append_basic_block() for _ in range(4))
    sums, left, right, stride, blocks = form.args
    part = _FORMS[form_name]()
    if part.is_small:
        form.attributes.add("optsize")

    builder = ir.IRBuilder(start)
    columns = [builder.add(right, builder.mul(stride, I64(column))) for column in range(COLUMNS)]
    count = builder.trunc(builder.mul(blocks, I64(BLOCK)), I32)
    builder.branch(test)

    builder.position_at_end(test)
    place = builder.phi(I32)  # half as many registers as a word on small machines
    totals = [builder.phi(part.total) for _ in columns]
    builder.cbranch(builder.icmp_signed("<", place, count), body, end)

    builder.position_at_end(body)
    offset = builder.zext(place, I64)
    given = part.given(builder, builder.add(left, offset))
    more = [
        part.added(builder, total, given, builder.add(column, offset))
        for column, total in zip(columns, totals, strict=True)
    ]
    _close(place, I32(0), start, builder.add(place, I32(part.step), flags=("nuw",)), body)
    for total, grown in zip(totals, more, strict=True):
        _close(total, part.total(None), start, grown, body)
    builder.branch(test)

    builder.position_at_end(end)
    for column, total in enumerate(totals):
        target = builder.inttoptr(builder.add(sums, I64(4 * column)), I32.as_pointer())
        builder.store(part.sum(builder, total), target, align=1)
    builder.ret_void()
    return str(module)


def _close(phi: Value, first: Value, start: Any, following: Value, body: Any) -> None:
    phi.add_incoming(first, start)
    phi.add_incoming(following, body)


class _Numbers:
    """One number after the other."""

    step = 1
    is_small = False
    given_kind: Any = I8
    wide: Any = I32
    total: Any = I32

    def given(self, builder: Builder, address: Value) -> Value:
        return builder.zext(_load(builder, address, self.given_kind), self.wide)

    def added(self, builder: Builder, total: Value, given: Value, address: Value) -> Value:
        right = builder.sext(_load(builder, address, self.given_kind), self.wide)
        return builder.add(total, builder.mul(given, right))

    def sum(self, builder: Builder, total: Value) -> Value:
        return total


class _Halves(_Numbers):
    """Four numbers at once, two in each half of a word: what a Cortex-M4 has instructions for."""

    step = 4
    is_small = True  # as a loop of several steps it runs out of registers

    def given(self, builder: Builder, address: Value) -> Value:
        return self._halves(builder, "llvm.arm.uxtb16", _load(builder, address, I32))

    def added(self, builder: Builder, total: Value, given: Value, address: Value) -> Value:
        sums = builder.module.declare_intrinsic("llvm.arm.smlad", fnty=ir.FunctionType(I32, [I32] * 3))
        for left, right in zip(
            given, self._halves(builder, "llvm.arm.sxtb16", _load(builder, address, I32)), strict=True
        ):
            total = builder.call(sums, [left, right, total])
        return total

    def _halves(self, builder: Builder, name: str, word: Value) -> tuple[Value, Value]:
        """Bytes 0 and 2, and bytes 1 and 3."""
        widen = builder.module.declare_intrinsic(name, fnty=ir.FunctionType(I32, [I32]))
        rotate = builder.module.declare_intrinsic("llvm.fshr.i32", fnty=ir.FunctionType(I32, [I32] * 3))
        return builder.call(widen, [word]), builder.call(widen, [builder.call(rotate, [word, word, I32(8)])])


class _Vectors(_Numbers):
    """Sixteen numbers at once, each with a sum of its own: what ARM has instructions for."""

    step = BLOCK
    given_kind = ir.VectorType(I8, BLOCK)
    wide = ir.VectorType(I32, BLOCK)
    total = wide

    def sum(self, builder: Builder, total: Value) -> Value:
        name = f"llvm.vector.reduce.add.v{self.total.count}i32"
        return builder.call(builder.module.declare_intrinsic(name, fnty=ir.FunctionType(I32, [self.total])), [total])


class _Pairs(_Vectors):
    """Sixteen numbers at once; two products are added in 16 bits, then two such sums: what x86 has since SSSE3."""

    total = ir.VectorType(I32, BLOCK // 4)
    _sums = ir.VectorType(I16, BLOCK // 2)

    def given(self, builder: Builder, address: Value) -> Value:
        return _load(builder, address, self.given_kind)

    def added(self, builder: Builder, total: Value, given: Value, address: Value) -> Value:
        declare = builder.module.declare_intrinsic
        in_pairs = ir.FunctionType(self._sums, [self.given_kind, self.given_kind])
        of_pairs = ir.FunctionType(self.total, [self._sums, self._sums])
        right = _load(builder, address, self.given_kind)
        sums = builder.call(declare("llvm.x86.ssse3.pmadd.ub.sw.128", fnty=in_pairs), [given, right])
        ones = ir.Constant(self._sums, [1] * (BLOCK // 2))
        return builder.add(total, builder.call(declare("llvm.x86.sse2.pmadd.wd", fnty=of_pairs), [sums, ones]))


_FORMS: dict[Products, type[_Numbers]] = {"numbers": _Numbers, "halves": _Halves, "vectors": _Vectors, "pairs": _Pairs}


def _load(builder: Builder, address: Value, kind: Any) -> Value:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=1)
