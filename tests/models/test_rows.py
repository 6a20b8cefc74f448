"""Made-up rows show what a graph does with rows."""

from __future__ import annotations

import numpy as np

from unisono.models.emit import Emitter, value
from unisono.models.names import PREDICTION
from unisono.models.rows import made_up_rows, mixed_rows
from unisono.models.session import Runner


def image_graph() -> bytes:
    """The softmax of the sums of ten parts of an image, which has other last bits alone than among others."""
    emit = Emitter()
    random = np.random.default_rng(0)
    scores = emit("MatMul", "image", emit.constant(random.normal(size=(400, 10)) / 20))
    emit.rename(emit("Softmax", scores, axis=1), PREDICTION)
    model = emit.model([value("image", np.float64, "N", 400)], [value(PREDICTION, np.float64, "N", 10)])
    content: bytes = model.SerializeToString()
    return content


def test_some_made_up_images_are_of_ordinary_numbers_alone() -> None:
    (rows,) = made_up_rows(Runner(image_graph())).values()
    ordinary = np.isfinite(rows).all(axis=1)
    assert 0.4 < ordinary.mean() < 0.6


def test_an_answer_about_images_that_depends_on_its_batch_is_found() -> None:
    assert mixed_rows(image_graph()) == "a row's answer depends on the rows beside it"
