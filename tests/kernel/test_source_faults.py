"""What the build refuses to compile, and that it says where and why."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from unisono.kernel.build.compile import compile_kernel
from unisono.kernel.build.functions import KernelSourceError
from unisono.kernel.build.retarget import check_exact, retargeted
from unisono.kernel.build.targets import TARGETS

from .sample_faults import FAULTS


@pytest.mark.parametrize("function", FAULTS, ids=lambda function: function.__name__)
def test_a_function_outside_the_subset_is_refused_with_the_reason(function: Callable[..., object]) -> None:
    with pytest.raises(KernelSourceError, match=re.escape(FAULTS[function])):
        retargeted(compile_kernel({"one": function}, version=0), TARGETS["x86_64-linux"], ["unisono_one"])


@pytest.mark.parametrize(
    "line",
    [
        "  %3 = fmul fast double %1, %2",
        "  %3 = fadd contract double %1, %2",
        "  %3 = fadd nnan nsz double %1, %2",
        "  %3 = call double @llvm.fmuladd.f64(double %0, double %1, double %2)",
        "  %3 = tail call double @llvm.fma.f64(double %0, double %1, double %2)",
    ],
)
def test_instructions_that_may_contract_are_refused(line: str) -> None:
    with pytest.raises(KernelSourceError, match="inexact"):
        check_exact(line)


def test_plain_float_instructions_are_not_refused() -> None:
    check_exact("  %3 = fmul double %1, %2\n  %4 = fadd double %3, 1.0e+00 ; fast")
