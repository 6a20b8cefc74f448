from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import unisono.models

MODULES = [module.name for module in pkgutil.walk_packages(unisono.models.__path__, "unisono.models.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_every_public_thing_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    own = [thing for thing in vars(module).values() if getattr(thing, "__module__", None) == name]
    public = [thing for thing in own if not getattr(thing, "__name__", "_").startswith("_")]
    assert [thing.__name__ for thing in public if callable(thing) and not thing.__doc__] == []


def test_every_public_name_can_be_had() -> None:
    for name in unisono.models.__all__:
        assert getattr(unisono.models, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = unisono.models.nothing
