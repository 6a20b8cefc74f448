"""The arena that sessions share: what a large batch took is given back, and many sessions take it once."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

_GROWTH = """
import sys
import numpy as np
from onnx import TensorProto, helper
from unisono.models.session import Runner
from unisono.drivers.serving.versions.memory import resident_bytes

nodes = [
    helper.make_node("Transpose", ["x"], ["turned"], perm=[1, 0]),
    helper.make_node("Mul", ["x", "turned"], ["table"]),
    helper.make_node("Exp", ["table"], ["powers"]),
    helper.make_node("ReduceSum", ["powers"], ["sum"], keepdims=0),
]
given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
made = helper.make_tensor_value_info("sum", TensorProto.FLOAT, [])
graph = helper.make_graph(nodes, "table", [given], [made])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()
runners = [Runner(model) for _ in range(int(sys.argv[1]))]
for runner in runners:
    runner({"x": np.ones((10, 1), np.float32)})
before = resident_bytes()
for runner in runners:
    for _ in range(2):
        runner({"x": np.full((int(sys.argv[2]), 1), 0.1, np.float32)})
print(resident_bytes() - before)
"""


def growth(sessions: int, rows: int) -> int:
    """Bytes that a process has more after sessions have made tables of rows x rows."""
    command = [sys.executable, "-c", _GROWTH, str(sessions), str(rows)]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has is known of Linux only")
def test_what_a_large_batch_took_is_given_back() -> None:
    rows = 6000  # 144 MB a table
    assert growth(1, rows) < 20_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has is known of Linux only")
def test_many_sessions_keep_no_more_than_one() -> None:
    rows = 1000  # 4 MB a table, which fits into the part that is kept
    assert growth(20, rows) < 20_000_000
