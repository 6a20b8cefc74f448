"""Where Python and the machine would silently differ: the build looks at the types numba found and refuses."""

from __future__ import annotations

import operator
from typing import Any

from numba.core import ir, types

from unisono.kernel.build.functions import KernelFunction, KernelSourceError

NUMBERS = (types.int64, types.float64, types.boolean)
COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)


def check_meaning(function: KernelFunction, compiled: Any, result: Any) -> None:
    """Raise KernelSourceError where a compiled function's types mean something else than its Python.

    result: numba's type of what the function is annotated to return.
    """
    where = f"{function.plain.__module__}.{function.plain.__qualname__}"
    annotation = compiled.type_annotation
    for name, kind in annotation.typemap.items():
        if isinstance(kind, types.Number) and types.unliteral(kind) not in NUMBERS:
            raise KernelSourceError(f"{where}: {name} is {kind}; the kernel knows int64, float64 and boolean")
    for statement in (each for block in annotation.blocks.values() for each in block.body):
        fault = _fault(statement, annotation.typemap, result)
        if fault:
            raise KernelSourceError(f"{where}, line {statement.loc.line}: {fault}")


def _fault(statement: Any, typemap: Any, result: Any) -> str:
    expression = statement.value if isinstance(statement, ir.Assign) else None
    if not isinstance(expression, ir.Expr):
        return ""
    if expression.op == "cast":  # numba's last step before each return
        seen = _exact(typemap[expression.value.name])
        return "" if seen == result else f"annotated to return {result}, returns {seen}"
    if expression.op in ("binop", "inplace_binop"):
        symbol = expression.fn if expression.op == "binop" else expression.immutable_fn
        return _operator_fault(symbol, expression, typemap)
    return ""


def _exact(kind: Any) -> Any:
    if isinstance(kind, types.BaseTuple):
        return types.BaseTuple.from_types([_exact(part) for part in kind.types])
    return types.unliteral(kind)


def _operator_fault(symbol: Any, expression: Any, typemap: Any) -> str:
    left, right = (types.unliteral(typemap[side.name]) for side in (expression.lhs, expression.rhs))
    floats = [isinstance(kind, types.Float) for kind in (left, right)]
    if symbol is operator.truediv and not any(floats):
        return "int / int rounds twice on the machine and once in Python; convert both with float()"
    if symbol is operator.pow:
        return "** is not part of the kernel's subset"
    if symbol in COMPARISONS and floats[0] != floats[1]:
        return "comparing an int with a float is exact in Python and not on the machine"
    if symbol in (operator.mod, operator.floordiv) and any(floats):
        return "// and % of floats are not part of the kernel's subset"
    return ""
