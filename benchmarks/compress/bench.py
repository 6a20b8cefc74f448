"""What the rows share: projects, data, teachers, and recipes carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.compress import teachers
from benchmarks.compress.datasets import animals, sentiment
from benchmarks.harness import say
from benchmarks.workload import cache
from unisono.compress.recipe import recipe_of
from unisono.compress.report.document import ReportJson
from unisono.drivers.project import Project, load

_CONFIG = 'definitions = "definitions.py"\n'
_DEFINITIONS = {
    "sentiment": 'request={"text": un.String}',
    "animals": f'request={{"image": un.Tensor("Float32", (1, {animals.SIDE}, {animals.SIDE}))}}',
}
_DATA: Mapping[str, Callable[[Path], pl.DataFrame]] = {"sentiment": sentiment.load, "animals": animals.load}
SETTINGS: Mapping[str, dict[str, Any]] = {
    "sentiment": {"label": "sentiment", "split": "part", "slices": ["source", "length"]},
    "animals": {"label": "animal", "split": "part", "slices": ["ink"]},
}
"""[data] of the recipes, by predictor."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Where rows work.

    folder: holds archives, frames, teachers, projects with the stages of their recipes; what is there is used again.
    """

    folder: Path

    @classmethod
    def usual(cls) -> Bench:
        """In the benchmarks' cache."""
        folder = cache() / "compress"
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    def project(self, name: str) -> Project:
        """The project of a predictor: "sentiment" or "animals"."""
        root = self.folder / "projects" / name
        root.mkdir(parents=True, exist_ok=True)
        (root / "unisono.toml").write_text(_CONFIG)
        predictor = f'{name} = un.Predictor("{name}", {_DEFINITIONS[name]}, time="asked_at", features=())'
        (root / "definitions.py").write_text(f'"""Of a benchmark."""\n\nimport unisono as un\n\n{predictor}\n')
        return load(root)

    def data(self, name: str) -> pl.DataFrame:
        """Its rows, with the column `part`."""
        return _DATA[name](self.folder)

    def sentiment_teacher(self) -> tuple[Any, Any]:
        """MiniLM-L6, fine-tuned on the sentences: (model, tokenizer). Trained once, for a quarter of an hour."""
        return teachers.sentiment(self.folder, self.data("sentiment"))

    def compress(self, name: str, recipe: Mapping[str, Any], model: object) -> ReportJson:
        """The report of a recipe that is carried out as `unisono compress --no-register` does it.

        recipe: without [data], which is the predictor's here; its budget is enforced.

        Raises ModelError for a result over the budget.
        """
        chosen = recipe_of({"data": SETTINGS[name], **recipe})
        made = self.project(name).compress(
            name, chosen, model, data=self.data(name), register=False, progress=progress()
        )
        return made.report


def progress() -> Callable[[str, int, int | None], None]:
    """Says on standard error how far something is, in tenths."""
    from unisono.cli.progress import line

    told: dict[str, int] = {}

    def report(what: str, done: int, total: int | None) -> None:
        tenth = 10 * done // total if total else 0
        if told.get(what) != tenth:
            told[what] = tenth
            say(f"  {line(what, done, total, 0.0)}")

    return report
