"""A model that does whatever its caller wants: answer, fail, give no number, or go on for long."""

from __future__ import annotations

import numpy as np
from onnx import GraphProto, TensorProto, helper, numpy_helper

SIDE = 200
TRIPS = 10_000  # the most that a graph may have

RAISES, NO_NUMBER, HANGS = 60, -5, 45
"""Values of `shop` on which it fails, gives NaN, and takes seconds; from 0 to 3 it is well behaved."""


def strange_model(weight: float) -> bytes:
    """weight * shop + log(shop + 1), as ONNX.

    A table of 50 entries is looked into, so that larger values fail; from 40 on a loop goes round for seconds.
    """
    nodes = [
        helper.make_node("Clip", ["shop", "zero"], ["positive"]),
        helper.make_node("Cast", ["positive"], ["place"], to=TensorProto.INT64),
        helper.make_node("Squeeze", ["place", "second"], ["row"]),
        helper.make_node("Gather", ["table", "row"], ["found"], axis=0),
        helper.make_node("ReduceMax", ["shop"], ["most"], keepdims=0),
        helper.make_node("GreaterOrEqual", ["most", "forty"], ["hangs"]),
        helper.make_node("Loop", ["trips", "hangs", "matrix"], ["end"], body=_body()),
        helper.make_node("ReduceMax", ["end"], ["largest"], keepdims=0),
        helper.make_node("Mul", ["largest", "zero"], ["nothing"]),
        helper.make_node("Add", ["shop", "one"], ["moved"]),
        helper.make_node("Log", ["moved"], ["log"]),
        helper.make_node("Add", ["found", "log"], ["sum"]),
        helper.make_node("Add", ["sum", "nothing"], ["prediction"]),
    ]
    constants = {
        "table": np.arange(50, dtype=np.float32).reshape(50, 1) * np.float32(weight),
        "second": np.array([1], np.int64),
        "zero": np.float32(0),
        "one": np.float32(1),
        "forty": np.float32(40),
        "trips": np.array(TRIPS, np.int64),
        "matrix": np.full((SIDE, SIDE), 0.01, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "strange",
        [helper.make_tensor_value_info("shop", TensorProto.FLOAT, ["N", 1])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["N", 1])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content


def _body() -> GraphProto:
    """Multiplies a matrix with itself, and keeps it in bounds."""
    matrix = [SIDE, SIDE]
    return helper.make_graph(
        [
            helper.make_node("Constant", [], ["low"], value=numpy_helper.from_array(np.array(-1, np.float32))),
            helper.make_node("Constant", [], ["high"], value=numpy_helper.from_array(np.array(1, np.float32))),
            helper.make_node("MatMul", ["before", "before"], ["product"]),
            helper.make_node("Clip", ["product", "low", "high"], ["after"]),
            helper.make_node("Identity", ["goes_on"], ["goes_on_after"]),
        ],
        "round",
        [
            helper.make_tensor_value_info("trip", TensorProto.INT64, []),
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, matrix),
        ],
        [
            helper.make_tensor_value_info("goes_on_after", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, matrix),
        ],
    )
