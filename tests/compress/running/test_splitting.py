"""How rows are set aside."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from unisono.compress.data import Data
from unisono.compress.recipe import DataSettings
from unisono.compress.running.splitting import not_test, split
from unisono.spec.errors import InputError
from unisono.spec.types import Float64, String

INPUTS = {"text": String, "size": Float64}


def rows(count: int = 400) -> pl.DataFrame:
    """Texts of which each comes twice, with another size every third time."""
    return pl.DataFrame(
        {
            "text": [f"text {number // 2}" for number in range(count)],
            "size": [float(number % 3 == 0) for number in range(count)],
            "side": ["north" if number % 4 else "south" for number in range(count)],
            "label": ["yes" if number % 3 else "no" for number in range(count)],
        }
    )


def data(frame: pl.DataFrame, **settings: Any) -> Data:
    return split(
        frame,
        DataSettings(**settings),
        reads=["text"],
        carries=["size"],
        inputs=INPUTS,
        classes=("no", "yes"),
        label="label",
    )


def test_every_row_is_in_one_part_and_shares_are_as_asked() -> None:
    made = data(rows(), slices=["side"])
    assert made.train.height + made.validation.height + made.test.height == 400
    assert made.test.height == pytest.approx(80, abs=4)
    assert made.validation.height == pytest.approx(40, abs=4)
    assert made.train.columns == ["text", "size", "side", "label"]


def test_twins_stay_together() -> None:
    made = data(rows(), group=["text"])
    texts = [set(part["text"]) for part in (made.train, made.validation, made.test)]
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]


def test_the_same_seed_splits_alike_and_another_differently() -> None:
    assert data(rows()).identity == data(rows()).identity
    assert not data(rows()).test.equals(data(rows(), seed=1).test)


def test_a_column_can_say_the_part() -> None:
    parts = np.array(["train", "validation", "test", "test"])[np.arange(400) % 4]
    made = data(rows().with_columns(part=parts), split="part")
    assert (made.train.height, made.validation.height, made.test.height) == (100, 100, 200)


def test_rows_without_a_label_are_for_distilling() -> None:
    frame = rows().with_columns(label=pl.when(pl.int_range(pl.len()) < 50).then(None).otherwise("label"))
    made = data(frame)
    assert made.unlabelled.height == 50
    assert made.unlabelled.columns == ["text"]
    assert made.train.height + made.validation.height + made.test.height == 350


def test_a_model_is_never_fitted_on_the_rows_that_judge_it() -> None:
    settings = DataSettings()
    seen = not_test(rows().with_row_index("id"), settings, INPUTS, "label")
    judged = data(rows().with_row_index("id"), slices=["id"]).test
    assert not set(seen["id"]) & set(judged["id"])
    assert seen.height + judged.height == 400


@pytest.mark.parametrize(
    ("frame", "settings", "said"),
    [
        (rows(), {"label": "lable"}, 'no column "lable", which is the label'),
        (rows().drop("text"), {}, 'no column "text", which is the model\'s input'),
        (rows(), {"slices": ["port"]}, 'no column "port", which is the slice of the report'),
        (rows(20), {}, "at least 10 rows"),
        (rows().with_columns(label=pl.lit("maybe")), {}, '"maybe"; allowed: the model\'s classes'),
        (rows().with_columns(part=pl.lit("training")), {"split": "part"}, '"training"; allowed: train, validation'),
    ],
)
def test_data_that_do_not_fit_are_refused_with_the_reason(
    frame: pl.DataFrame, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        data(frame, **settings)
    assert said in str(refused.value)
