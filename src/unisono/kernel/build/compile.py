"""Plain kernel functions -> one LLVM module, the same for every target.

Each function is compiled by numba on its own: the kernel functions it calls are declared by their plain signature, so
nothing is compiled twice and results travel in registers, a tuple as an LLVM aggregate. Numba's own form (a status, a
result pointer and an exception pointer) stays inside a body that is always inlined into the plain form.
"""

from __future__ import annotations

import types as python
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import types
from numba.core.codegen import AOTCodeLibrary, AOTCPUCodegen
from numba.core.compiler import Flags, compile_extra
from numba.core.errors import NumbaError
from numba.core.registry import cpu_target

from unisono.kernel.build.functions import KernelFunction, KernelSourceError, Plain, described, is_word, reachable
from unisono.kernel.build.guards import check_meaning
from unisono.kernel.build.intrinsics import caller, extremes, intrinsics
from unisono.kernel.build.retarget import RAISED
from unisono.kernel.manifest import VERSION_EXPORT, symbol_of

WORD = ir.IntType(64)
NUMBA_TYPES = {int: types.int64, float: types.float64, bool: types.boolean, None: types.none}
TYPE_CODES = {int: "i", float: "f", bool: "b"}


def compile_kernel(exports: Mapping[str, Plain], *, version: int) -> str:
    """The textual LLVM module of everything the exports reach.

    version: what the exported function `kernel_version` answers.

    Raises KernelSourceError, naming the function, for what cannot be compiled to what Python means.
    """
    whole = llvm.parse_assembly("")
    for function in reachable(exports):
        whole.link_in(_module(function))
    whole.link_in(llvm.parse_assembly(_exported(exports, version)))
    return str(whole)


class _UnoptimisedLibrary(AOTCodeLibrary):  # type: ignore[misc]  # numba has no types
    """Numba optimises for the machine it runs on; each target's own optimiser does it instead (`retarget`)."""

    def _optimize_functions(self, ll_module: Any) -> None:
        pass

    def _optimize_final_module(self) -> None:
        pass


class _UnoptimisedCodegen(AOTCPUCodegen):  # type: ignore[misc]
    _library_class = _UnoptimisedLibrary


@lru_cache(maxsize=1)
def _context() -> Any:
    codegen = _UnoptimisedCodegen("unisono")
    context = cpu_target.target_context.subtarget(_internal_codegen=codegen, aot_mode=True)
    context.refresh()
    return context


@lru_cache(maxsize=1)
def _machine_forms() -> dict[Any, Callable[..., Any]]:
    return {**intrinsics(), **extremes()}


def _flags() -> Flags:
    flags = Flags()
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = True
    flags.no_compile = True
    flags.error_model = "numpy"
    return flags


def _numba_type(annotated: Any) -> Any:
    if isinstance(annotated, tuple):
        return types.BaseTuple.from_types([NUMBA_TYPES[part] for part in annotated])
    return NUMBA_TYPES[annotated]


def _plain_type(function: KernelFunction) -> Any:
    """The LLVM type of a function's plain form: values in, a value or an aggregate or nothing out."""
    result = function.signature.result
    arguments = [_context().get_value_type(_numba_type(kind)) for kind in function.signature.arguments]
    answer = ir.VoidType() if result is None else _context().get_value_type(_numba_type(result))
    return ir.FunctionType(answer, arguments)


@cache
def _callable(plain: python.FunctionType) -> Callable[..., Any]:
    """What numba calls in the place of another kernel function."""
    function = described(plain)

    def emit(builder: Any, arguments: Sequence[Any]) -> Any:
        found = builder.module.globals.get(function.symbol)
        form = found if found is not None else ir.Function(builder.module, _plain_type(function), function.symbol)
        answer = builder.call(form, arguments)
        return None if function.signature.result is None else answer

    codes = "".join(TYPE_CODES[kind] for kind in function.signature.arguments)
    return caller(function.symbol, codes, _numba_type(function.signature.result), emit)


def _rebound(function: KernelFunction) -> python.FunctionType:
    """The same code, with words and kernel functions replaced by what numba can call."""

    def replaced(value: object) -> object:
        if isinstance(value, python.SimpleNamespace):
            module = python.ModuleType(f"{function.symbol}.names")
            vars(module).update({name: replaced(part) for name, part in vars(value).items()})
            return module
        if isinstance(value, python.FunctionType) and not is_word(value):
            return _callable(value)
        return _machine_forms().get(value, value) if callable(value) else value

    plain = function.plain
    namespace = {name: replaced(value) for name, value in function.globals.items()}
    return python.FunctionType(plain.__code__, {"__name__": plain.__module__, **namespace}, plain.__name__)


def _module(function: KernelFunction) -> Any:
    """One function's module: its plain form, and numba's body, private to it."""
    arguments = tuple(map(_numba_type, function.signature.arguments))
    result = _numba_type(function.signature.result)
    try:
        compiled = compile_extra(
            cpu_target.typing_context, _context(), _rebound(function), arguments, result, _flags(), {}
        )
    except NumbaError as error:
        raise KernelSourceError(f"{function.plain.__module__}.{function.plain.__qualname__}: {error}") from error
    check_meaning(function, compiled, result)
    module = llvm.parse_assembly(_plain_form(function, compiled))
    module.link_in(llvm.parse_assembly(compiled.library.get_llvm_str()))
    for value in module.functions:
        if not value.is_declaration and value.name != function.symbol:
            value.linkage = "internal"
            value.add_function_attribute("alwaysinline")
    return module


def _plain_form(function: KernelFunction, compiled: Any) -> str:
    context, descriptor = _context(), compiled.fndesc
    module = context.codegen().create_library(function.symbol).create_ir_module(function.symbol)
    form = ir.Function(module, _plain_type(function), function.symbol)
    builder = ir.IRBuilder(form.append_basic_block())
    body = context.declare_function(module, descriptor)
    status, answer = context.call_conv.call_function(builder, body, descriptor.restype, descriptor.argtypes, form.args)
    # The optimiser removes this call where it can prove that nothing is raised; `retarget` refuses what remains.
    raised = ir.Function(module, ir.FunctionType(ir.VoidType(), []), RAISED + function.symbol)
    with builder.if_then(status.is_error, likely=False):
        builder.call(raised, [])
    if function.signature.result is None:
        builder.ret_void()
    else:
        builder.ret(answer)
    return str(module)


def _exported(exports: Mapping[str, Plain], version: int) -> str:
    module = ir.Module()
    word_to_word = ir.FunctionType(WORD, [WORD])
    for name, plain in exports.items():
        function = described(plain)  # type: ignore[arg-type]  # `reachable` has refused what is not a function
        if function.signature.arguments != (int,) or function.signature.result is not int:
            raise KernelSourceError(f"export {name}: must be (int) -> int, is {function.signature}")
        form = ir.Function(module, word_to_word, symbol_of(name))
        builder = ir.IRBuilder(form.append_basic_block())
        builder.ret(builder.call(ir.Function(module, word_to_word, function.symbol), form.args))
    version_form = ir.Function(module, word_to_word, symbol_of(VERSION_EXPORT))
    ir.IRBuilder(version_form.append_basic_block()).ret(WORD(version))
    return str(module)
