"""A saved state goes on elsewhere as if it had never been saved, on another machine too, and answers reads as it lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from .cases import Case, Item, compare, expected
from .engines import Engine
from .judges import judge_reads, judge_saves, try_all
from .kernel_engine import KernelEngine
from .strategies import cases, long_cases


def test_a_saved_state_goes_on_as_if_never_saved(engine: Engine) -> None:
    try_all(cases(), engine, judge_saves)


def test_a_saved_state_of_a_hot_key_goes_on_as_if_never_saved(engine: Engine) -> None:
    try_all(long_cases(), engine, judge_saves, share=0.1)


def test_a_saved_state_is_read_where_it_lies(engine: Engine) -> None:
    try_all(cases(), engine, judge_reads)


def test_a_saved_state_of_a_hot_key_is_read_where_it_lies(engine: Engine) -> None:
    try_all(long_cases(200), engine, judge_reads, share=0.05)


def test_saving_a_state_again_gives_the_same_bytes(engine: Engine) -> None:
    def judge(engine: Engine, case: Case) -> None:
        for state in _states(engine, case, case.items):
            session = engine.open(case.plan, 1)
            session.load(0, state)
            assert session.export(0) == state

    try_all(cases(), engine, judge)


def test_a_state_is_the_same_bytes_wherever_batches_ended(engine: Engine) -> None:
    def judge(engine: Engine, case: Case) -> None:
        session = engine.open(case.plan, case.slots)
        for part in case.parts():
            session.feed(part)
        assert [session.export(key) for key in range(case.slots)] == _states(engine, case, case.items)

    try_all(cases(), engine, judge)


@pytest.fixture(scope="session")
def native(kernel_engine: Callable[[str], KernelEngine]) -> Engine:
    """The kernel of this machine."""
    return kernel_engine("native")


def test_an_engine_goes_on_where_the_native_kernel_stopped_and_back(engine: Engine, native: Engine) -> None:
    """At every cut another engine takes over."""
    if not isinstance(engine, KernelEngine):
        pytest.skip("the reference keeps states of its own kind")

    def judge(engine: Engine, case: Case) -> None:
        states = [b""] * case.slots
        rows = []
        for turn, part in enumerate(case.parts()):
            session = (native, engine)[turn % 2].open(case.plan, case.slots)
            for key, state in enumerate(states):
                session.load(key, state)
            rows += session.feed(part)
            states = [session.export(key) for key in range(case.slots)]
        compare(case.plan, expected(case), rows, "by turns")

    try_all(cases(), engine, judge)


def test_an_engine_makes_the_bytes_that_the_native_kernel_makes(engine: Engine, native: Engine) -> None:
    if not isinstance(engine, KernelEngine):
        pytest.skip("the reference keeps states of its own kind")

    def judge(engine: Engine, case: Case) -> None:
        assert _states(engine, case, case.items) == _states(native, case, case.items)

    try_all(cases(), engine, judge)


def _states(engine: Engine, case: Case, items: Sequence[Item]) -> list[bytes]:
    session = engine.open(case.plan, case.slots)
    session.feed(items)
    return [session.export(key) for key in range(case.slots)]
