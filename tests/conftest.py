"""How many examples a run tries: UNISONO_ROUNDS=quick, test or soak.

Without it the markers decide: quick if slow tests are left out, soak if only soak tests were asked for, else test.
quick and test try the same examples every time; soak tries new ones each time and prints what repeats a failure.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import postgres  # noqa: F401 (a fixture for every test)

ROUNDS = {"quick": 15, "test": 100, "soak": 3000}
NOT_A_FAULT = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the round before any test asks for its settings."""
    for name, examples in ROUNDS.items():
        settings.register_profile(
            name,
            max_examples=examples,
            deadline=None,
            derandomize=name != "soak",
            print_blob=name == "soak",
            suppress_health_check=NOT_A_FAULT,
        )
    settings.load_profile(os.environ.get("UNISONO_ROUNDS") or _round_of(config.getoption("markexpr") or ""))


def pytest_runtest_setup() -> None:
    """Lets onnxscript keep what it has read: torch asks for the same 500 signatures at each export, half its time."""
    values = sys.modules.get("onnxscript.values")
    if values is None or isinstance(vars(values.TracedOnnxFunction)["function_ir"], cached_property):
        return
    kept = cached_property(values.TracedOnnxFunction.function_ir.fget)
    kept.__set_name__(values.TracedOnnxFunction, "function_ir")
    values.TracedOnnxFunction.function_ir = kept


def _round_of(markers: str) -> str:
    return "quick" if "not slow" in markers else "soak" if markers == "soak" else "test"
