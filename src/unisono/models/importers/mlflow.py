"""Model folders that MLflow wrote: the importer of the library inside takes over."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from unisono.models.files.mlflow_folder import MlflowModel, read_folder
from unisono.models.importers.base import ImportedModel
from unisono.spec.errors import ModelError
from unisono.spec.types import DType


class Mlflow:
    """The importer of such folders, by their path, or opened."""

    def accepts(self, model: object) -> bool:
        """Whether this is one of them."""
        return isinstance(model, MlflowModel) or (isinstance(model, Path) and (model / "MLmodel").is_file())

    def import_model(
        self, model: object, *, inputs: Mapping[str, DType], columns: Sequence[str] | None = None
    ) -> ImportedModel:
        """The model as a graph; its columns are those of the folder's signature where it knows none itself.

        Raises ModelError as the importer of its library does.
        """
        from unisono.models.importers import import_model

        opened = read_folder(model, _warn) if isinstance(model, Path) else model
        assert isinstance(opened, MlflowModel)
        try:
            return import_model(opened.model, inputs=inputs, columns=columns)
        except ModelError:
            if columns is not None or not opened.columns:
                raise
        return import_model(opened.model, inputs=inputs, columns=opened.columns)


def _warn(path: Path, kind: str) -> None:
    warnings.warn(f"{path} is a {kind}: opening it runs code that is in it", stacklevel=2)
