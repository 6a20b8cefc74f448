"""Calling the kernel: a descriptor to fill in, scratch memory, the addresses of arrays."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from unisono.kernel import descriptor as at
from unisono.kernel.encoding import plan_words
from unisono.kernel.library import kernel_functions
from unisono.kernel.plan import Plan

SCRATCH_WORDS = 8192


class Call:
    """One descriptor with its plan and scratch memory. Not to be shared between threads."""

    __slots__ = ("_address", "_functions", "_kept", "scratch", "words")

    def __init__(self, plan: Plan | None = None) -> None:
        self.words = np.zeros(at.DESCRIPTOR_WORDS, np.int64)
        self.scratch = np.empty(SCRATCH_WORDS, np.int64)
        self._address = address_of(self.words)
        self._functions = kernel_functions()
        self._kept: dict[int, npt.NDArray[Any]] = {}
        self.put(at.SCRATCH, self.scratch)
        if plan is not None:
            self.put(at.PLAN, plan_words(plan))

    def put(self, place: int, array: npt.NDArray[Any] | None) -> None:
        """Tell the kernel where an array is, and keep the array alive; None is address 0."""
        if array is None:
            self._kept.pop(place, None)
            self.words[place] = 0
        else:
            self._kept[place] = array
            self.words[place] = address_of(array)

    def run(self, name: str) -> int:
        """Call an exported function."""
        return self._functions[name](self._address)


def address_of(array: npt.NDArray[Any]) -> int:
    """The address of an array's first element; the array must be contiguous."""
    address: int = array.__array_interface__["data"][0]
    return address


def bytes_of(state: bytes | bytearray | memoryview) -> npt.NDArray[np.uint8]:
    """A view of a state's bytes."""
    return np.frombuffer(state, np.uint8)


class Held:
    """Holds a buffer in place for one call and tells its address: a third of the cost of going through an array.

    Source: the buffer protocol in CPython's stable ABI; the first word of a Py_buffer is the address.
    """

    __slots__ = ("_get", "_place", "_release", "words")

    def __init__(self) -> None:
        self.words = np.zeros(16, np.int64)
        self._place = ctypes.c_void_p(address_of(self.words))
        self._get = ctypes.pythonapi.PyObject_GetBuffer
        self._get.argtypes = (ctypes.py_object, ctypes.c_void_p, ctypes.c_int)
        self._release = ctypes.pythonapi.PyBuffer_Release
        self._release.argtypes = (ctypes.c_void_p,)
        self._release.restype = None

    def hold(self, buffer: bytes | bytearray | memoryview) -> int:
        """Hold a buffer; returns its address. Raises BufferError if it is not contiguous."""
        self._get(buffer, self._place, 0)
        return int(self.words[0])

    def release(self) -> None:
        """Let go of it."""
        self._release(self._place)
