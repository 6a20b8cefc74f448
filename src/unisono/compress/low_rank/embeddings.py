"""Tables of embeddings as narrow tables and a matrix each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy

import torch
from torch import nn

from unisono.compress.context import Context
from unisono.compress.data import sample_of
from unisono.compress.low_rank.embedding_step import LowRankEmbedding
from unisono.compress.modules.batches import Batches
from unisono.compress.modules.model import TorchModel
from unisono.compress.modules.replacing import layers_of, replace_layer
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing, quoted

_BATCH_ROWS = 64


def narrowed(model: TorchModel, step: LowRankEmbedding, context: Context) -> tuple[TorchModel, dict[str, object]]:
    """A copy of a model with narrow tables, and what was done. Raises ModelError: see `LowRankEmbedding`."""
    layers = layers_of(model.module, (nn.Embedding,), include=step.include, exclude=step.exclude, refuse=_refused(step))
    if not layers.chosen:
        raise ModelError(
            f"low_rank_embedding: no table gets narrow ({_reasons(layers.left_alone)}); allowed: one at least; leave "
            "the step out, or lower fewest"
        )
    tables = {name: table for name, table in layers.chosen.items() if isinstance(table, nn.Embedding)}
    counts = _counts(model, tables, step.rows, context)
    made = model.with_module(deepcopy(model.module))
    notes: dict[str, object] = {}
    for name, table in tables.items():
        pair, kept = _narrow(table, _rank(name, table, step.rank), counts[name])
        replace_layer(made.module, name, pair)
        notes[name] = {"rank": step.rank, "energy_kept": round(kept, 6), "parameters_before": table.weight.numel()}
    return made, {
        "tables": notes,
        "left_alone": dict(layers.left_alone),
        "parameters_before": model.parameters,
        "parameters": made.parameters,
    }


def _reasons(left_alone: Mapping[str, str]) -> str:
    return listing(f"{name}: {why}" for name, why in left_alone.items())


def _refused(step: LowRankEmbedding) -> Callable[[nn.Module], str | None]:
    def refuse(table: nn.Module) -> str | None:
        assert isinstance(table, nn.Embedding)
        if table.max_norm is not None:
            return "cuts entries to a length"
        return f"has {table.num_embeddings} entries" if table.num_embeddings < step.fewest else None

    return refuse


def _rank(name: str, table: nn.Embedding, rank: int) -> int:
    entries, width = table.weight.shape
    highest = (entries * width - 1) // (entries + width)
    if rank > highest:
        seen = f"rank {rank} of a table of {entries:,} x {width}"
        raise ModelError(
            f"low_rank_embedding: {quoted(name)}: {seen} saves nothing; allowed: 1 to {highest}; lower it, or exclude "
            "the table"
        )
    return rank


def _counts(
    model: TorchModel, tables: Mapping[str, nn.Embedding], rows: int, context: Context
) -> dict[str, torch.Tensor]:
    """How often some training rows look up each entry of a table."""
    found = {name: torch.zeros(table.num_embeddings) for name, table in tables.items()}

    def watching(count: torch.Tensor) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
        def watch(table: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            count.add_(torch.bincount(given[0].flatten(), minlength=len(count)))

        return watch

    hooks = [tables[name].register_forward_pre_hook(watching(one)) for name, one in found.items()]
    frame, done = sample_of(context.data.train, rows, context.seed), 0
    with torch.inference_mode():
        for batch in Batches(model, frame).in_order(_BATCH_ROWS):
            model.module(*batch.arguments)
            done += len(batch.rows)
            context.progress("counting what is looked up", done, frame.height)
    for hook in hooks:
        hook.remove()
    return found


def _narrow(table: nn.Embedding, rank: int, counts: torch.Tensor) -> tuple[nn.Sequential, float]:
    """The narrow table and the matrix; and the share of the energy that they keep."""
    weights = table.weight.detach().double()
    moments = weights.T @ (weights * (counts.double() + 1).unsqueeze(1))
    values, vectors = torch.linalg.eigh(moments)
    kept = vectors.flip(1)[:, :rank]
    entries, width = weights.shape
    narrow = nn.Embedding(entries, rank, padding_idx=table.padding_idx)
    widening = nn.Linear(rank, width, bias=False)
    with torch.no_grad():
        narrow.weight.copy_(weights @ kept)
        widening.weight.copy_(kept)
    return nn.Sequential(narrow, widening), float(values.flip(0)[:rank].sum() / values.sum())
