"""Several predictors over one table, and predictors that need no features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import unisono as un
from tests.drivers.logs import same_bits
from tests.drivers.projects import DEFINITIONS, make_project, register
from unisono.drivers.batch import run_batch
from unisono.drivers.project import Project

MORE = """
size = un.Predictor("size", request={"shop": un.Int64, "weight": un.Float64}, features=[], time="bought_at")
other = un.Predictor("other", request={"shop": un.String}, features=[], time="asked_at")
soon = un.Predictor("soon", request={"user": un.String}, features=[by_user], time="asked_at")
"""


def fit(project: Project, predictor: str, sample: pl.DataFrame, columns: list[str]) -> None:
    from lightgbm import LGBMRegressor

    model = LGBMRegressor(n_estimators=3, num_leaves=4, min_data_in_leaf=5, verbose=-1, n_jobs=1)
    table = sample.select(pl.col(columns).cast(pl.Float64)).to_numpy()
    model.fit(table, np.nan_to_num(table).sum(axis=1), feature_name=columns)
    project.register(predictor, model, sample=sample)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("several")
    register(make_project(folder))
    (folder / "definitions.py").write_text(DEFINITIONS + MORE)
    made = un.load(folder)
    requests = made.requests("risk")
    weights = np.random.default_rng(5).normal(size=requests.height)
    sample = requests.with_columns(pl.Series("weight", weights), pl.col("asked_at").alias("bought_at"))
    fit(made, "size", sample, ["shop", "weight"])
    fit(made, "soon", made.training_frame("soon", requests), ["by_user__count_1h", "by_user__cents_mean_3h"])
    sample.drop("bought_at").write_parquet(folder / "table.parquet")
    return made


@pytest.fixture
def table(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return str(project.root / "table.parquet")


@pytest.mark.slow
def test_several_predictors_answer_in_one_run_what_each_answers_alone(project: Project, table: str) -> None:
    report = run_batch(project, ["risk", "size", "soon"], table, "out.parquet", chunk=30)
    together = pl.read_parquet("out.parquet")
    assert set(report.versions) == {"risk", "size", "soon"}
    assert together.columns == [
        *("user", "shop", "asked_at", "weight"),
        *("risk__prediction", "risk__probability", "size__prediction", "soon__prediction"),
    ]
    for name in ("risk", "size", "soon"):
        run_batch(project, name, table, "alone.parquet")
        alone = pl.read_parquet("alone.parquet")
        outputs = [column for column in ("prediction", "probability") if column in alone.columns]
        renamed = together.select(pl.col(f"{name}__{column}").alias(column) for column in outputs)
        assert same_bits(renamed, alone.select(outputs))


def test_a_table_without_time_will_do_where_nothing_depends_on_it(project: Project, table: str) -> None:
    run_batch(project, "size", table, "out.parquet")
    rows = pl.read_parquet(table).with_columns(pl.col("asked_at").alias("bought_at"))
    assert pl.read_parquet("out.parquet").columns == ["shop", "weight", "prediction"]
    assert pl.read_parquet("out.parquet")["prediction"].equals(project.predict("size", rows)["prediction"])
    pl.read_parquet(table).drop("asked_at").write_parquet("timeless.parquet")
    with pytest.raises(un.InputError, match='column "asked_at": there is no such column'):
        run_batch(project, "soon", "timeless.parquet", "out.parquet")


def test_what_cannot_be_run_together_is_refused(project: Project, table: str) -> None:
    with pytest.raises(un.InputError, match='version "abc": of which predictor'):
        run_batch(project, ["risk", "size"], table, "out.parquet", version="abc")
    with pytest.raises(un.StoreError, match="other"):  # it has no version
        run_batch(project, ["risk", "other"], table, "out.parquet")


def test_two_that_declare_one_column_differently_are_refused(project: Project) -> None:
    from unisono.drivers.batch.contestants import Contestant, columns_of

    scorer = project.scorer("size")
    both = [Contestant(project.ready(name), scorer, {}) for name in ("size", "other")]
    with pytest.raises(un.InputError, match='predictor other, column "shop": String; allowed: Int64, as another'):
        columns_of(both)
