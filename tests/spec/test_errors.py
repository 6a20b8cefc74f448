from __future__ import annotations

import copy
import pickle

import pytest

import unisono as un

CHILDREN: list[type[un.UnisonoError]] = [
    un.DefinitionError,
    un.InputError,
    un.StateError,
    un.StoreError,
    un.ModelError,
    un.ParityError,
]


def test_every_error_is_a_unisono_error() -> None:
    assert all(issubclass(child, un.UnisonoError) for child in CHILDREN)


def test_every_error_has_an_exit_code_of_its_own_and_leaves_two_to_wrong_usage() -> None:
    codes = [un.UnisonoError.exit_code, *(child.exit_code for child in CHILDREN)]
    assert len(set(codes)) == len(codes)
    assert not {0, 2} & set(codes)


def test_the_picture_of_the_error_tree_shows_every_error_with_its_exit_code() -> None:
    from unisono.spec import errors

    tree: list[type[un.UnisonoError]] = [un.UnisonoError, *CHILDREN]
    for error in tree:
        line = next(line for line in (errors.__doc__ or "").splitlines() if error.__name__ in line)
        assert str(error.exit_code) in line.split()


def test_a_definition_error_shows_one_line_a_fault_and_each_fault_once() -> None:
    error = un.DefinitionError(["a", "b", "a"])
    assert error.problems == ("a", "b")
    assert str(error) == "a\nb"


def test_one_string_is_one_fault() -> None:
    assert un.DefinitionError("key: none").problems == ("key: none",)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_definition_error_crosses_processes(twin) -> None:  # type: ignore[no-untyped-def]
    assert twin(un.DefinitionError(["a", "b"])).problems == ("a", "b")
