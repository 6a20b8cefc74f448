"""The kernel behind its public face as an engine, on this machine or on any other that the build makes it for."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from unisono import kernel
from unisono.kernel import call, descriptor, reading
from unisono.kernel import engine as host
from unisono.kernel.exports import EXPORTS
from unisono.kernel.plan import Column, Plan
from unisono.spec.errors import StateError

from .cases import Item, KeyedEvent, Request, Row
from .engines import Engine, Session, StaleError
from .image import Image, Place
from .machines import Machine

Functions = Mapping[str, Callable[[int], int]]
SMALL_SLAB_WORDS = 256
ADDRESSES = (
    *(descriptor.SLAB, descriptor.SLOTS, descriptor.PLAN, descriptor.SCRATCH, descriptor.ORDER, descriptor.ANSWERS),
    *(descriptor.EVENT_KEY, descriptor.EVENT_TIME, descriptor.EVENT_INGEST, descriptor.EVENT_ID),
    *(descriptor.EVENT_RETRACTION, descriptor.EVENT_VALUES, descriptor.REQUEST_KEY, descriptor.REQUEST_TIME),
    *(descriptor.STATE, descriptor.OUTPUT, descriptor.OFFSETS, descriptor.DATA, descriptor.RESULT),
    *(descriptor.PLACES, descriptor.CURSORS),
)


class KernelEngine(Engine):
    """`unisono.kernel` as everyone calls it.

    functions:  what stands in for the built library's; None for the library itself.
    slab_words: words of memory to begin with, so that running out of it is part of every test.
    """

    def __init__(
        self, name: str, functions: Functions | None = None, *, share: float = 1.0, slab_words: int | None = None
    ) -> None:
        self.name = name
        self.share = share
        self._functions = functions
        self._slab_words = slab_words

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """The kernel's host runs on this engine's functions and memory."""
        with contextlib.ExitStack() as stack:
            if self._functions is not None:
                functions = self._functions
                stack.enter_context(patch.object(call, "kernel_functions", lambda: functions))
            if isinstance(self._functions, FarFunctions):
                address_of, hold = self._functions.address_of, self._functions.hold
                for module in (call, host):
                    stack.enter_context(patch.object(module, "address_of", address_of))
                stack.enter_context(patch.object(call.Held, "hold", lambda held, buffer: hold(buffer)))
                stack.enter_context(patch.object(call.Held, "release", lambda held: None))
            if self._slab_words is not None:
                stack.enter_context(patch.object(host, "FIRST_SLAB_WORDS", self._slab_words))
            yield

    def open(self, plan: Plan, slots: int, *, partial: bool = False) -> KernelSession:
        with self.installed():
            return KernelSession(self, plan, kernel.States(plan, slots, partial=partial))

    def read(self, plan: Plan, state: bytes, time: int) -> Row:
        with self.installed(), _stale_told():
            reader = kernel.read if self._functions is None else _read_anew
            return rows_of(reader(plan, state, time)[np.newaxis])[0]

    def merge(self, plan: Plan, earlier: bytes, later: bytes, *, partial: bool = False) -> bytes:
        with self.installed():
            return kernel.merge(plan, earlier, later, partial=partial)

    def frame(self, plan: Plan, slots: int, items: Sequence[Item]) -> list[Row]:
        with self.installed():
            events, requests, _ = arrays_of(plan, items)
            order, _ = kernel.order_by_key(events.key, events.ingest, requests.key, requests.time, slots)
            states = kernel.States(plan, 1, reuse=True)
            return rows_of(states.replay(events, requests, order))


@dataclass(slots=True)
class KernelSession(Session):
    """States of the kernel."""

    engine: KernelEngine
    plan: Plan
    states: kernel.States

    def feed(self, items: Sequence[Item]) -> list[Row]:
        with self.engine.installed():
            events, requests, order = arrays_of(self.plan, items)
            return rows_of(self.states.replay(events, requests, order))

    def follow(self, events: Sequence[KeyedEvent]) -> list[Row]:
        with self.engine.installed():
            return rows_of(self.states.replay(arrays_of(self.plan, events)[0], emit="events"))

    def advance(self, time: int) -> None:
        with self.engine.installed():
            self.states.advance(np.arange(self.states.slots, dtype=np.int32), time)

    def ensure_slots(self, slots: int) -> None:
        with self.engine.installed():
            self.states.ensure_slots(slots)

    def export(self, slot: int) -> bytes:
        with self.engine.installed():
            return self.states.export(slot)

    def load(self, slot: int, state: bytes) -> None:
        with self.engine.installed():
            self.states.load(slot, state)


def arrays_of(plan: Plan, items: Sequence[Item]) -> tuple[kernel.Events, kernel.Requests, npt.NDArray[np.int32]]:
    """A batch of items as the kernel takes them; the order is that of the items."""
    events = [item for item in items if isinstance(item, KeyedEvent)]
    requests = [item for item in items if isinstance(item, Request)]
    time = np.array([item.event.time for item in events], np.int64)
    ingest = np.array([item.event.ingest for item in events], np.int64)
    retracts = np.array([item.event.retracts for item in events], np.uint8)
    columns = [[item.event.values[index] for item in events] for index in range(len(plan.columns))]
    batch = kernel.Events(
        key=np.array([item.key for item in events], np.int32),
        time=time,
        ingest=time if np.array_equal(time, ingest) else ingest,
        values=[_coded(column, values) for column, values in zip(plan.columns, columns, strict=True)],
        id=np.array([item.event.id for item in events], np.int64) if plan.has_ids else None,
        retraction=retracts if retracts.any() else None,
    )
    asked = kernel.Requests(
        np.array([item.key for item in requests], np.int32), np.array([item.time for item in requests], np.int64)
    )
    return batch, asked, _order_of(items)


def _order_of(items: Sequence[Item]) -> npt.NDArray[np.int32]:
    event, request, order = 0, 0, []
    for item in items:
        if isinstance(item, Request):
            order.append(~request)
            request += 1
        else:
            order.append(event)
            event += 1
    return np.array(order, np.int32)


def _coded(column: Column, values: Sequence[int | float | None]) -> npt.NDArray[Any]:
    if column.kind == "fixed":
        return np.array([kernel.NULL_INT if value is None else value for value in values], np.int64)
    return np.frombuffer(b"".join(_float_bytes(value) for value in values), np.float64)


def _float_bytes(value: float | None) -> bytes:
    return struct.pack("<q", kernel.NULL_FLOAT_BITS) if value is None else struct.pack("<d", value)


def rows_of(answers: npt.NDArray[np.float64]) -> list[Row]:
    """Answers of the kernel as rows."""
    missing = kernel.nulls(answers)
    return [
        tuple(None if null else value for value, null in zip(row, row_missing, strict=True))
        for row, row_missing in zip(answers.tolist(), missing.tolist(), strict=True)
    ]


def _read_anew(plan: Plan, state: bytes, time: int) -> npt.NDArray[np.float64]:
    return reading.Reader(plan).read(state, time)


@contextlib.contextmanager
def _stale_told() -> Iterator[None]:
    try:
        yield
    except StateError as error:
        if "let go of" in str(error):
            raise StaleError from error
        raise


@dataclass(slots=True)
class FarFunctions(Mapping[str, Callable[[int], int]]):
    """The kernel's functions on a machine with memory of its own: arrays are carried over and back at every call."""

    machine: Machine
    near: dict[int, npt.NDArray[Any]] = field(default_factory=dict)

    def address_of(self, array: npt.NDArray[Any]) -> int:
        """An array's address here; the array is kept, so that a call finds it again."""
        address: int = array.__array_interface__["data"][0]
        self.near[address] = array
        return address

    def hold(self, buffer: bytes | bytearray | memoryview) -> int:
        """A buffer's address, the buffer being kept."""
        return self.address_of(np.frombuffer(buffer, np.uint8))

    def __getitem__(self, name: str) -> Callable[[int], int]:
        return lambda address: self._run(name, self.near[address])

    def __iter__(self) -> Iterator[str]:
        return iter(EXPORTS)

    def __len__(self) -> int:
        return len(EXPORTS)

    def _run(self, name: str, words: npt.NDArray[Any]) -> int:
        image = Image()
        carried: dict[int, Place] = {}
        there = [self._carry(image, carried, index, int(word)) for index, word in enumerate(words)]
        base = image.words(*there)
        result, after = self.machine.call(name, image, base)
        for address, place in carried.items():
            array = self.near[address]
            if array.flags.writeable:
                back = np.frombuffer(after, array.dtype, array.size, place.offset)
                array[:] = back.reshape(array.shape)
        words[descriptor.AT] = np.frombuffer(after, np.int64, len(words), base.offset)[descriptor.AT]
        return result

    def _carry(self, image: Image, carried: dict[int, Place], index: int, word: int) -> int | Place:
        if index not in ADDRESSES or word == 0:
            return word
        if index == descriptor.EVENT_VALUES:
            columns = [self._carry(image, carried, descriptor.DATA, int(each)) for each in self.near[word]]
            return image.words(*columns)
        if word not in carried:
            carried[word] = image.place(self.near[word].tobytes())
        return carried[word]


def kernel_engines(machine: Callable[[str], Machine]) -> Mapping[str, Callable[[], KernelEngine]]:
    """Every way to run the kernel, by name, opened when wanted; `machine` gives the machines other than this one."""
    far = {"wasm32": 0.2, "aarch64-linux": 0.05, "cortex-m4": 0.05}
    return {
        "native": lambda: KernelEngine("native"),
        "native, little memory": lambda: KernelEngine("native, little memory", slab_words=SMALL_SLAB_WORDS, share=0.3),
        "python": lambda: KernelEngine("python", EXPORTS, share=0.1),
        **{name: _far_engine(name, share, machine) for name, share in far.items()},
    }


def _far_engine(name: str, share: float, machine: Callable[[str], Machine]) -> Callable[[], KernelEngine]:
    def opened() -> KernelEngine:
        return KernelEngine(name, FarFunctions(machine(name)), share=share, slab_words=4 * SMALL_SLAB_WORDS)

    return opened
