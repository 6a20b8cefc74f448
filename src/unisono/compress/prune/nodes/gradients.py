"""Gradients of the loss on training rows, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from unisono.compress.context import Context
from unisono.compress.data import sample_of
from unisono.compress.modules.batches import Batches
from unisono.compress.modules.losses import label_loss
from unisono.compress.modules.model import TorchModel, scores_of
from unisono.spec.errors import InputError
from unisono.spec.wording import listing

_BATCH_ROWS = 8  # few, since gradients of many rows cancel each other


def each_gradient(model: TorchModel, rows: int, context: Context) -> Iterator[None]:
    """Leaves the gradients of a few rows in the parameters, again and again; afterwards there are none.

    rows: of the training part.

    Raises InputError for rows whose loss is no number.
    """
    frame = sample_of(context.data.train, rows, context.seed)
    targets = torch.from_numpy(context.data.targets(frame))
    batches = Batches(model, frame)
    done = 0
    for batch in batches.in_order(_BATCH_ROWS):
        model.module.zero_grad(set_to_none=True)
        loss = label_loss(scores_of(model.module(*batch.arguments), model.classes), targets[batch.rows])
        if not torch.isfinite(loss):
            raise InputError(
                f"calibration: the loss of rows of {listing(model.columns)} is {loss.item()}; allowed: a number; look "
                "for NaN and huge numbers among them, fill them, or leave such rows out"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        yield
        done += len(batch.rows)
        context.progress("asking which nodes matter", done, frame.height)
    model.module.zero_grad(set_to_none=True)
