"""A graph gives the kernel's bytes in onnxruntime on other machines, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.edge_transformers import planting
from benchmarks.edge_transformers.arm import NotHereError
from benchmarks.edge_transformers.rows.parity import kernel_answers
from benchmarks.edge_transformers.runtimes import BROWSER, HASWELL, HERE, runtime
from unisono.kernel.integer.network import Linear
from unisono.models.integer.graph import integer_graph

from .networks import grown


@pytest.mark.slow
@pytest.mark.parametrize("name", [HERE, HASWELL, BROWSER])
def test_onnxruntime_gives_the_bytes_of_the_kernel(name: str, tmp_path: Path) -> None:
    try:
        ask = runtime(name, tmp_path)
    except NotHereError as error:
        pytest.skip(str(error))
    asked = grown(3, layers=2)
    assert ask(integer_graph(asked.network), asked.rows) == kernel_answers(asked.network, asked.rows)


def test_what_is_planted_is_named() -> None:
    asked = grown(3, layers=2)
    found = planting.found(asked.network, asked.rows)
    middle = [one.name for one in asked.network.instructions if isinstance(one, Linear)]
    assert [said for said in found.values() if said] != []
    assert set(found.values()) <= {"", middle[len(middle) // 2], "Cast: planted is FLOAT"}
