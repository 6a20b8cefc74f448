"""How large a graph, and each thing in it, may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GraphLimits:
    """What is looked at of a graph; more is refused.

    graph_bytes:     of the whole; protobuf ends at 2 GiB.
    loose_bytes:     of all that is not raw data of tensors; parsed, it takes up to eight times the room.
    parts:           messages and strings; an empty one is two bytes here, and a hundred when it is parsed.
    depth:           how deep messages may be in each other.
    text_bytes:      of a name or a comment; what is kept with a graph (metadata) may be as long as loose_bytes.
    nodes:           with those of subgraphs.
    subgraphs:       how deep subgraphs (of If, Loop, Scan) may be in each other.
    value_elements:  of any value with the sizes that the graph fixes, for one row of a batch.
    folded_elements: of all values together that are computed of constants when the graph is loaded.
    folding_reads:   elements that are read for that.
    loop_trips:      of a Loop, and of all those around it, multiplied.
    """

    graph_bytes: int = 1 << 30
    loose_bytes: int = 1 << 27
    parts: int = 1_000_000
    depth: int = 32
    text_bytes: int = 1 << 16
    nodes: int = 100_000
    subgraphs: int = 4
    value_elements: int = 1 << 28
    folded_elements: int = 1 << 27
    folding_reads: int = 1 << 30
    loop_trips: int = 10_000
