"""The overflow proof of integer-only MiniLM-L6: where its numbers go, and how much of their types they use."""

from __future__ import annotations

from time import process_time

from benchmarks.compress.bench import Bench
from benchmarks.compress.row import at_most
from benchmarks.edge_transformers.minilm import integer_minilm
from benchmarks.edge_transformers.row import Row, Table
from unisono.models.integer.proof import proved

_SHOWN = ("layer 0 query", "layer 0 attention", "layer 0 attention norm")


def run(bench: Bench) -> Row:
    """The row."""
    network = integer_minilm(bench)
    begun = process_time()
    proof = proved(network)
    taken_s = process_time() - begun
    bounds = [bound for one in proof.instructions for bound in one.bounds]
    fullest = round(max(bound.used for bound in bounds), 4)
    shown = [line for line in proof.lines() if line[0] in _SHOWN]
    return Row(
        row="proof",
        figures={
            "instructions": len(proof.instructions),
            "bounds": len(bounds),
            "proof_cpu_s": round(taken_s, 3),
            "largest_share_of_a_type": fullest,
        },
        targets=(at_most("largest share of a type that is used", fullest, 1),),
        tables=(Table(head=("instruction", "number", "least", "most", "fits", "used"), rows=shown),),
        notes=(
            f"{len(bounds)} bounds of {len(proof.instructions)} instructions in {taken_s:.2f} s of processor time; the "
            f"table has those of {', '.join(_SHOWN)}.",
        ),
    )
