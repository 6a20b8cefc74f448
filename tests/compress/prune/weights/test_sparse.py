"""Graphs that store zeros in less room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compress.conftest import Case
from unisono.compress.prune.weights.packing import pack
from unisono.compress.prune.weights.sparse_step import Sparse
from unisono.compress.prune.weights.step import PruneWeights
from unisono.compress.running.graphs import answering
from unisono.compress.subject import Subject
from unisono.models import import_model
from unisono.models.judging import judge_graph
from unisono.models.session import Runner, open_native
from unisono.models.verifying.operators import unsure_operators
from unisono.spec.errors import ModelError

ARRAYS = st.lists(st.tuples(st.integers(0, 900), st.sampled_from([1.5, -0.0, np.nan])), min_size=1, max_size=5)


@given(ARRAYS, st.sampled_from([np.float32, np.float64]))
def test_what_is_packed_is_all_there(parts: list[tuple[int, float]], kind: type[np.floating]) -> None:
    array = np.concatenate([[*np.zeros(zeros), value] for zeros, value in parts]).astype(kind)
    packed = pack(array)
    unpacked = np.zeros_like(array)
    unpacked[np.cumsum(packed.gaps, dtype=np.int64)] = packed.values
    assert unpacked.tobytes() == array.tobytes()


def graph_of(case: Case, subject: Subject) -> Subject:
    """The same model as a graph."""
    model = subject.module()
    imported = import_model(model.importable, inputs=case.data.inputs, columns=model.columns)
    return subject.with_graph(replace(imported, answer=answering(imported, case.data.inputs)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["numbers", "images", "texts"])
def test_the_answers_have_the_same_bits_and_the_graph_is_smaller(name: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(name)
    dense = graph_of(case, case.applied(PruneWeights(share=0.9, fewest=500)))
    packed = replace(case, subject=dense).applied(Sparse())
    before, after = (one.imported().graph for one in (dense, packed))
    weights = sum(one.numel() for one in case.subject.module().module.parameters()) * 4
    assert len(before) - len(after) > 0.4 * weights
    judge_graph(after)
    said = [one.imported().answer(case.data.test) for one in (dense, packed)]
    assert all(np.array_equal(said[0][key], said[1][key]) for key in said[0])
    assert unsure_operators(onnx.load_model_from_string(after)) == unsure_operators(onnx.load_model_from_string(before))


@pytest.mark.slow
def test_the_runtime_unpacks_once_while_it_loads(numbers: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    dense = graph_of(numbers, numbers.applied(PruneWeights(share=0.9, fewest=100)))
    packed = replace(numbers, subject=dense).applied(Sparse())
    folder = numbers.context.stage
    ran = []
    for place, one in enumerate((dense, packed)):
        path = folder / f"{place}.onnx"
        monkeypatch.setattr(onnxruntime, "SessionOptions", _writing(onnxruntime.SessionOptions, str(path)))
        open_native(one.imported().graph)
        monkeypatch.undo()
        ran.append(sorted(node.op_type for node in onnx.load(path).graph.node))
    assert ran[0] == ran[1]


def _writing(options: type, path: str) -> object:
    def made() -> object:
        one = options()
        one.optimized_model_filepath = path
        return one

    return made


@pytest.mark.slow
def test_a_graph_without_zeros_is_refused(numbers: Case) -> None:
    dense = graph_of(numbers, numbers.subject)
    with pytest.raises(ModelError, match=r"no tensor gets 10% smaller.*put prune_weights before it"):
        replace(numbers, subject=dense).applied(Sparse())


@pytest.mark.slow
def test_what_was_kept_with_the_graph_stays(numbers: Case) -> None:
    dense = graph_of(numbers, numbers.applied(PruneWeights(share=0.9, fewest=100)))
    model = onnx.load_model_from_string(dense.imported().graph)
    model.metadata_props.add(key="unisono.predictor", value="{}")
    kept = dense.with_graph(replace(dense.imported(), graph=model.SerializeToString()))
    packed = replace(numbers, subject=kept).applied(Sparse()).imported().graph
    assert Runner(packed).metadata["unisono.predictor"] == "{}"
