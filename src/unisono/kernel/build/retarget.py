"""The kernel's LLVM module -> optimised machine code of one target.

Numba writes the module for the machine it runs on; here it gets the target's triple and data layout, the target's
product of two words, and everything but the exports becomes private, before LLVM's own optimiser and code generator for
that target run.

No fused multiply-add can appear: LLVM contracts a*b+c only if the instructions carry `contract` or `fast` (numba emits
neither without fastmath), if the module calls llvm.fma or llvm.fmuladd, or if the target machine is told to (llvmlite
leaves the default). `check_exact` refuses the first two; the tests read the assembly. The vectorisers are off: they
change no bit, but would tie the code's shape to a machine.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import llvmlite.binding as llvm

from unisono.kernel.build.functions import KernelSourceError
from unisono.kernel.build.intrinsics import INNER_PRODUCTS
from unisono.kernel.build.products import products
from unisono.kernel.build.targets import Target

OPTIMISATION_LEVEL = 2
RAISED = "unisono.raised."  # what `compile` calls where a function could raise, before the function's symbol
INEXACT = re.compile(r"\b(?:fast|contract|reassoc|afn|arcp|nsz|nnan|ninf)\s+(?:float|double)|@llvm\.fma|@llvm\.fmuladd")

DECLARED_PRODUCT = "declare i64 @unisono.multiply_high(i64, i64)"
PURE = "memory(none) nounwind willreturn speculatable nofree nosync"

WIDE_PRODUCT = """
define i64 @unisono.multiply_high(i64 %a, i64 %b) alwaysinline {
  %wide_a = zext i64 %a to i128
  %wide_b = zext i64 %b to i128
  %product = mul i128 %wide_a, %wide_b
  %shifted = lshr i128 %product, 64
  %high = trunc i128 %shifted to i64
  ret i64 %high
}
"""

# Linked after the optimiser has run: it knows these four products as one of 128 bits, which is a library call here.
NARROW_PRODUCT = """
define i64 @unisono.multiply_high(i64 %a, i64 %b) alwaysinline {
  %a0 = and i64 %a, 4294967295
  %a1 = lshr i64 %a, 32
  %b0 = and i64 %b, 4294967295
  %b1 = lshr i64 %b, 32
  %p00 = mul i64 %a0, %b0
  %p01 = mul i64 %a0, %b1
  %p10 = mul i64 %a1, %b0
  %p11 = mul i64 %a1, %b1
  %c0 = lshr i64 %p00, 32
  %m0 = add i64 %p01, %c0
  %m0low = and i64 %m0, 4294967295
  %m1 = add i64 %p10, %m0low
  %c1 = lshr i64 %m1, 32
  %c2 = lshr i64 %m0, 32
  %h = add i64 %p11, %c1
  %high = add i64 %h, %c2
  ret i64 %high
}
"""


def target_machine(target: Target) -> Any:
    """LLVM's code generator for a target: generic processor, position independent, no contraction."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=OPTIMISATION_LEVEL, reloc="pic", codemodel="small"
    )


def object_code(kernel: str, target: Target, symbols: Collection[str]) -> bytes:
    """A target's object file."""
    return bytes(target_machine(target).emit_object(retargeted(kernel, target, symbols)))


def assembly(kernel: str, target: Target, symbols: Collection[str]) -> str:
    """The same code as a target's assembly, for people and for the tests that look for fused multiply-adds."""
    return str(target_machine(target).emit_assembly(retargeted(kernel, target, symbols)))


def retargeted(kernel: str, target: Target, symbols: Collection[str]) -> Any:
    """The optimised module of one target; raises KernelSourceError if it can raise, needs a symbol, or is not exact."""
    machine = target_machine(target)
    module = llvm.parse_assembly(kernel.replace(DECLARED_PRODUCT, f"{DECLARED_PRODUCT} {PURE}"))
    if target.wide:
        module.link_in(llvm.parse_assembly(WIDE_PRODUCT))
    if INNER_PRODUCTS in kernel:
        module.link_in(llvm.parse_assembly(products(target.products)))
    module.name = "unisono_kernel"
    module.triple = target.triple
    module.data_layout = str(machine.target_data)
    _make_private(module, symbols, storage="dllexport" if target.linker == "pe" else "")
    _optimise(module, machine)
    if not target.wide:
        _inline_narrow_product(module, machine)
    module.verify()
    _check_closed(module)
    check_exact(str(module))
    return module


def check_exact(text: str) -> None:
    """Raise KernelSourceError if a module's text allows a float result to differ from its own instruction's."""
    found = INEXACT.search(text)
    if found:
        raise KernelSourceError(f"the module allows inexact floats: {found.group()}")


def _make_private(module: Any, symbols: Collection[str], *, storage: str) -> None:
    counter = 0
    for value in (*module.functions, *module.global_variables):
        if value.is_declaration:
            continue
        if value.name in symbols:
            value.linkage = "external"
            if storage:
                value.storage_class = storage
            continue
        value.linkage = "internal"
        if value.name.startswith("_Z"):
            value.name = f"numba.{counter}"  # numba counts its names for as long as the process lives
            counter += 1


def _optimise(module: Any, machine: Any) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=OPTIMISATION_LEVEL)
    options.loop_vectorization = options.slp_vectorization = options.loop_interleaving = False
    builder = llvm.create_pass_builder(machine, options)
    passes = builder.getModulePassManager()
    passes.run(module, builder)


def _inline_narrow_product(module: Any, machine: Any) -> None:
    module.link_in(llvm.parse_assembly(NARROW_PRODUCT))
    module.get_function("unisono.multiply_high").linkage = "internal"
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_global_dead_code_eliminate_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))


def _check_closed(module: Any) -> None:
    needed = [value.name for value in (*module.functions, *module.global_variables) if value.is_declaration]
    raising = sorted(name.removeprefix(RAISED) for name in needed if name.startswith(RAISED))
    if raising:
        hint = "a range() whose step may be 0, or `in` a tuple?"
        raise KernelSourceError(f"an exception can be raised in {', '.join(raising)}: {hint}")
    unknown = sorted(name for name in needed if not name.startswith("llvm."))
    if unknown:
        raise KernelSourceError(f"undefined symbols: {', '.join(unknown)}")
