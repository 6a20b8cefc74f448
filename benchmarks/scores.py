"""The one workload of the batch benchmark: a table of floats, a model, and where their files are kept.

`python -m benchmarks.scores ROWS` writes what is not there yet. Imports nothing heavy at the top: the process that
measures the peak memory of others has to stay small (`harness.run_process`).
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.workload import cache

ROWS: Final = 10_000_000
COLUMNS: Final = tuple(f"f{number:02}" for number in range(30))
KEY: Final = "id"
PREDICTOR: Final = "wide"
OUTPUTS: Final = ("prediction", "probability")
TREES, LEAVES = 200, 31
TRAINING_ROWS: Final = 50_000
BLOCK_ROWS: Final = 500_000
ROW_GROUP: Final = 122_880  # as DuckDB writes them
# Part of a file's name, so that a changed generator never meets an old file.
GENERATION: Final = 1

DEFINITIONS: Final = f"""
import unisono as un

{PREDICTOR} = un.Predictor(
    "{PREDICTOR}", request={{name: un.Float64 for name in {list(COLUMNS)}}}, features=[], time="asked_at"
)
"""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows to score.

    rows: how many.
    """

    rows: int = ROWS

    @property
    def path(self) -> Path:
        """Columns id (Int64) and f00 to f29 (Float64, all different), in row groups of ROW_GROUP rows, snappy."""
        return cache() / f"scores-{self.rows}-{GENERATION}.parquet"

    @property
    def project(self) -> Path:
        """A project with a LightGBM model of 200 trees with 31 leaves as the version of its one predictor."""
        return cache() / f"scores-project-{GENERATION}"

    @property
    def engine_path(self) -> Path:
        """The same model as a graph of one matrix: what a bare engine runs."""
        return self.project / "bare.onnx"

    def ensure(self) -> None:
        """Writes the files, in a process of its own, unless they are there."""
        if not (self.path.exists() and self.engine_path.exists()):
            command = [sys.executable, "-m", "benchmarks.scores", str(self.rows)]
            subprocess.run(command, check=True, cwd=Path(__file__).parent.parent)


def write_table(table: Table) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(KEY, pa.int64()), *((name, pa.float64()) for name in COLUMNS)])
    partial = table.path.with_suffix(".partial")
    with pq.ParquetWriter(partial, schema, use_dictionary=False) as writer:
        for start in range(0, table.rows, BLOCK_ROWS):
            rows = min(BLOCK_ROWS, table.rows - start)
            numbers = np.random.default_rng([1, start]).normal(size=(len(COLUMNS), rows))
            block = pa.table([np.arange(start, start + rows), *numbers], schema=schema)
            writer.write_table(block, row_group_size=ROW_GROUP)
    partial.replace(table.path)


def write_project(table: Table) -> None:
    import numpy as np
    import polars as pl
    from lightgbm import LGBMClassifier

    import unisono as un
    from unisono.models.importers import import_model

    table.project.mkdir(exist_ok=True)
    (table.project / "definitions.py").write_text(DEFINITIONS)
    (table.project / "unisono.toml").write_text('definitions = "definitions.py"\n')
    random = np.random.default_rng(0)
    matrix = random.normal(size=(TRAINING_ROWS, len(COLUMNS)))
    label = matrix[:, :10].sum(axis=1) + np.sin(3 * matrix[:, 10]) + random.normal(size=TRAINING_ROWS) > 0
    model = LGBMClassifier(n_estimators=TREES, num_leaves=LEAVES, verbose=-1, n_jobs=1)
    model.fit(matrix, label, feature_name=list(COLUMNS))
    project = un.load(table.project)
    moment = pl.Series("asked_at", [0]).cast(pl.Datetime("us", "UTC"))
    sample = pl.DataFrame(matrix[:2000], schema=list(COLUMNS)).with_columns(asked_at=moment.first())
    project.register(PREDICTOR, model, sample=sample)
    bare = import_model(model, inputs=project.ready(PREDICTOR).inputs)
    table.engine_path.write_bytes(bare.graph)


def main(rows: str) -> None:
    table = Table(int(rows))
    if not table.path.exists():
        write_table(table)
    if not table.engine_path.exists():
        write_project(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
