"""Judges single operators where the libraries that read graphs are known not to look, and would crash.

Each rule was found by changing sound graphs at random; tests/store/test_artifacts_fuzz.py goes on doing so.
"""

from __future__ import annotations

from onnx import AttributeProto, NodeProto, defs

from unisono.models.judging.refusal import refused
from unisono.spec.wording import quoted

_MAX_AXIS = 16  # of a tensor, counted from either end
_AXES = ("axis", "axes", "batch_axis", "batch_dims", "perm", "time_axis")
_MAX_TYPE = 16  # of the numbers of types; the later ones are too narrow for anything here
_TYPES = ("dtype", "output_datatype", "output_dtype", "precision", "stash_type", "to")
_MAX_NUMBER = (1 << 31) - 1  # of sizes and positions, which are kept in 32 bits
_VALUES = ("classlabels", "value_int", "end", "start")  # may be any number
_OPTIONAL = defs.OpSchema.FormalParameterOption.Optional


def judge_node(node: NodeProto, domain: str, version: int) -> None:
    """Raises ModelError for an operator without an input that it needs, or with a number that it cannot hold.

    domain:  of the operator, as ONNX calls it.
    version: number of its set of operators.
    """
    if "" in node.input:
        _judge_inputs(node, domain, version)
    for attribute in node.attribute:
        _judge_numbers(node, attribute)


def judge_type(number: int) -> None:
    """Raises ModelError for values of a type that is unknown, or too narrow to be used here."""
    if not 0 <= number <= _MAX_TYPE:
        raise refused(f"a value of type {number}", f"types up to {_MAX_TYPE}")


def _judge_inputs(node: NodeProto, domain: str, version: int) -> None:
    """An input without a name is left out; for operators of any number of inputs none can be."""
    if not defs.has(node.op_type, version, domain):  # of another version; the checker says that
        return
    formal = defs.get_schema(node.op_type, version, domain).inputs
    for place, name in enumerate(node.input):
        if not name and formal[min(place, len(formal) - 1)].option != _OPTIONAL:
            raise refused(f"{node.op_type} without its input {place}", "all of its inputs")


def _judge_numbers(node: NodeProto, attribute: AttributeProto) -> None:
    if attribute.name.startswith(_VALUES) or "int64" in attribute.name:
        return
    most = _MAX_AXIS if attribute.name in _AXES else _MAX_TYPE if attribute.name in _TYPES else _MAX_NUMBER
    least = 0 if attribute.name in _TYPES else -most
    wrong = [number for number in (attribute.i, *attribute.ints) if not least <= number <= most]
    if wrong:
        seen = f"attribute {quoted(attribute.name)} of {node.op_type} of {wrong[0]}"
        raise refused(seen, f"numbers from {least} to {most}")
