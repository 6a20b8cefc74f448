from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import unisono as un
from unisono.spec import errors

PUBLIC = {
    *("Source", "FeatureView", "Predictor", "Label", "Transform", "transform"),
    *("String", "Int64", "Float64", "Bool", "Timestamp", "Decimal", "Tensor"),
    *("count", "sum", "mean", "var", "std", "min", "max", "range", "first", "last"),
    *("load", "point_in_time", "stream"),
    *("Client", "AsyncClient"),
    *("category", "fill_null", "is_null"),
    *("UnisonoError", "DefinitionError", "InputError", "StateError", "StoreError", "ModelError", "ParityError"),
    "__version__",
}
SLOW = ("aiohttp", "numba", "onnxruntime", "polars", "numpy", "pyarrow")


def test_the_public_names_are_these() -> None:
    assert {*un.__all__} == PUBLIC
    assert len(un.__all__) == len(PUBLIC)
    assert dir(un) == sorted(un.__all__)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(un, name) is not None


def test_every_error_of_the_tree_is_public() -> None:
    assert {
        name for name, thing in vars(errors).items() if getattr(thing, "__module__", "") == errors.__name__
    } <= PUBLIC


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'unisono' has no attribute 'Sauce'"):
        un.Sauce  # type: ignore[attr-defined]  # noqa: B018


def test_a_driver_is_loaded_when_it_is_first_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = ModuleType("unisono.drivers.memory")
    monkeypatch.setattr(memory, "stream", "the stream driver", raising=False)
    monkeypatch.setitem(sys.modules, "unisono.drivers", ModuleType("unisono.drivers"))
    monkeypatch.setitem(sys.modules, "unisono.drivers.memory", memory)
    vars(un).pop("stream", None)
    try:
        stream: object = un.stream
        assert stream == "the stream driver"
    finally:
        vars(un).pop("stream", None)  # the next to ask gets the real one


def test_importing_unisono_loads_nothing_slow() -> None:
    script = f"import sys, unisono; print([name for name in {SLOW} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_package_says_that_it_is_typed() -> None:
    assert Path(un.__file__).with_name("py.typed").exists()
