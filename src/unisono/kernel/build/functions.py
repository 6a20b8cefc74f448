"""Which plain functions make up the kernel, and whether each keeps to the subset that compiles to what Python means.

The subset: int, float and bool; calls of each other and of `kernel.words`; module constants; loops; tuples as results.
What Python and the machine would answer differently (constants beyond a word), and what needs a runtime (exceptions,
closures, recursion), is refused here; `guards` refuses what only numba's types can tell.
"""

from __future__ import annotations

import builtins
import dis
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from unisono.kernel import words

Plain = Callable[..., object]

ALLOWED_BUILTINS = frozenset({"range", "int", "float", "bool", "min", "max", "abs"})
RAISING = frozenset(
    {"RAISE_VARARGS", "LOAD_ASSERTION_ERROR", "SETUP_FINALLY", "PUSH_EXC_INFO", "RERAISE", "MAKE_FUNCTION"}
)
WORD_RANGE = range(-(1 << 63), 1 << 63)


class KernelSourceError(Exception):
    """The kernel's source leaves the subset that can be compiled; the message names the function and the fault."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's types as annotated: arguments `int`, `float` or `bool`; the result also a tuple of them, or None."""

    arguments: tuple[type, ...]
    result: type | tuple[type, ...] | None


@dataclass(frozen=True, slots=True)
class KernelFunction:
    """One plain function: its symbol in the library, its types, and what each global name it uses stands for."""

    plain: types.FunctionType
    symbol: str
    signature: Signature
    globals: Mapping[str, object]

    def calls(self) -> Iterator[types.FunctionType]:
        """The kernel functions that this one names."""
        for value in self.globals.values():
            inner = vars(value).values() if isinstance(value, types.SimpleNamespace) else [value]
            yield from (part for part in inner if isinstance(part, types.FunctionType) and not is_word(part))


def is_word(value: object) -> bool:
    """Whether a value is one of the public functions of `kernel.words`."""
    return getattr(value, "__module__", None) == words.__name__ and not getattr(value, "__name__", "_").startswith("_")


def reachable(exports: Mapping[str, Plain]) -> list[KernelFunction]:
    """Every function the exports need, callees first; raises KernelSourceError for what cannot be compiled."""
    found: dict[types.FunctionType, KernelFunction | None] = {}
    ordered: list[KernelFunction] = []

    def visit(plain: types.FunctionType, callers: tuple[str, ...]) -> None:
        if plain in found:
            if found[plain] is None:
                raise KernelSourceError(f"{' -> '.join((*callers, plain.__qualname__))}: recursion")
            return
        found[plain] = None
        function = described(plain)
        for callee in function.calls():
            visit(callee, (*callers, plain.__qualname__))
        found[plain] = function
        ordered.append(function)

    for name, plain in exports.items():
        if not isinstance(plain, types.FunctionType):
            raise KernelSourceError(f"export {name} is not a plain function")
        visit(plain, ())
    return ordered


def described(plain: types.FunctionType) -> KernelFunction:
    """A plain function with its signature and the globals it uses, all checked."""
    where = f"{plain.__module__}.{plain.__qualname__}"
    code = plain.__code__
    if code.co_freevars or plain.__defaults__ or plain.__kwdefaults__ or code.co_flags & 0x0C:
        raise KernelSourceError(f"{where}: closures, defaults and * arguments are not compiled")
    for instruction in dis.get_instructions(code):
        if instruction.opname in RAISING:
            raise KernelSourceError(f"{where}: {instruction.opname.lower()} has no place in the kernel")
    for constant in code.co_consts:
        _check_constant(where, constant)
    symbol = f"{plain.__module__.rpartition('.')[2]}.{plain.__name__}"
    return KernelFunction(plain, symbol, _signature(where, plain), _globals(where, plain))


def _check_constant(where: str, constant: object) -> None:
    if isinstance(constant, int) and constant not in WORD_RANGE:
        raise KernelSourceError(f"{where}: the constant {constant:#x} does not fit a signed 64-bit word")


def _globals(where: str, plain: types.FunctionType) -> dict[str, object]:
    used: dict[str, object] = {}
    attributes = set(plain.__code__.co_names)
    for instruction in dis.get_instructions(plain.__code__):
        if instruction.opname == "LOAD_GLOBAL":
            name = instruction.argval
            used[name] = _meaning(f"{where}: {name}", plain.__globals__.get(name, vars(builtins).get(name)), attributes)
    return used


def _meaning(where: str, value: object, attributes: set[str]) -> object:
    if isinstance(value, types.ModuleType):
        parts = {name: part for name, part in vars(value).items() if name in attributes}
        return types.SimpleNamespace(**{name: _meaning(f"{where}.{name}", part, set()) for name, part in parts.items()})
    if isinstance(value, bool | int | float):
        _check_constant(where, value)
        return value
    if isinstance(value, tuple) and all(isinstance(part, bool | int | float) for part in value):
        for part in value:
            _check_constant(where, part)
        return value
    if isinstance(value, types.FunctionType) or getattr(value, "__name__", "") in ALLOWED_BUILTINS:
        return value
    raise KernelSourceError(f"{where}: {type(value).__name__} is not a number, a kernel function or a word")


def _signature(where: str, plain: types.FunctionType) -> Signature:
    hints = typing.get_type_hints(plain)
    names = plain.__code__.co_varnames[: plain.__code__.co_argcount]
    missing = [name for name in (*names, "return") if name not in hints]
    if missing:
        raise KernelSourceError(f"{where}: no annotation for {', '.join(missing)}")
    for name in names:
        if hints[name] not in (int, float, bool):
            raise KernelSourceError(f"{where}: argument {name} is {hints[name]}, must be int, float or bool")
    return Signature(tuple(hints[name] for name in names), _result(where, hints["return"]))


def _result(where: str, hint: object) -> type | tuple[type, ...] | None:
    if hint is type(None):
        return None
    if typing.get_origin(hint) is tuple and Ellipsis not in typing.get_args(hint):
        return typing.get_args(hint)
    if isinstance(hint, type) and hint in (int, float, bool):
        return hint
    raise KernelSourceError(f"{where}: returns {hint}, must be int, float, bool, a tuple of these, or None")
