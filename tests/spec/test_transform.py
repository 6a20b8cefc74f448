from __future__ import annotations

import functools

import pytest

import unisono as un
from unisono.spec.transform import graph_of


def plain(request):  # type: ignore[no-untyped-def]
    return {}


def test_a_transform_takes_its_name_and_its_inputs_from_the_function() -> None:
    def lateness(arrivals, request):  # type: ignore[no-untyped-def]
        raise AssertionError("the spec calls no transform")

    made = un.transform(lateness)
    assert (made.name, made.inputs, made.graph) == ("lateness", ("arrivals", "request"), None)
    assert made.function is lateness


def test_a_transform_that_was_loaded_is_a_graph_without_a_function() -> None:
    loaded = un.Transform("lateness", inputs=("arrivals",), graph=b"graph")
    assert loaded.function is None
    assert "graph" not in repr(loaded)


@pytest.mark.parametrize("thing", [3, "lateness", None, len, dict, functools.partial(len)])
def test_only_a_function_becomes_a_transform(thing: object) -> None:
    with pytest.raises(un.DefinitionError, match="is not a function; allowed: a function made by def"):
        un.transform(thing)  # type: ignore[arg-type]


def test_every_parameter_that_names_no_namespace_is_a_fault() -> None:
    def odd(request, limit=3, *rest, keyword, **others):  # type: ignore[no-untyped-def]
        return {}

    with pytest.raises(un.DefinitionError) as error:
        un.transform(odd)
    assert [line.split(";")[0] for line in error.value.problems] == [
        'transform odd: parameters: "limit=3"',
        'transform odd: parameters: "*rest"',
        'transform odd: parameters: "keyword"',
        'transform odd: parameters: "**others"',
    ]


def test_a_transform_reads_something() -> None:
    def constant():  # type: ignore[no-untyped-def]
        return {}

    with pytest.raises(un.DefinitionError, match="transform constant: inputs: none; allowed: one or more namespaces"):
        un.transform(constant)


def test_a_lambda_has_no_name_to_go_by() -> None:
    with pytest.raises(un.DefinitionError, match='"<lambda>" is not a name'):
        un.transform(lambda request: request)


def test_the_faults_of_a_transform_made_by_hand_are_shown_together() -> None:
    with pytest.raises(un.DefinitionError) as error:
        un.Transform("a__b", inputs=("request", "request", 3))  # type: ignore[arg-type]
    assert [line.split(": ")[1] for line in error.value.problems] == ["name", "inputs[2]", "inputs", "function"]


def test_the_graph_of_a_transform_is_its_own_or_the_one_of_its_name() -> None:
    assert graph_of(un.transform(plain), {"plain": b"given", "other": b""}) == b"given"
    loaded = un.Transform("plain", inputs=("request",), graph=b"own")
    assert graph_of(loaded, {"plain": b"other"}) == b"own"


def test_a_transform_without_a_graph_says_what_to_do() -> None:
    with pytest.raises(un.DefinitionError, match=r"transform plain: None .* is not a traced graph; .* trace it first"):
        graph_of(un.transform(plain), {})
