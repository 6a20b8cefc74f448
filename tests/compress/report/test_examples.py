from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from unisono.compress import report

MODULES = [module.name for module in pkgutil.walk_packages(report.__path__, f"{report.__name__}.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_every_public_thing_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    own = [thing for thing in vars(module).values() if getattr(thing, "__module__", None) == name]
    public = [thing for thing in own if not getattr(thing, "__name__", "_").startswith("_")]
    assert [thing.__name__ for thing in public if callable(thing) and not thing.__doc__] == []
