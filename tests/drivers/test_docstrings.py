"""The examples in docstrings run, and everything public has a docstring."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import unisono.connect
import unisono.drivers
import unisono.features
import unisono.store

PACKAGES = (unisono.features, unisono.connect, unisono.store, unisono.drivers)
MODULES = [
    module.name for package in PACKAGES for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    own = [thing for thing in vars(module).values() if getattr(thing, "__module__", None) == name]
    public = [thing for thing in own if not getattr(thing, "__name__", "_").startswith("_")]
    assert module.__doc__
    assert [thing.__name__ for thing in public if callable(thing) and not thing.__doc__] == []
