"""Memory of onnxruntime for what operators hand on: one arena of the process, which all sessions share.

Without one each operator's tensor comes from the C library, which has the system clear the pages of a large one every
time: softmax over 2,048 tokens took twice as long, a batch of texts a quarter longer. onnxruntime's own arenas, one a
session, never shrink. This one keeps its first part, which most batches fit into; what a larger one needed is given
back as soon as it is answered. Weights lie outside of it, and go with their session.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import onnxruntime

_KEPT_BYTES = 16 << 20
"""Of the first part: all that MiniLM needs for a text of 128 tokens."""

_GROWN_BYTES = 160 << 20
"""Of the part that a larger batch gets beside it: one is filled more densely than several that double, and the system
counts only what is written to. onnxruntime heeds this from a process's second run on, and keeps 8 bytes of a part's
every 256 in a list, so that a much larger one would cost."""


def share(options: Any) -> None:
    """Sessions of these options use the arena."""
    _register()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")


def shrinking() -> Any:
    """Options of runs that give back what is beyond the first part."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


@cache
def _register() -> None:
    """Once in a process: a second arena would be refused."""
    kind, where = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
    sizes = {"initial_chunk_size_bytes": _KEPT_BYTES, "initial_growth_chunk_size_bytes": _GROWN_BYTES}
    arena = onnxruntime.OrtArenaCfg(sizes)
    onnxruntime.create_and_register_allocator(onnxruntime.OrtMemoryInfo("Cpu", kind, 0, where), arena)
