"""A saved state goes on as if it had never been saved, on another machine too, and is read where it lies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import pytest

from unisono.kernel.plan import Output, Plan
from unisono.kernel.reference import Event, answer

from .cases import Case, Item, KeyedEvent, compare, expected
from .engines import Engine, StaleError
from .judges import judge_reads, judge_saves, try_all
from .kernel_engine import KernelEngine


def test_a_saved_state_goes_on_as_if_never_saved(engine: Engine) -> None:
    try_all(engine, judge_saves)


def test_a_saved_state_is_read_where_it_lies(engine: Engine) -> None:
    try_all(engine, judge_reads)


def test_a_read_further_back_does_not_overlook_what_came_too_late_for_every_window(engine: Engine) -> None:
    """It may be refused, but it must not answer as if the last item had never come."""
    plan = Plan((), (10,), (Output("count", -1, 0),), has_ids=True, remember_us=100)
    for late in (Event(5, 40, (), 7, retracts=True), Event(5, 40, (), 8), Event(5, 40, (), 7)):
        session = engine.open(plan, 1)
        log = [Event(5, 5, (), 7), late]
        session.feed([KeyedEvent(0, event) for event in log])
        with contextlib.suppress(StaleError):
            row = engine.read(plan, session.export(0), 9)
            compare(plan, [answer(plan, log, 9, known_at=40)], [row], f"after {late}")


def test_saving_a_state_again_gives_the_same_bytes(engine: Engine) -> None:
    def judge(engine: Engine, case: Case) -> None:
        for state in _states(engine, case, case.items):
            session = engine.open(case.plan, 1)
            session.load(0, state)
            assert session.export(0) == state

    try_all(engine, judge)


def test_a_state_is_the_same_bytes_wherever_batches_ended(engine: Engine) -> None:
    def judge(engine: Engine, case: Case) -> None:
        session = engine.open(case.plan, case.slots)
        for part in case.parts():
            session.feed(part)
        assert [session.export(key) for key in range(case.slots)] == _states(engine, case, case.items)

    try_all(engine, judge)


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

    try_all(engine, judge)


def test_an_engine_makes_the_bytes_that_the_native_kernel_makes(engine: Engine, native: Engine) -> None:
    if not isinstance(engine, KernelEngine):
        pytest.skip("the reference keeps states of its own kind")

    def judge(engine: Engine, case: Case) -> None:
        assert _states(engine, case, case.items) == _states(native, case, case.items)

    try_all(engine, judge)


def _states(engine: Engine, case: Case, items: Sequence[Item]) -> list[bytes]:
    session = engine.open(case.plan, case.slots)
    session.feed(items)
    return [session.export(key) for key in range(case.slots)]
