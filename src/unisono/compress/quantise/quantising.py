"""Quantises a model's graph: what is to be quantised, by which ranges, and what is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import onnx

from unisono.compress.context import Context
from unisono.compress.quantise.calibration import ranges_of
from unisono.compress.quantise.nans import first_inputs, last_products
from unisono.compress.quantise.products import products_of, tables_of
from unisono.compress.quantise.reading import Reading, read
from unisono.compress.quantise.rewriting import Plan, Way, rewritten
from unisono.compress.quantise.sensitivity import harms
from unisono.compress.quantise.step import Quantise
from unisono.compress.running.graphs import answering
from unisono.models import ImportedModel
from unisono.models.verifying.operators import unsure_operators
from unisono.spec.errors import InputError, ModelError
from unisono.spec.wording import listing

_QUANTISED = ("MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", "DequantizeLinear", "QuantizeLinear")
_TREES = ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor")
_WAY: Mapping[str, Way] = {"dynamic": "whole", "static": "whole", "weights": "stored"}


def quantised(model: ImportedModel, step: Quantise, context: Context) -> tuple[ImportedModel, dict[str, object]]:
    """A model with fewer bits, and what was done. Raises ModelError, InputError: see `Quantise`."""
    reading = read(model.graph)
    plan = _plan(reading, step)
    _refuse_nothing(reading, plan)
    _refuse_no_rows(step, context)
    made_by = _maker(model, context)
    found = harms(reading, plan, made_by, step, context) if step.leave_out else {}
    plan = _without(plan, list(found)[: step.leave_out], "finely" if step.portable else "left")
    if step.mode == "static":
        plan = replace(plan, ranges=ranges_of(reading, plan, made_by, step, context))
    made = made_by(rewritten(reading, plan))
    unsure = unsure_operators(onnx.load_model_from_string(made.graph))
    left = [product.name for name, product in plan.known.items() if plan.products[name] in ("finely", "left")]
    notes: dict[str, object] = {
        "products": len(plan.products),
        "tables": len(plan.tables),
        "left_out": left,
        "harms": {plan.known[name].name: harm for name, harm in found.items()},
        "unsure_operators": list(unsure),
    }
    return made, notes


def _plan(reading: Reading, step: Quantise) -> Plan:
    known = products_of(reading)
    return Plan(
        products=dict.fromkeys(known, _WAY[step.mode]),
        known=known,
        tables=tables_of(reading) if step.embeddings else {},
        first=() if step.mode == "weights" else first_inputs(reading, known),
        last=last_products(reading, known),
        portable=step.portable,
        bits=step.bits,
        per=step.per,
    )


def _without(plan: Plan, left: list[str], way: Way) -> Plan:
    return replace(plan, products={**plan.products, **dict.fromkeys(left, way)})


def _maker(model: ImportedModel, context: Context) -> Callable[[bytes], ImportedModel]:
    """What makes a model of another graph that takes the same."""

    def made(graph: bytes) -> ImportedModel:
        other = replace(model, graph=graph)
        return replace(other, answer=answering(other, context.data.inputs))

    return made


def _refuse_nothing(reading: Reading, plan: Plan) -> None:
    operators = {node.op_type for node in reading.model.graph.node if not node.domain}
    before = sorted(operators.intersection(_QUANTISED))
    if before:
        raise ModelError(
            f"quantise: the graph has {listing(before)}, so it is quantised already; allowed: a graph of floats; leave "
            "the step out, or give the model as it was before"
        )
    if plan.products or plan.tables:
        return
    trees = any(node.op_type in _TREES for node in reading.model.graph.node)
    seen = "trees, which compare and add up, and give the same bits everywhere already" if trees else "no products"
    advice = "make them fewer with prune_trees" if trees else "leave the step out"
    raise ModelError(
        f"quantise: the graph has {seen}; allowed: MatMul, Gemm or Conv with known weights, or a table of embeddings; "
        f"{advice}"
    )


def _refuse_no_rows(step: Quantise, context: Context) -> None:
    if step.mode == "static" and not context.data.train.height:
        raise InputError(
            "quantise: no rows in the training part; allowed: 1 or more to see ranges in; give rows, or say mode = "
            "dynamic, which needs none"
        )
