"""Requests with tensors: from JSON, JSON lines, CSV and Parquet, each to the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import unisono as un
from unisono.connect.files import read_table
from unisono.drivers.ingest import check_requests
from unisono.drivers.online.plan import plan_of
from unisono.drivers.online.requests import RequestDecoder
from unisono.drivers.predictors import make_predictor_ready
from unisono.features.places import Place

SCHEMA = {"image": un.Tensor("UInt8", (2, 2)), "wave": un.Tensor("Float32", (3,))}
SEEN = un.Predictor("seen", request=SCHEMA, time="asked_at", features=())
IMAGE = [[0, 255], [3, 4]]
WAVE = [0.1, -2.5, 3e38]


def decode(**changes: Any) -> dict[str, Any]:
    row = {"image": IMAGE, "wave": WAVE, **changes}
    body = json.dumps({name: value for name, value in row.items() if value is not ...})
    values = RequestDecoder(plan_of(make_predictor_ready(SEEN))).decode(body.encode())
    return dict(zip(SCHEMA, values, strict=False))


def test_json_becomes_arrays_of_the_declared_elements() -> None:
    request = decode()
    assert request["image"].dtype == np.uint8 and request["image"].tolist() == IMAGE
    assert request["wave"].dtype == np.float32 and request["wave"].tolist() == np.array(WAVE, np.float32).tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": ...}, "missing required field `image`"),
        ({"image": None}, "Expected `array`, got `null` - at `$.image`"),
        ({"image": [[1, 2]]}, "at `$.image`"),
        ({"image": [[1, 2], [3]]}, "at `$.image[1]`"),
        ({"image": [[1, 2], [3, 256]]}, "Expected `int` <= 255"),
        ({"image": [[1, 2], [3, 4.5]]}, "Expected `int`, got `float`"),
        ({"wave": [1, 2, 3.5e38]}, "at `$.wave[2]`"),
        ({"wave": [1, 2, "3"]}, "Expected `float`, got `str`"),
    ],
)
def test_json_that_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(un.InputError) as caught:
        decode(**changes)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.jsonl"])
def test_a_table_gives_the_bits_of_a_request(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    rows: dict[str, list[Any]] = {"image": [IMAGE, IMAGE], "wave": [WAVE, WAVE[::-1]]}
    if name.endswith(".parquet"):
        pl.DataFrame(rows).write_parquet(path)
    elif name.endswith(".csv"):
        pl.DataFrame({column: [json.dumps(one) for one in values] for column, values in rows.items()}).write_csv(path)
    else:
        pl.DataFrame(rows).write_ndjson(path)
    table = read_table(path, SCHEMA, what="requests").with_columns(
        asked_at=pl.lit("2026-01-01T00:00:00Z").str.to_datetime("%+", time_unit="us", time_zone="UTC")
    )
    checked = check_requests(SEEN, table, Place("requests")).select(*SCHEMA)
    for place, request in enumerate([decode(), decode(wave=WAVE[::-1])]):
        for column, value in request.items():
            of_table = checked.get_column(column).to_numpy()[place]
            assert of_table.dtype == value.dtype and of_table.tobytes() == value.tobytes()


def test_csv_that_holds_no_tensor_is_refused_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    pl.DataFrame({"image": ["[[1,2],[3,4]]", "1;2;3;4"], "wave": ["[1,2,3]", "[1,2,3]"]}).write_csv(path)
    with pytest.raises(
        un.InputError, match=r'column "image", row 1: .*1;2;3;4.*; allowed: Tensor.* as JSON, e.g. \[\['
    ):
        read_table(path, SCHEMA, what="requests")
